package sequence

import (
	"bytes"
	"fmt"
	"slices"
)

// Root is the <sequence> element as it was read. It is shared: do not change it.
func (s *Sequence) Root() *Element { return s.root }

// Wrapper is the document that held the sequence: an object.xml and the VALUE element in it whose text is the sequence, or
// another document and the element in it that the sequence is a child of. Both are nil when the sequence stood alone. They
// are shared: do not change them.
func (s *Sequence) Wrapper() (document, value *Element) { return s.wrapper, s.slot }

// FromElement makes a sequence from a tree that something else than Parse has read, a bare <sequence>. The tree belongs
// to the sequence from then on.
func FromElement(root *Element) (*Sequence, error) {
	s := &Sequence{Properties: map[string]string{}, root: root}
	if root.Name != "sequence" {
		return nil, &Error{root.Line, root.Column, "<" + root.Name + "> where <sequence> is due"}
	}
	if err := shallow(root, 1); err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// shallow holds a tree from elsewhere to the depth that Parse accepts, so that what is exported can be read again.
func shallow(e *Element, depth int) error {
	if depth > MaxDepth {
		return &Error{e.Line, e.Column, fmt.Sprintf("nested deeper than %d", MaxDepth)}
	}
	for _, c := range e.Content {
		if c.Element != nil {
			if err := shallow(c.Element, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// FromWrapper is FromElement for a sequence inside another document: value is the VALUE element of an object.xml that the
// sequence is written to, or the element of which root is a child already.
func FromWrapper(root, document, value *Element) (*Sequence, error) {
	s := &Sequence{Properties: map[string]string{}, wrapper: document, slot: value}
	if slices.ContainsFunc(value.Content, func(c Content) bool { return c.Element == root }) {
		s.around(document, root)
	} else if instance := findInstance(document); instance != nil {
		s.readInstance(instance)
		delete(s.Properties, "Sequence")
	}
	s.root = root
	if err := shallow(root, 1); err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// ExportDocument writes what Parse was given: the document around the sequence when there was one, else Export. In an
// object.xml the sequence stands in a CDATA section, as Configuration Manager writes it.
func (s *Sequence) ExportDocument() []byte {
	if s.wrapper == nil {
		return s.Export()
	}
	var inner, b bytes.Buffer
	if s.inline {
		b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n")
		writeDocument(&b, s.wrapper)
		return b.Bytes()
	}
	writeDocument(&inner, s.root)
	text := bytes.ReplaceAll(bytes.TrimSuffix(inner.Bytes(), []byte("\n")), []byte("]]>"), []byte("]]]]><![CDATA[>"))
	b.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n")
	w := treeWriter{b: &b, slot: s.slot, text: text}
	w.document(s.wrapper)
	return b.Bytes()
}

// XML is the element as a document of its own, UTF-8 without declaration.
func (e *Element) XML() []byte {
	var b bytes.Buffer
	writeDocument(&b, e)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Attr is an attribute of the node as it is written, and whether it is there.
func (n *Node) Attr(name string) (string, bool) { return n.element.Attr(name) }
