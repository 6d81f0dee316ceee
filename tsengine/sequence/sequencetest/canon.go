package sequencetest

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// canon is a reader of XML of its own, written for these tests only and sharing nothing with the package or with
// encoding/xml: it scans the characters by the grammar of XML 1.0 and prints one line per event. White space between
// elements is dropped where an element holds elements and nothing else; attributes are sorted.
type canon struct {
	t    testing.TB
	text string
	at   int
	out  strings.Builder
}

// Canonise prints a decoded document in a canonical form; two documents with the same form say the same.
func Canonise(t testing.TB, text string) string {
	t.Helper()
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n") // section 2.11
	c := &canon{t: t, text: strings.TrimLeft(text, "\uFEFF \t\n")}
	if strings.HasPrefix(c.text, "<?xml ") {
		c.until("?>")
	}
	c.content("")
	require.Equal(t, len(c.text), c.at, "read to the end")
	return c.out.String()
}

func (c *canon) until(mark string) string {
	i := strings.Index(c.text[c.at:], mark)
	require.GreaterOrEqual(c.t, i, 0, "no %q after %d", mark, c.at)
	s := c.text[c.at : c.at+i]
	c.at += i + len(mark)
	return s
}

func (c *canon) has(mark string) bool {
	if strings.HasPrefix(c.text[c.at:], mark) {
		c.at += len(mark)
		return true
	}
	return false
}

// content reads up to the end tag of name, or the end of the text.
func (c *canon) content(name string) {
	var lines []string
	var text strings.Builder
	elements, words := 0, false
	flush := func() {
		if text.Len() > 0 {
			lines = append(lines, "text "+strconv.Quote(text.String()))
			text.Reset()
		}
	}
	for c.at < len(c.text) {
		switch {
		case c.has("</"):
			require.Equal(c.t, name, strings.TrimSpace(c.until(">")))
			flush()
			c.emit(lines, elements > 0 && !words)
			return
		case c.has("<!--"):
			flush()
			lines = append(lines, "comment "+strconv.Quote(c.until("-->")))
		case c.has("<![CDATA["):
			s := c.until("]]>")
			words = words || strings.TrimSpace(s) != ""
			text.WriteString(s)
		case c.has("<?"):
			flush()
			lines = append(lines, "instruction "+strconv.Quote(c.until("?>")))
		case c.has("<"):
			flush()
			elements++
			inner := &canon{t: c.t, text: c.text, at: c.at}
			inner.element()
			c.at = inner.at
			lines = append(lines, strings.TrimSuffix(inner.out.String(), "\n"))
		default:
			i := strings.IndexByte(c.text[c.at:], '<')
			if i < 0 {
				i = len(c.text) - c.at
			}
			s := references(c.t, c.text[c.at:c.at+i])
			words = words || strings.TrimSpace(s) != ""
			text.WriteString(s)
			c.at += i
		}
	}
	require.Empty(c.t, name, "never closed")
	flush()
	c.emit(lines, true)
}

func (c *canon) emit(lines []string, dropBlank bool) {
	for _, l := range lines {
		if s, ok := strings.CutPrefix(l, "text "); ok && dropBlank {
			if v, _ := strconv.Unquote(s); strings.TrimSpace(v) == "" {
				continue
			}
		}
		c.out.WriteString(l + "\n")
	}
}

func (c *canon) element() {
	i := strings.IndexAny(c.text[c.at:], " \t\n/>")
	name := c.text[c.at : c.at+i]
	c.at += i
	var attrs []string
	for {
		c.at += len(c.text[c.at:]) - len(strings.TrimLeft(c.text[c.at:], " \t\n"))
		if c.has("/>") {
			sort.Strings(attrs)
			c.out.WriteString("<" + name + " " + strings.Join(attrs, " ") + "\nend\n")
			return
		}
		if c.has(">") {
			break
		}
		key := strings.TrimSpace(c.until("="))
		c.at += len(c.text[c.at:]) - len(strings.TrimLeft(c.text[c.at:], " \t\n"))
		quote := c.text[c.at : c.at+1]
		c.at++
		// Section 3.3.3: a literal line end or tab is a blank, one written as a number stays.
		value := references(c.t, strings.NewReplacer("\n", " ", "\t", " ").Replace(c.until(quote)))
		attrs = append(attrs, key+"="+strconv.Quote(value))
	}
	sort.Strings(attrs)
	c.out.WriteString("<" + name + " " + strings.Join(attrs, " ") + "\n")
	c.content(name)
	c.out.WriteString("end\n")
}

func references(t testing.TB, s string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "&")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, after, found := strings.Cut(rest, ";")
		require.True(t, found)
		s = after
		if word, ok := map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}[name]; ok {
			out.WriteString(word)
			continue
		}
		require.True(t, strings.HasPrefix(name, "#"), name)
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseInt(digits, base, 32)
		require.NoError(t, err)
		out.WriteString(string(rune(n)))
	}
}

// Decoded is what the bytes say, by mark, then zero bytes, then UTF-8.
func Decoded(data []byte) string {
	wide := func(low, high int, data []byte) string {
		var units []uint16
		for ; len(data) >= 2; data = data[2:] {
			units = append(units, uint16(data[high])<<8|uint16(data[low]))
		}
		return string(utf16.Decode(units))
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return wide(0, 1, data[2:])
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return wide(1, 0, data[2:])
	case len(data) > 1 && data[1] == 0:
		return wide(0, 1, data)
	case len(data) > 1 && data[0] == 0:
		return wide(1, 0, data)
	}
	return string(data)
}
