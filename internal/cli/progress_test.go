package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgressIsOneLineOnATerminal(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out, width: 20}
	p.show("first")
	p.show("first")
	p.show("a text that is far too long")
	p.end()
	require.Equal(t, "\rfirst\x1b[K\ra text that is far \x1b[K\n", out.String())
}

func TestProgressIsPlainLinesElsewhere(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out}
	for i := range int64(1001) {
		p.amount("sent", i, 1000)
	}
	p.end()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 11)
	require.Equal(t, "sent: 0 % of 1.0 kB", lines[0])
	require.Equal(t, "sent: 100 % of 1.0 kB", lines[10])
}

// What a machine or a remote file says cannot move the cursor.
func TestOneLineHoldsNoControls(t *testing.T) {
	require.Equal(t, "a [2Jb c d", oneLine("a\x1b[2Jb\nc\u009bd"))
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 1 << 62: "4.6 EB"} {
		require.Equal(t, want, size(n))
	}
}
