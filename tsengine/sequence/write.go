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
	writeDocument(&b, s.root)
	return b.Bytes()
}

// WriteTo writes the same bytes as Export.
func (s *Sequence) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.Export())
	return int64(n), err
}

func writeDocument(b *bytes.Buffer, root *Element) { (&treeWriter{b: b}).document(root) }

// treeWriter writes a tree; instead of the words in slot it writes text in a CDATA section.
type treeWriter struct {
	b    *bytes.Buffer
	slot *Element
	text []byte
}

func (w *treeWriter) document(root *Element) {
	for _, c := range root.Before {
		w.aside(c)
		w.b.WriteByte('\n')
	}
	w.element(root)
	w.b.WriteByte('\n')
	for _, c := range root.After {
		w.aside(c)
		w.b.WriteByte('\n')
	}
}

func (w *treeWriter) aside(c Content) {
	if c.Comment {
		w.b.WriteString("<!--" + c.Text + "-->")
		return
	}
	w.b.WriteString("<?" + c.Text + "?>")
}

func (w *treeWriter) element(e *Element) {
	b := w.b
	b.WriteByte('<')
	b.WriteString(e.Name)
	for _, a := range e.Attrs {
		b.WriteByte(' ')
		b.WriteString(a.Name)
		b.WriteString(`="`)
		attrEscaper.WriteString(b, a.Value)
		b.WriteByte('"')
	}
	if len(e.Content) == 0 && e != w.slot {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	if e == w.slot {
		w.filled(e)
	} else {
		w.content(e)
	}
	b.WriteString("</")
	b.WriteString(e.Name)
	b.WriteByte('>')
}

func (w *treeWriter) content(e *Element) {
	for _, c := range e.Content {
		w.piece(c)
	}
}

func (w *treeWriter) piece(c Content) {
	switch {
	case c.Element != nil:
		w.element(c.Element)
	case c.Words():
		textEscaper.WriteString(w.b, c.Text)
	default:
		w.aside(c)
	}
}

// filled writes the content of slot: the text stands where its first words stood, and what is no words stays around it.
func (w *treeWriter) filled(e *Element) {
	place := e.TextPlace()
	for i, c := range e.Content {
		if i == place {
			w.cdata()
		}
		if !c.Words() {
			w.piece(c)
		}
	}
	if place == len(e.Content) {
		w.cdata()
	}
}

func (w *treeWriter) cdata() {
	w.b.WriteString("<![CDATA[")
	w.b.Write(w.text)
	w.b.WriteString("]]>")
}

// A carriage return survives only as a character reference, and so do line breaks and tabs in attributes.
var (
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attrEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#xD;", "\n", "&#xA;", "\t", "&#x9;")
)
