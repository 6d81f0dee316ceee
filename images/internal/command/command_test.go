package command_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/command"
)

func TestRun(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	tool := command.Tool{Limit: time.Minute, Env: []string{"WORD=given"}, Stdin: "from stdin", Missing: "is missing here"}
	out, err := tool.Run(t.Context(), "/bin/sh", "-c", `/bin/cat; echo " $WORD"; echo err >&2`)
	require.NoError(t, err)
	assert.Equal(t, "from stdin given\nerr", out)

	_, err = tool.Run(t.Context(), "/bin/sh", "-c", "echo why; echo more; exit 3")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.ErrorContains(t, err, ":\n  why\n  more")

	_, err = tool.Run(t.Context(), "no-such-program-here")
	require.ErrorIs(t, err, exec.ErrNotFound)
	assert.ErrorContains(t, err, "no-such-program-here is missing here")

	tool.Limit = 50 * time.Millisecond
	_, err = tool.Run(t.Context(), "/bin/sh", "-c", "echo begun; exec /bin/sleep 60")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "sh did not end within 50ms")
}

func TestRunKeepsLittle(t *testing.T) {
	tool := command.Tool{Limit: time.Minute}
	out, err := tool.Run(t.Context(), "/bin/sh", "-c", "/usr/bin/head -c 3000000 /dev/zero | /usr/bin/tr '\\0' x; exit 1")
	require.Error(t, err)
	assert.Len(t, out, 64<<10)
	assert.Less(t, len(err.Error()), 3000)
}

func TestHead(t *testing.T) {
	h := &command.Head{Limit: 5}
	for range 3 {
		n, err := h.Write([]byte("abc"))
		require.NoError(t, err)
		assert.Equal(t, 3, n)
	}
	assert.Equal(t, "abcab", h.String())
	assert.Equal(t, "ab", h.Tail(2))
	assert.Equal(t, "abcab", h.Tail(9))
	assert.False(t, strings.Contains(h.String(), "c"+"c"))
}
