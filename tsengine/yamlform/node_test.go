package yamlform

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func strip(n *node) *node {
	n.line, n.column, n.flow = 0, 0, false
	for i := range n.fields {
		n.fields[i].line, n.fields[i].column = 0, 0
		strip(n.fields[i].value)
	}
	for _, i := range n.items {
		strip(i)
	}
	return n
}

func drawText(t *rapid.T) string {
	return rapid.OneOf(rapid.StringN(0, 10, -1), rapid.SampledFrom([]string{"", " ", "null", "~", "true", "yes", "0x10", "010", "1e3", "1_000", "0 3010", "- a", "a: b", "a #b", "#x", "a\nb", "a\n\n b\n", "a\n", "\na", " a\nb", "a \nb", "a\t\n", "\t", "'", "\"", "\\", "C:\\x", "%A%", "[a", "{a", "a,b", "!t", "&a", "*a", "|", ">", "---", "...", "---\na", "2001-01-01", "a:", ":a", "?", "? a", "@", "`", "\u0085", "\u2028", "\ufeff", "\ufffd", "\ufffda\n\ufffd", "🚀", "a\r\nb", "a\rb", "\x00", "\x7f", "é: ü", "<<", "=", ".5", "5.", "+1", "-1", "12:30:45", "0b1", "0o7", "a'b", "a \"b\" c"})).Filter(allowed).Draw(t, "text")
}

func drawNode(t *rapid.T, depth int) *node {
	k := rapid.IntRange(0, 5).Draw(t, "kind")
	switch {
	case k == 0:
		return &node{}
	case k == 1 && depth > 0:
		n := &node{kind: mapping, flow: rapid.Bool().Draw(t, "flow")}
		seen := map[string]bool{}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			if key := drawText(t); !seen[key] {
				seen[key] = true
				n.fields = append(n.fields, field{key: key, value: drawNode(t, depth-1)})
			}
		}
		return n
	case k == 2 && depth > 0:
		n := &node{kind: list, flow: rapid.Bool().Draw(t, "flow")}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			n.items = append(n.items, drawNode(t, depth-1))
		}
		return n
	}
	return &node{kind: scalar, text: drawText(t)}
}

func TestWriteReadsBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := &node{kind: mapping, fields: []field{{key: "a", value: drawNode(r, 4)}, {key: "b", value: drawNode(r, 4)}}}
		text := write(n)
		got, err := read(text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, strip(n), strip(got), "%s", text)
	})
}
