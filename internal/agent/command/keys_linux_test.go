package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// PXE-23: what is typed is not shown, and afterwards the console shows it again.
func TestSecretIsNotShown(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudo terminals here: ", err)
	}
	defer master.Close()
	raw, err := master.SyscallConn()
	require.NoError(t, err)
	var n int
	require.NoError(t, raw.Control(func(fd uintptr) {
		_ = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	}))
	require.NoError(t, err)
	console := filepath.Join("/dev/pts", fmt.Sprint(n))
	slave, err := os.OpenFile(console, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	k := &keys{lines: make(chan string), cancel: cancel, files: []*os.File{slave}}
	k.wait.Add(1)
	go func() { defer k.wait.Done(); k.read(ctx, slave) }()
	defer k.Close()

	echo := func() bool {
		raw, err := slave.SyscallConn()
		require.NoError(t, err)
		var on bool
		require.NoError(t, raw.Control(func(fd uintptr) {
			state, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
			require.NoError(t, err)
			on = state.Lflag&unix.ECHO != 0
		}))
		return on
	}
	require.True(t, echo())
	got := make(chan string, 1)
	go func() {
		line, _ := k.Secret(ctx)
		got <- line
	}()
	require.Eventually(t, func() bool { return !echo() }, 10*time.Second, time.Millisecond)
	_, err = master.WriteString("hunter2 secret\n")
	require.NoError(t, err)
	require.Equal(t, "hunter2 secret", <-got)
	require.Eventually(t, echo, 10*time.Second, time.Millisecond)
	shown := make([]byte, 256)
	require.NoError(t, master.SetReadDeadline(time.Now().Add(time.Second)))
	count, _ := master.Read(shown)
	require.NotContains(t, string(shown[:count]), "hunter2")
}
