//go:build linux

package userstate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/internal/agent/userstate"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("owners can be set by root only")
	}
}

func quiet(int64, int64, string) {}

// system is a small Linux system in a folder.
func system(t *testing.T, passwd, group string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n"+passwd)
	put(t, dir, "etc/group", group)
	return dir
}

func put(t *testing.T, root, name, text string) string {
	t.Helper()
	name = filepath.Join(root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o640))
	return name
}

func owner(t *testing.T, name string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Lstat(name)
	require.NoError(t, err)
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}

func captured(t *testing.T, root string, o machine.CaptureOptions) (*bytes.Buffer, []string) {
	t.Helper()
	var b bytes.Buffer
	notes, err := userstate.Linux{Root: root}.Capture(t.Context(), &b, o, quiet)
	require.NoError(t, err)
	return &b, notes
}

const alice = "alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n"

// Files, links, times, modes, owners by name and attributes arrive; caches, sockets and what is excluded do not.
func TestStateMovesToAnotherSystem(t *testing.T) {
	needRoot(t)
	old := system(t, alice, "sudo:x:27:alice\n")
	letter := put(t, old, "home/alice/Documents/letter.txt", "dear all")
	require.NoError(t, os.Link(letter, filepath.Join(old, "home/alice/same.txt")))
	require.NoError(t, os.Symlink("Documents/letter.txt", filepath.Join(old, "home/alice/link")))
	put(t, old, "home/alice/.cache/big", "x")
	put(t, old, "home/alice/skip.tmp", "x")
	put(t, old, "home/alice/.Private/cipher", "x")
	put(t, old, "home/alice/empty-not/kept", "")
	put(t, old, "etc/app.conf", "setting=1")
	require.NoError(t, unix.Mkfifo(filepath.Join(old, "home/alice/pipe"), 0o600))
	if err := unix.Setxattr(letter, "user.comment", []byte("mine"), 0); err != nil {
		t.Log("no attributes here:", err)
	}
	stamp := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)
	require.NoError(t, os.Chtimes(letter, stamp, stamp))
	require.NoError(t, os.Chmod(filepath.Join(old, "home/alice/Documents"), 0o750))
	require.NoError(t, filepath.Walk(filepath.Join(old, "home/alice"), func(p string, _ os.FileInfo, err error) error {
		require.NoError(t, err)
		return os.Lchown(p, 1000, 1000)
	}))
	stream, notes := captured(t, old, machine.CaptureOptions{Include: []string{"/etc/app.conf", "/etc/none"}, Exclude: []string{"*.tmp"}, SkipUserEncoded: true})
	require.Contains(t, strings.Join(notes, "\n"), "pipe")
	require.Contains(t, strings.Join(notes, "\n"), "/etc/none")

	// Another number and another home on the new system.
	fresh := system(t, "alice:x:1500:1600::/users/alice:/bin/sh\n", "")
	put(t, fresh, "users/alice/Documents/letter.txt", "older")
	notes, err := userstate.Linux{Root: fresh}.Restore(t.Context(), stream, machine.RestoreOptions{}, quiet)
	require.NoError(t, err)
	require.Empty(t, notes)
	home := filepath.Join(fresh, "users/alice")
	text, err := os.ReadFile(filepath.Join(home, "Documents/letter.txt"))
	require.NoError(t, err)
	require.Equal(t, "dear all", string(text))
	uid, gid := owner(t, filepath.Join(home, "Documents/letter.txt"))
	require.Equal(t, [2]uint32{1500, 1600}, [2]uint32{uid, gid})
	info, err := os.Stat(filepath.Join(home, "same.txt"))
	require.NoError(t, err)
	require.EqualValues(t, 2, info.Sys().(*syscall.Stat_t).Nlink)
	require.True(t, info.ModTime().Equal(stamp), info.ModTime())
	require.EqualValues(t, 0o640, info.Mode().Perm())
	info, err = os.Stat(filepath.Join(home, "Documents"))
	require.NoError(t, err)
	require.EqualValues(t, 0o750, info.Mode().Perm())
	target, err := os.Readlink(filepath.Join(home, "link"))
	require.NoError(t, err)
	require.Equal(t, "Documents/letter.txt", target)
	require.FileExists(t, filepath.Join(fresh, "etc/app.conf"))
	for _, gone := range []string{".cache", "skip.tmp", ".Private", "pipe"} {
		require.NoFileExists(t, filepath.Join(home, gone))
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(letter, "user.comment", value); err == nil {
		m, err := unix.Getxattr(filepath.Join(home, "same.txt"), "user.comment", value)
		require.NoError(t, err)
		require.Equal(t, n, m)
	}
}

// accessList is an access control list in the kernel's form: rights of the owner, more entries of tag and number with all
// rights, the group, a mask and others.
func accessList(entries ...[2]uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	add := func(tag, rights uint16, id uint32) {
		b = binary.LittleEndian.AppendUint16(b, tag)
		b = binary.LittleEndian.AppendUint16(b, rights)
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	const none = 0xffffffff
	add(1, 7, none)
	for _, tag := range []uint32{2, 4, 8} {
		if tag == 4 {
			add(4, 0, none)
		}
		for _, e := range entries {
			if e[0] == tag {
				add(uint16(tag), 7, e[1])
			}
		}
	}
	add(0x10, 7, none)
	add(0x20, 0, none)
	return b
}

func attribute(t *testing.T, file, name string) []byte {
	t.Helper()
	value := make([]byte, 1024)
	n, err := unix.Getxattr(file, name, value)
	if err != nil {
		require.ErrorIs(t, err, unix.ENODATA)
		return nil
	}
	return value[:n]
}

// Access control lists arrive, with the numbers that people have on the new system; nothing inherits one by being restored.
func TestAccessControlListsMove(t *testing.T) {
	needRoot(t)
	const access, inherited = "system.posix_acl_access", "system.posix_acl_default"
	bob := "bob:x:1001:1001::/home/bob:/bin/sh\n"
	old := system(t, alice+bob, "")
	shared, plain := put(t, old, "home/alice/shared/plan", "p"), put(t, old, "home/alice/shared/plain", "p")
	folder := filepath.Dir(shared)
	if err := unix.Setxattr(shared, access, accessList([2]uint32{2, 1001}, [2]uint32{2, 33}, [2]uint32{8, 1000}), 0); errors.Is(err, unix.ENOTSUP) {
		t.Skip("the file system of temporary files keeps no access control lists")
	} else {
		require.NoError(t, err)
	}
	require.NoError(t, unix.Setxattr(folder, inherited, accessList([2]uint32{2, 1001}), 0))
	require.NoError(t, unix.Setxattr(shared, "user.zero", []byte("a\x00b"), 0))
	stream, _ := captured(t, old, machine.CaptureOptions{})

	fresh := system(t, "alice:x:1500:1600::/home/alice:/bin/sh\nbob:x:1501:1601::/home/bob:/bin/sh\n", "")
	for range 2 { // the second time into folders that have their lists already
		notes, err := userstate.Linux{Root: fresh}.Restore(t.Context(), bytes.NewReader(stream.Bytes()), machine.RestoreOptions{}, quiet)
		require.NoError(t, err)
		require.Len(t, notes, 1)
		require.Contains(t, notes[0], "1 entries of its access control list were left out", "33 may be somebody else here")
		there := filepath.Join(fresh, "home/alice/shared")
		require.Equal(t, accessList([2]uint32{2, 1501}, [2]uint32{8, 1600}), attribute(t, filepath.Join(there, "plan"), access))
		require.Equal(t, accessList([2]uint32{2, 1501}), attribute(t, there, inherited))
		require.Nil(t, attribute(t, filepath.Join(there, filepath.Base(plain)), access))
		require.Equal(t, "a\x00b", string(attribute(t, filepath.Join(there, "plan"), "user.zero")))
		info, err := os.Stat(filepath.Join(there, "plain"))
		require.NoError(t, err)
		require.EqualValues(t, 0o640, info.Mode().Perm())
	}
}

// accounts is a machine.Programs that adds lines to the passwd of a system.
type accounts struct {
	root    string
	started []string
	input   string
}

func (a *accounts) Windows() bool    { return false }
func (a *accounts) Find(string) bool { return true }
func (a *accounts) Start(_ context.Context, p machine.Program) (machine.Exit, error) {
	a.started = append(a.started, p.Name+" "+strings.Join(p.Args, " "))
	a.input += p.Input
	if p.Name == "useradd" {
		f, err := os.OpenFile(filepath.Join(a.root, "etc/passwd"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return machine.Exit{}, err
		}
		defer f.Close()
		_, err = f.WriteString(p.Args[len(p.Args)-1] + ":x:1001:1001::/home/alice:/bin/sh\n")
		return machine.Exit{}, err
	}
	return machine.Exit{}, nil
}

// Local accounts that are not to be restored fail the step before anything is written.
func TestLocalAccounts(t *testing.T) {
	needRoot(t)
	old := system(t, alice, "sudo:x:27:alice\nodd:x:99:alice\n")
	require.NoError(t, os.Chown(put(t, old, "home/alice/a", "a"), 1000, 1000))
	stream, _ := captured(t, old, machine.CaptureOptions{})
	fresh := system(t, "", "sudo:x:27:\n")
	programs := &accounts{root: fresh}
	l := userstate.Linux{Root: fresh, Programs: programs}
	_, err := l.Restore(t.Context(), bytes.NewReader(stream.Bytes()), machine.RestoreOptions{}, quiet)
	require.ErrorContains(t, err, "alice")
	require.ErrorContains(t, err, "OSDMigrateLocalAccounts")
	require.NoDirExists(t, filepath.Join(fresh, "home"))
	require.Empty(t, programs.started)
	_, err = l.Restore(t.Context(), bytes.NewReader(stream.Bytes()), machine.RestoreOptions{Accounts: true, Password: "Geheim-99"}, quiet)
	require.NoError(t, err)
	require.Equal(t, []string{"useradd --create-home --home-dir /home/alice --comment Alice,,, --groups sudo -- alice", "chpasswd "}, programs.started)
	require.Equal(t, "alice:Geheim-99\n", programs.input)
	uid, _ := owner(t, filepath.Join(fresh, "home/alice/a"))
	require.EqualValues(t, 1001, uid)
}

// Nothing in a stream leads out of the system's root or crashes the reader.
func FuzzRestore(f *testing.F) {
	root := f.TempDir()
	require.NoError(f, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	require.NoError(f, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("bob:x:1000:1000::/home/bob:/bin/sh\n"), 0o600))
	var b bytes.Buffer
	_, err := userstate.Linux{Root: root}.Capture(f.Context(), &b, machine.CaptureOptions{}, quiet)
	require.NoError(f, err)
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		inner := filepath.Join(dir, "root")
		require.NoError(t, os.MkdirAll(filepath.Join(inner, "etc"), 0o755))
		_, _ = userstate.Linux{Root: inner}.Restore(t.Context(), bytes.NewReader(data), machine.RestoreOptions{SkipFailed: true}, quiet)
		_ = userstate.Unpack(t.Context(), bytes.NewReader(data), filepath.Join(dir, "unpacked"))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.LessOrEqual(t, len(entries), 2)
	})
}
