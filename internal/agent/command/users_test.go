//go:build linux

package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSessionUser(t *testing.T) {
	require.Equal(t, "ann", sessionUser("# This is private data. Do not parse.\nUID=1000\nUSER=ann\nACTIVE=1\nCLASS=user\n"))
	require.Empty(t, sessionUser("UID=110\nUSER=gdm\nCLASS=greeter\n"))
	require.Empty(t, sessionUser(""))
}

func TestConsoleNames(t *testing.T) {
	require.Equal(t, []string{"/dev/tty1", "/dev/ttyS0"}, consoleNames("tty0 ttyS0 ../etc/passwd"))
}
