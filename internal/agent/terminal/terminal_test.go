//go:build linux

package terminal_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/terminal"
)

// readUntil reads until text has come.
func readUntil(t *testing.T, s *terminal.Session, text string) string {
	t.Helper()
	var all strings.Builder
	buf := make([]byte, 1000)
	for !strings.Contains(all.String(), text) {
		n, err := s.Read(buf)
		all.Write(buf[:n])
		require.NoError(t, err, "%q", all.String())
	}
	return all.String()
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestDBG3ShellOnATerminal(t *testing.T) {
	s, err := terminal.Open(deadline(t), terminal.Options{Rows: 33, Columns: 99})
	require.NoError(t, err)
	defer s.Close()
	_, err = io.WriteString(s, "stty size; tty\n")
	require.NoError(t, err)
	require.Contains(t, readUntil(t, s, "/dev/pts/"), "33 99")
	require.NoError(t, s.Resize(40, 120))
	_, err = io.WriteString(s, "stty size\n")
	require.NoError(t, err)
	readUntil(t, s, "40 120")
	_, err = io.WriteString(s, "exit 7\n")
	require.NoError(t, err)
	for err == nil {
		_, err = s.Read(make([]byte, 1000))
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 7, s.Wait(t.Context(), time.Minute))
}

func TestCommandWithoutTerminal(t *testing.T) {
	s, err := terminal.Open(deadline(t), terminal.Options{Command: "echo out; echo err >&2; exit 3"})
	require.NoError(t, err)
	out, err := io.ReadAll(s)
	require.NoError(t, err)
	require.Equal(t, "out\nerr\n", string(out))
	require.Equal(t, 3, s.Wait(t.Context(), time.Minute))
}

func TestCloseEndsTheShellAndAReadThatWaits(t *testing.T) {
	for name, o := range map[string]terminal.Options{"terminal": {}, "command": {Command: "sleep 600"}} {
		t.Run(name, func(t *testing.T) {
			s, err := terminal.Open(deadline(t), o)
			require.NoError(t, err)
			read := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, s)
				read <- err
			}()
			s.Close()
			require.NoError(t, <-read)
		})
	}
}

func TestContextEndsTheShell(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := terminal.Open(ctx, terminal.Options{Command: "sleep 600"})
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(s)
	require.NoError(t, err)
	require.NotZero(t, s.Close())
}

func TestNoSuchShell(t *testing.T) {
	_, err := terminal.Open(t.Context(), terminal.Options{Shell: "/no/such/shell"})
	require.ErrorContains(t, err, "/no/such/shell")
}
