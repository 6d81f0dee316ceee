package sequence

import (
	"bytes"
	"io"
	"strings"
)

// Export writes the bare <sequence> as UTF-8 without BOM. The result is equivalent to what was imported: every element,
// attribute, value, comment and unknown extension, in the same order. The XML declaration is written when the schema
// version is MDT's (3.0x), which has it.
func (s *Sequence) Export() []byte {
	var b bytes.Buffer
	b.Grow(s.size + 64) // about what it had; growing step by step takes several times as much memory
	if strings.HasPrefix(s.Version, "3.0") {
		b.WriteString("<?xml version=\"1.0\"?>\n")
	}
	writeElement(&b, s.root)
	b.WriteByte('\n')
	return b.Bytes()
}

// WriteTo writes the same bytes as Export.
func (s *Sequence) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.Export())
	return int64(n), err
}

func writeElement(b *bytes.Buffer, e *Element) {
	b.WriteByte('<')
	b.WriteString(e.Name)
	for _, a := range e.Attrs {
		b.WriteByte(' ')
		b.WriteString(a.Name)
		b.WriteString(`="`)
		attrEscaper.WriteString(b, a.Value)
		b.WriteByte('"')
	}
	if len(e.Content) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, c := range e.Content {
		switch {
		case c.Element != nil:
			writeElement(b, c.Element)
		case c.Comment:
			b.WriteString("<!--")
			b.WriteString(c.Text)
			b.WriteString("-->")
		default:
			textEscaper.WriteString(b, c.Text)
		}
	}
	b.WriteString("</")
	b.WriteString(e.Name)
	b.WriteByte('>')
}

// A carriage return survives only as a character reference, and so do line breaks and tabs in attributes.
var (
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;", "\n", "&#xA;", "\t", "&#x9;")
)
