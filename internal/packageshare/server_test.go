package packageshare_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/packageshare"
)

// programs puts scripts in the place of Samba's programs. They note in the returned file what was started.
func programs(t *testing.T, smbd, smbpasswd string) (notes string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, as smbd does")
	}
	dir := t.TempDir()
	notes = filepath.Join(dir, "notes")
	for name, script := range map[string]string{"smbd": smbd, "smbpasswd": smbpasswd} {
		text := fmt.Sprintf("#!/bin/sh\nnotes=%s\necho %s >>$notes\n%s\n", notes, name, script)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return notes
}

// started waits until the programs of the notes are so many, and returns them.
func started(t *testing.T, notes string, count int) []string {
	t.Helper()
	var names []string
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(notes)
		names = strings.Fields(string(text))
		return len(names) >= count
	}, 20*time.Second, 20*time.Millisecond)
	return names
}

// serve runs a share without waiting for its port.
func serve(t *testing.T) (ended <-chan error) {
	t.Helper()
	share, err := packageshare.New(config(t, newSource(t)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done, finished := make(chan error, 1), make(chan struct{})
	go func() { defer close(finished); done <- share.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-finished })
	return done
}

// A child of smbd that outlives it, in a session of its own, has its output open; the restart does not wait for that.
func TestRestartWaitsForNoChild(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	notes := programs(t, "setsid sleep 60 &\necho $! >>"+pids+"\nexit 1", "exit 0")
	t.Cleanup(func() {
		text, err := os.ReadFile(pids)
		require.NoError(t, err)
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			require.NoError(t, err)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	serve(t)
	require.Equal(t, []string{"smbpasswd", "smbd", "smbd"}, started(t, notes, 3))
}

// An account without its password is no reason to end the appliance, and none to serve with the password of before.
func TestPasswordIsTriedAgain(t *testing.T) {
	notes := programs(t, "exec sleep 60", "[ $(wc -l <$notes) -gt 2 ] || { echo no such thing >&2; exit 1; }")
	ended := serve(t)
	require.Equal(t, []string{"smbpasswd", "smbpasswd", "smbpasswd", "smbd"}, started(t, notes, 4))
	select {
	case err := <-ended:
		require.Fail(t, "ended", "%v", err)
	default:
	}
}

// It ends when it is told to, also while the password does not work.
func TestEndsWhileThePasswordFails(t *testing.T) {
	notes := programs(t, "exec sleep 60", "exit 1")
	share, err := packageshare.New(config(t, newSource(t)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- share.Run(ctx) }()
	started(t, notes, 1)
	cancel()
	require.NoError(t, <-done)
	text, err := os.ReadFile(notes)
	require.NoError(t, err)
	require.NotContains(t, string(text), "smbd")
}

func TestNewRefusesFoldersThatSmbConfCannotName(t *testing.T) {
	programs(t, "", "")
	for _, name := range []string{"a%mb", `a"b`, "a'b", "a`b", "a\nb", "a\rb", `a\b`, "a\x00b"} {
		c := config(t, newSource(t))
		root := filepath.Dir(c.Dir)
		c.Dir = filepath.Join(root, name)
		_, err := packageshare.New(c)
		require.ErrorContains(t, err, "set data_dir", "%q", name)
		left, err := os.ReadDir(root)
		require.NoError(t, err)
		require.Empty(t, left, "nothing is made")
	}
	c := config(t, newSource(t))
	c.Dir += " of höme"
	_, err := packageshare.New(c)
	require.NoError(t, err)
}

// DOP-13: at the next start with another password, that of before opens nothing.
func TestDOP13AnotherPassword(t *testing.T) {
	c := config(t, newSource(t))
	stop := run(t, open(t, c))
	stop()
	c.Password = "9876543210jihgfedcba"
	share := open(t, c)
	run(t, share)
	said, err := smb(t, share, "ls", user(c.Password), "--client-protection=encrypt")
	require.NoError(t, err, said)
	said, err = smb(t, share, "ls", user(password), "--client-protection=encrypt")
	require.Error(t, err, said)
}
