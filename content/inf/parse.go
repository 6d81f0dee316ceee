package inf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of what comes from anybody's disk.
const (
	MaxSize     = 8 << 20 // bytes of a file; the largest of graphics drivers have two million
	maxLine     = 8 << 10 // bytes of a line with those that continue it
	maxSections = 20000
)

// ErrNotDriver says that a file is no driver's INF: it has no devices, such as autorun.inf.
var ErrNotDriver = errors.New("not a driver's INF file")

// line is a key with its values; a line without = has values only.
type line struct {
	key    string
	values []string
}

// document is an INF file: its sections by lower-case name, in which sections of one name are joined, and its texts.
type document struct {
	sections map[string][]line
	texts    map[string]string
}

// text decodes a file: UTF-16 of either order and UTF-8 by their marks, else UTF-8 when it is valid, else Latin-1, which is
// what is left of Windows' code pages where ids and versions are.
func text(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return units(data[2:], func(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 })
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return units(data[2:], func(b []byte) uint16 { return uint16(b[1]) | uint16(b[0])<<8 })
	}
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(data) {
		return string(data)
	}
	runes := make([]rune, len(data))
	for i, b := range data {
		runes[i] = rune(b)
	}
	return string(runes)
}

func units(data []byte, unit func([]byte) uint16) string {
	list := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		list = append(list, unit(data[i:]))
	}
	return string(utf16.Decode(list))
}

func read(data []byte) (*document, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("larger than %d MB: no INF file is", MaxSize>>20)
	}
	d := &document{sections: map[string][]line{}, texts: map[string]string{}}
	section, rest := "", ""
	for raw := range strings.Lines(text(data)) {
		s := strings.TrimSpace(uncomment(raw))
		if joined, ok := strings.CutSuffix(s, `\`); ok && len(rest)+len(s) < maxLine && !strings.HasPrefix(s, "[") {
			rest += joined
			continue
		}
		s, rest = strings.TrimSpace(rest+s), ""
		if len(s) > maxLine {
			return nil, fmt.Errorf("a line has more than %d bytes", maxLine)
		}
		if name, ok := strings.CutPrefix(s, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			if section = strings.ToLower(strings.TrimSpace(name)); d.sections[section] == nil {
				d.sections[section] = []line{}
			}
			if len(d.sections) > maxSections {
				return nil, fmt.Errorf("more than %d sections", maxSections)
			}
			continue
		}
		if s != "" && section != "" {
			d.sections[section] = append(d.sections[section], split(s))
		}
	}
	// The first section of texts is for all languages.
	for _, l := range d.sections["strings"] {
		if len(l.values) > 0 {
			d.texts[strings.ToLower(l.key)] = l.values[0]
		}
	}
	return d, nil
}

// uncomment drops what follows a semicolon outside of quotes.
func uncomment(s string) string {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i]
		}
	}
	return s
}

// split reads key = value, value; quotes keep commas and equal signs, and two of them are one.
func split(s string) line {
	var l line
	var b strings.Builder
	quoted, keyed := false, false
	put := func() {
		l.values = append(l.values, strings.TrimSpace(b.String()))
		b.Reset()
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == '=' && !quoted && !keyed:
			l.key, keyed = strings.TrimSpace(b.String()), true
			b.Reset()
		case c == ',' && !quoted:
			put()
		default:
			b.WriteByte(c)
		}
	}
	put()
	return l
}

// expand puts texts in: %name% is one of them, %% a percent sign.
func (d *document) expand(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "%")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "%")
		switch value, known := d.texts[strings.ToLower(name)]; {
		case !ok:
			return b.String() + "%" + rest
		case name == "":
			b.WriteByte('%')
		case known:
			b.WriteString(value)
		default:
			b.WriteString("%" + name + "%")
		}
		s = after
	}
}

// value is the first value of a key.
func (d *document) value(section, key string) string {
	for _, l := range d.sections[section] {
		if strings.EqualFold(l.key, key) && len(l.values) > 0 {
			return d.expand(l.values[0])
		}
	}
	return ""
}
