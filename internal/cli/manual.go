package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Manual writes the manual page of every command as Markdown, docs/cli.md.
func Manual(w io.Writer) error {
	root := newRoot(&environment{err: io.Discard, out: io.Discard, getenv: func(string) string { return "" }})
	m := &manual{w: w}
	m.printf("# bootyard: command line\n\nWritten by `go test ./internal/cli -run TestManual -update` from the commands themselves; do not edit.\n\n")
	m.printf("%s\n\n%s.\n\nEvery command takes the first flags below.\n\n", root.Long, exitCodes)
	m.flags(root.PersistentFlags().FlagUsages())
	m.printf("Examples:\n\n%s\n\n## Commands\n\n", indented(root.Example))
	m.each(root, func(c *cobra.Command) {
		m.printf("- [`%s`](#%s): %s\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	})
	m.printf("\n")
	m.each(root, m.page)
	return m.err
}

type manual struct {
	w   io.Writer
	err error
}

func (m *manual) printf(format string, args ...any) {
	if m.err == nil {
		_, m.err = fmt.Fprintf(m.w, format, args...)
	}
}

// each visits the commands that do something, in the order of their names.
func (m *manual) each(c *cobra.Command, visit func(*cobra.Command)) {
	for _, child := range c.Commands() {
		switch {
		case child.Name() == "help" || child.Name() == "completion" || child.Hidden:
		case child.HasSubCommands():
			m.each(child, visit)
		default:
			visit(child)
		}
	}
}

func (m *manual) page(c *cobra.Command) {
	m.printf("## %s\n\n%s.\n\n%s\n\n", c.CommandPath(), c.Short, indented(strings.TrimSuffix(c.UseLine(), " [flags]")))
	if c.Long != "" {
		m.printf("%s\n\n", c.Long)
	}
	m.flags(c.NonInheritedFlags().FlagUsages())
	if c.Example != "" {
		m.printf("Examples:\n\n%s\n\n", indented(c.Example))
	}
}

// flags prints what cobra's help says of flags, without --help itself.
func (m *manual) flags(usages string) {
	var kept []string
	for line := range strings.Lines(usages) {
		if !strings.Contains(line, "--help ") && !strings.Contains(line, "--version ") {
			kept = append(kept, strings.TrimRight(line, "\n"))
		}
	}
	if len(kept) > 0 {
		m.printf("Flags:\n\n%s\n\n", indented(strings.Join(kept, "\n")))
	}
}

// indented makes a code block of text.
func indented(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = "    " + strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}
