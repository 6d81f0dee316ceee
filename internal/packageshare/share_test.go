package packageshare_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/library"
	"github.com/bootyard/bootyard/internal/packageshare"
)

const password = "abcdefghij0123456789"

// source is a library and a list of what is to be shared.
type source struct {
	*library.Library
	mu     sync.Mutex
	shared []packageshare.Package
	err    error
}

func (s *source) Shared(context.Context) ([]packageshare.Package, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shared, s.err
}

func (s *source) set(list ...packageshare.Package) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = list
}

func newSource(t *testing.T) *source {
	t.Helper()
	lib, err := library.Open(t.TempDir(), library.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32))})
	require.NoError(t, err)
	t.Cleanup(func() { _ = lib.Close() })
	return &source{Library: lib}
}

// pack stores files as the next version of a package.
func (s *source) pack(t *testing.T, id string, files map[string]string) packageshare.Package {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	result, err := s.Add(t.Context(), id, dir, nil)
	if errors.Is(err, library.ErrExists) {
		result, err = s.Update(t.Context(), id, dir, nil)
	}
	require.NoError(t, err)
	return packageshare.Package{ID: id, Version: result.Manifest.Version}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func config(t *testing.T, s *source) packageshare.Config {
	return packageshare.Config{Dir: filepath.Join(t.TempDir(), "share"), Listen: fmt.Sprintf("127.0.0.1:%d", freePort(t)), Password: password, Source: s}
}

func open(t *testing.T, c packageshare.Config) *packageshare.Share {
	t.Helper()
	if _, err := exec.LookPath("smbd"); err != nil {
		t.Skip("needs smbd (Debian package samba)")
	}
	share, err := packageshare.New(c)
	require.NoError(t, err)
	return share
}

// run serves until the test ends, or until the returned function is called.
func run(t *testing.T, share *packageshare.Share) (stop func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for smbd")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- share.Run(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); require.NoError(t, <-done) }) }
	t.Cleanup(stop)
	wait, end := context.WithTimeout(t.Context(), 30*time.Second)
	defer end()
	require.NoError(t, share.Wait(wait))
	return stop
}

func ready(t *testing.T, share *packageshare.Share, p packageshare.Package) {
	t.Helper()
	require.Eventually(t, func() bool { return share.Ready(p.ID, p.Version) }, 30*time.Second, 20*time.Millisecond)
}

// smb asks the share as a stock client.
func smb(t *testing.T, share *packageshare.Share, commands string, more ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("smbclient"); err != nil {
		t.Skip("needs smbclient")
	}
	conf := filepath.Join(t.TempDir(), "smb.conf")
	require.NoError(t, os.WriteFile(conf, []byte("[global]\n"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	arguments := append([]string{"//127.0.0.1/packages", "-s", conf, "-p", fmt.Sprint(share.Port()), "-c", commands}, more...)
	said, err := exec.CommandContext(ctx, "smbclient", arguments...).CombinedOutput()
	return string(said), err
}

func user(password string) string { return "--user=" + packageshare.Account + "%" + password }

func TestDOP5Share(t *testing.T) {
	s := newSource(t)
	first := s.pack(t, "BYD00001", map[string]string{"run.sh": "echo hello", "deep/er/file": "x"})
	other := s.pack(t, "BYD00002", map[string]string{"secret": "not shared"})
	s.set(first)
	c := config(t, s)
	share := open(t, c)
	stop := run(t, share)
	ready(t, share, first)
	require.False(t, share.Ready(other.ID, other.Version))
	here := t.TempDir()
	said, err := smb(t, share, "ls; lcd "+here+"; get BYD00001/run.sh run.sh; get BYD00001/deep/er/file file", user(password), "--client-protection=encrypt", "-m", "SMB3_11")
	require.NoError(t, err, said)
	require.NotContains(t, said, "BYD00002")
	text, err := os.ReadFile(filepath.Join(here, "run.sh"))
	require.NoError(t, err)
	require.Equal(t, "echo hello", string(text))
	for name, c := range map[string]struct {
		commands string
		more     []string
	}{
		"no writing":           {"put /etc/hostname BYD00001/x", []string{user(password), "--client-protection=encrypt"}},
		"no changing":          {"put /etc/hostname BYD00001/run.sh", []string{user(password), "--client-protection=encrypt"}},
		"no deleting":          {"rm BYD00001/run.sh", []string{user(password), "--client-protection=encrypt"}},
		"wrong password":       {"ls", []string{user("abcdefghij0123456780"), "--client-protection=encrypt"}},
		"nobody in particular": {"ls", []string{"-N", "--user=%"}},
		"unencrypted":          {"ls", []string{user(password), "--client-protection=plain"}},
		"an old protocol":      {"ls", []string{user(password), "-m", "SMB2_10"}},
		"out of the share":     {"get ../smb.conf " + here + "/out", []string{user(password), "--client-protection=encrypt"}},
	} {
		t.Run(name, func(t *testing.T) {
			said, err := smb(t, share, c.commands, c.more...)
			require.True(t, err != nil || strings.Contains(said, "NT_STATUS_ACCESS_DENIED"), said) // rm says so and ends with 0
		})
	}
	text, err = os.ReadFile(filepath.Join(c.Dir, "packages", "BYD00001", "run.sh"))
	require.NoError(t, err)
	require.Equal(t, "echo hello", string(text))
	require.NoFileExists(t, filepath.Join(here, "out"))

	t.Run("a new version takes its place", func(t *testing.T) {
		second := s.pack(t, "BYD00001", map[string]string{"run.sh": "echo again"})
		s.set(second)
		ready(t, share, second)
		said, err := smb(t, share, "lcd "+here+"; get BYD00001/run.sh run.sh; ls BYD00001/*", user(password), "--client-protection=encrypt")
		require.NoError(t, err, said)
		text, err := os.ReadFile(filepath.Join(here, "run.sh"))
		require.NoError(t, err)
		require.Equal(t, "echo again", string(text))
		require.NoDirExists(t, filepath.Join(c.Dir, "packages", "BYD00001", "deep"))
	})
	t.Run("what is not to be shared goes", func(t *testing.T) {
		s.set(other)
		ready(t, share, other)
		require.Eventually(t, func() bool {
			_, err := os.Stat(filepath.Join(c.Dir, "packages", "BYD00001"))
			return os.IsNotExist(err)
		}, 30*time.Second, 20*time.Millisecond)
	})
	t.Run("an end without leave is repaired", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(c.Dir, "samba", "smbd.pid"))
		require.NoError(t, err)
		require.NoError(t, exec.Command("kill", "-9", strings.TrimSpace(string(text))).Run())
		require.Eventually(t, func() bool {
			_, err := smb(t, share, "ls", user(password), "--client-protection=encrypt")
			return err == nil
		}, 30*time.Second, 200*time.Millisecond)
	})
	t.Run("it stops with its owner", func(t *testing.T) {
		stop()
		_, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", share.Port()), time.Second)
		require.Error(t, err)
	})
}

// DOP-15: a copy that was altered stays as it is, over a restart too, and the library does not change with it.
func TestDOP15AlteredCopyStays(t *testing.T) {
	s := newSource(t)
	p := s.pack(t, "BYD00001", map[string]string{"run.sh": "echo hello"})
	s.set(p)
	c := config(t, s)
	share := open(t, c)
	require.NoError(t, share.Sync(t.Context()))
	file := filepath.Join(c.Dir, "packages", "BYD00001", "run.sh")
	require.NoError(t, os.WriteFile(file, []byte("echo evil!"), 0o755))
	report, err := s.Verify(t.Context(), "BYD00001")
	require.NoError(t, err)
	require.Empty(t, report.Bad, "the library has its own")
	run(t, open(t, c))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "echo evil!", string(text))
}

// DOP-5: what is not to be shared any more is gone from the share also when the appliance was killed while it took it out.
func TestDOP5KilledWhileTakingOut(t *testing.T) {
	s := newSource(t)
	p := s.pack(t, "BYD00001", map[string]string{"run.sh": "echo hello"})
	s.set(p)
	c := config(t, s)
	require.NoError(t, open(t, c).Sync(t.Context()))
	require.NoError(t, os.Remove(filepath.Join(c.Dir, "versions", "BYD00001"))) // the kill comes here
	s.set()
	share := open(t, c)
	run(t, share)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(c.Dir, "packages", "BYD00001"))
		return os.IsNotExist(err)
	}, 10*time.Second, 20*time.Millisecond)
}

func TestSyncGoesOnAfterAnError(t *testing.T) {
	s := newSource(t)
	p := s.pack(t, "BYD00001", map[string]string{"run.sh": "echo hello"})
	s.set(packageshare.Package{ID: "BYD00009", Version: 1}, packageshare.Package{ID: "../evil", Version: 1}, p)
	c := config(t, s)
	share := open(t, c)
	require.ErrorContains(t, share.Sync(t.Context()), "BYD00009")
	require.True(t, share.Ready(p.ID, p.Version))
	require.False(t, share.Ready(p.ID, p.Version+1))
	require.NoDirExists(t, filepath.Join(c.Dir, "packages", ".new", "BYD00009"))
}

func TestNewSaysWhatToMend(t *testing.T) {
	c := packageshare.Config{Dir: t.TempDir(), Listen: ":445", Password: password}
	bad := c
	bad.Password = "short"
	_, err := packageshare.New(bad)
	require.ErrorContains(t, err, "password")
	for _, listen := range []string{"445", ":0", "host.example:445", ":70000"} {
		bad := c
		bad.Listen = listen
		_, err := packageshare.New(bad)
		require.ErrorContains(t, err, "share.listen", listen)
	}
	if _, err := os.Stat("/usr/sbin/smbd"); err == nil {
		return // found wherever PATH leads
	}
	t.Setenv("PATH", t.TempDir())
	_, err = packageshare.New(c)
	require.ErrorContains(t, err, "apt-get install samba")
}

// DOP-8: a boot image is in no library; its files come from its folder, and from nowhere else.
func TestDOP8BootImage(t *testing.T) {
	s := newSource(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vmlinuz"), []byte("kernel"), 0o600))
	image := packageshare.Package{ID: "BYD00007", Version: 4711, Dir: dir, Files: []string{"vmlinuz"}}
	s.set(image)
	c := config(t, s)
	share := open(t, c)
	require.NoError(t, share.Sync(t.Context()))
	require.True(t, share.Ready(image.ID, image.Version))
	text, err := os.ReadFile(filepath.Join(c.Dir, "packages", image.ID, "vmlinuz"))
	require.NoError(t, err)
	require.Equal(t, "kernel", string(text))
	image.Version, image.Files = 4712, []string{"../secret"}
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "secret"), nil, 0o600))
	s.set(image)
	require.Error(t, share.Sync(t.Context()))
	require.NoFileExists(t, filepath.Join(c.Dir, "packages", image.ID, "secret"))
}
