package yamlform

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// write prints a node as a document, in a form that [read] and every other YAML reader take back unchanged.
func write(root *node) []byte {
	var b bytes.Buffer
	writeBlock(&b, root, 0)
	return b.Bytes()
}

// writeBlock prints a mapping or list whose first line is already indented.
func writeBlock(b *bytes.Buffer, n *node, indent int) {
	pad := strings.Repeat(" ", indent)
	switch {
	case n.kind == mapping && len(n.fields) > 0 && !n.flow:
		for i, f := range n.fields {
			if i > 0 {
				b.WriteString(pad)
			}
			b.WriteString(quoted(f.key, true) + ":")
			writeValue(b, f.value, indent, f.value.kind == list)
		}
	case n.kind == list && len(n.items) > 0 && !n.flow:
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(pad)
			}
			b.WriteString("-")
			if item.kind == mapping && len(item.fields) > 0 && !item.flow {
				b.WriteString(" ")
				writeBlock(b, item, indent+2)
				continue
			}
			writeValue(b, item, indent, false)
		}
	default:
		b.WriteString(inline(n, false) + "\n")
	}
}

// writeValue prints what stands behind a colon or a dash. Lists below a key keep the key's indentation plus two.
func writeValue(b *bytes.Buffer, n *node, indent int, _ bool) {
	inner := strings.Repeat(" ", indent+2)
	switch {
	case n.kind == mapping && len(n.fields) > 0 && !n.flow, n.kind == list && len(n.items) > 0 && !n.flow:
		b.WriteString("\n" + inner)
		writeBlock(b, n, indent+2)
	case n.kind == scalar && literal(n.text):
		b.WriteString(" |" + chomp(n.text) + "\n")
		for _, line := range strings.Split(strings.TrimSuffix(n.text, "\n"), "\n") {
			if line != "" {
				b.WriteString(inner + line)
			}
			b.WriteByte('\n')
		}
	default:
		b.WriteString(" " + inline(n, false) + "\n")
	}
}

// chomp is the mark that keeps exactly the line ends at the end of a literal.
func chomp(text string) string {
	switch {
	case strings.HasSuffix(text, "\n\n"):
		return "+"
	case strings.HasSuffix(text, "\n"):
		return ""
	}
	return "-"
}

// literal says whether a text of several lines can stand as it is: only printable characters, no blanks at the ends of
// lines, where they would not be seen, and no blank at the very beginning, which would be taken for indentation.
func literal(text string) bool {
	if !strings.Contains(text, "\n") || text[0] == ' ' || text[0] == '\n' || text[0] == '\t' || strings.Trim(text, "\n") == "" {
		return false
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasSuffix(line, " ") || strings.HasSuffix(line, "\t") {
			return false
		}
		for _, r := range line {
			if r != '\t' && !printable(r) {
				return false
			}
		}
	}
	return !strings.HasSuffix(text, "\n\n")
}

func printable(r rune) bool {
	return r != '\uFEFF' && r != '\u0085' && r != '\u2028' && r != '\u2029' && r != unicode.ReplacementChar && unicode.IsPrint(r)
}

// inline prints a value on one line.
func inline(n *node, flow bool) string {
	switch n.kind {
	case null:
		return "null"
	case scalar:
		return quoted(n.text, flow)
	case mapping:
		var parts []string
		for _, f := range n.fields {
			parts = append(parts, quoted(f.key, true)+": "+inline(f.value, true))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		var parts []string
		for _, item := range n.items {
			parts = append(parts, inline(item, true))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
}

// quoted prints a text plain where nobody could misread it, else in quotes: single ones show it as it is, double ones
// what cannot be printed. Inside brackets (flow) and as a key more characters have a meaning.
func quoted(s string, flow bool) string {
	if plain(s, flow) {
		return s
	}
	for _, r := range s {
		if !printable(r) {
			return escaped(s)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func plain(s string, flow bool) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "~", "=", "<<", ".nan", ".inf", "---", "...":
		return false
	}
	if flow && strings.ContainsAny(s, ",[]{}:") {
		return false
	}
	first := rune(s[0])
	switch {
	case first >= '0' && first <= '9' || first == '+' || first == '.' || first == '-':
		return simpleNumber(s)
	case strings.ContainsRune("\\/(_", first) || unicode.IsLetter([]rune(s)[0]):
	default:
		return false
	}
	for _, r := range s {
		if !printable(r) {
			return false
		}
	}
	return true
}

// simpleNumber is a number that every reader writes the same, or several with blanks between (success codes).
func simpleNumber(s string) bool {
	for part := range strings.SplitSeq(s, " ") {
		if part == "" || len(part) > 15 || len(part) > 1 && part[0] == '0' {
			return false
		}
		for _, r := range part {
			if r < '0' || r > '9' {
				return false
			}
		}
	}
	return true
}

func escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case printable(r):
			b.WriteRune(r)
		case r <= 0xFF:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
