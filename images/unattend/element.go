package unattend

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of what is read; an answer file has a few hundred elements.
const (
	maxFile  = 4 << 20
	maxDepth = 64
)

// element is a node of the file. Names keep their prefix as written.
type element struct {
	name     string
	attrs    []xml.Attr
	children []any // *element, xml.CharData, xml.Comment, xml.ProcInst
}

func read(data []byte) (prolog []any, root *element, err error) {
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("the answer file has more than %d bytes", maxFile)
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	var open []*element
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the answer file: %w", err)
		}
		var child any
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: full(t.Name), attrs: t.Copy().Attr}
			if len(open) >= maxDepth {
				return nil, nil, errors.New("read the answer file: its elements are nested too deeply")
			}
			switch {
			case len(open) > 0:
				top := open[len(open)-1]
				top.children = append(top.children, e)
			case root != nil:
				return nil, nil, errors.New("read the answer file: it has two root elements")
			default:
				root = e
			}
			open = append(open, e)
			continue
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1].name != full(t.Name) {
				return nil, nil, fmt.Errorf("read the answer file: unexpected end of %s", full(t.Name))
			}
			open = open[:len(open)-1]
			continue
		case xml.Directive:
			return nil, nil, errors.New("read the answer file: it has a document type, which answer files do not need")
		case xml.CharData:
			child = t.Copy()
		case xml.Comment:
			child = t.Copy()
		case xml.ProcInst:
			child = t.Copy()
		}
		if len(open) > 0 {
			top := open[len(open)-1]
			top.children = append(top.children, child)
		} else if root == nil {
			prolog = append(prolog, child)
		}
	}
	if root == nil || len(open) > 0 {
		return nil, nil, errors.New("read the answer file: it ends too early")
	}
	return prolog, root, nil
}

func full(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func write(prolog []any, root *element) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?>` + "\r\n")
	for _, p := range prolog {
		if c, ok := p.(xml.Comment); ok {
			fmt.Fprintf(&b, "<!--%s-->\r\n", c)
		}
	}
	root.write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

func (e *element) write(b *bytes.Buffer) {
	b.WriteByte('<')
	b.WriteString(e.name)
	for _, a := range e.attrs {
		fmt.Fprintf(b, ` %s="`, full(a.Name))
		escape(b, a.Value, true)
		b.WriteByte('"')
	}
	if len(e.children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, c := range e.children {
		switch c := c.(type) {
		case *element:
			c.write(b)
		case xml.CharData:
			escape(b, string(c), false)
		case xml.Comment:
			fmt.Fprintf(b, "<!--%s-->", c)
		case xml.ProcInst:
			fmt.Fprintf(b, "<?%s %s?>", c.Target, c.Inst)
		}
	}
	fmt.Fprintf(b, "</%s>", e.name)
}

func escape(b *bytes.Buffer, s string, attribute bool) {
	r := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	if attribute {
		r = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\r", "&#13;", "\t", "&#9;")
	}
	_, _ = r.WriteString(b, s) // a bytes.Buffer takes everything
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if full(a.Name) == name {
			return a.Value
		}
	}
	return ""
}

// child is the first child of that name, nil when there is none.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c, ok := c.(*element); ok && c.name == name {
			return c
		}
	}
	return nil
}

// add appends a child; attrs are name and value in turn.
func (e *element) add(name string, attrs ...string) *element {
	c := &element{name: name}
	for i := 0; i+1 < len(attrs); i += 2 {
		c.attrs = append(c.attrs, xml.Attr{Name: xml.Name{Local: attrs[i]}, Value: attrs[i+1]})
	}
	e.children = append(e.children, c)
	return c
}

// at is the child of that name, made when it is missing.
func (e *element) at(name string) *element {
	if c := e.child(name); c != nil {
		return c
	}
	return e.add(name)
}

// set gives the child a text in place of all it had. An empty text leaves it alone.
func (e *element) set(name, text string) {
	if text == "" {
		return
	}
	e.at(name).children = []any{xml.CharData(text)}
}

// remove deletes all children of that name.
func (e *element) remove(name string) {
	kept := e.children[:0]
	for _, c := range e.children {
		if c, ok := c.(*element); ok && c.name == name {
			continue
		}
		kept = append(kept, c)
	}
	e.children = kept
}

// text is all character data directly in e.
func (e *element) text() string {
	var b strings.Builder
	for _, c := range e.children {
		if c, ok := c.(xml.CharData); ok {
			b.Write(c)
		}
	}
	return b.String()
}

func chars(s string) xml.CharData { return xml.CharData(s) }
