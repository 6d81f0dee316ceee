package yamlform

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// rawElement reads an element that is written as XML text in the YAML.
func rawElement(n *node, name string) (*sequence.Element, error) {
	x := n.field("xml")
	if x == nil || x.kind != scalar || len(n.fields) != 1 {
		return nil, n.fail("xml: has the text of one element, and nothing beside it")
	}
	e, err := sequence.ParseElement([]byte(x.text))
	var place *sequence.Error
	if errors.As(err, &place) {
		return nil, &Error{x.line + place.Line, place.Column, "in this XML: " + place.Reason}
	}
	if err != nil {
		return nil, err
	}
	if name != "" && e.Name != name {
		return nil, x.fail("<%s> where <%s> is due", e.Name, name)
	}
	shift(e, x.line)
	return e, nil
}

func shift(e *sequence.Element, lines int) {
	e.Line += lines
	for _, c := range e.Content {
		if c.Element != nil {
			shift(c.Element, lines)
		}
	}
}

func rawInto(into *sequence.Element, n *node) error {
	e, err := rawElement(n, "")
	if err != nil {
		return err
	}
	into.Content = append(into.Content, e.Before...)
	into.Content = append(into.Content, sequence.Content{Element: e})
	into.Content = append(into.Content, e.After...)
	e.Before, e.After = nil, nil
	return nil
}

// here marks the place of the sequence in the object around it.
const here = "bootyard-sequence"

func wrapperText(document, value, root *sequence.Element) string {
	return string(marked(document, value, root).XML())
}

// marked copies the object with the mark in the sequence's place: root itself where it is an element of the document, else
// the words of value.
func marked(e, value, root *sequence.Element) *sequence.Element {
	out, mark := *e, sequence.Content{Text: here, Instruction: true}
	inline := func(c sequence.Content) bool { return c.Element == root }
	if e == value && !slices.ContainsFunc(e.Content, inline) {
		place := e.TextPlace()
		out.Content = slices.Clone(e.Content)
		if place == len(e.Content) {
			out.Content = append(out.Content, mark)
		} else {
			out.Content[place] = mark
		}
		out.Content = slices.DeleteFunc(out.Content, sequence.Content.Words)
		return &out
	}
	out.Content = slices.Clone(e.Content)
	for i, c := range out.Content {
		switch {
		case inline(c):
			out.Content[i] = mark
		case c.Element != nil:
			out.Content[i].Element = marked(c.Element, value, root)
		}
	}
	return &out
}

// wrapperTree reads the object; root is put where it stands as an element, everywhere but in the VALUE of an object.xml.
func wrapperTree(n *node, root *sequence.Element) (document, value *sequence.Element, err error) {
	holder := &node{kind: mapping, line: n.line, column: n.column}
	holder.add("xml", n)
	if document, err = rawElement(holder, ""); err != nil {
		return nil, nil, err
	}
	if value = holderOf(document); value == nil {
		return nil, nil, n.fail("the object has no <?%s?> at the place of the sequence", here)
	}
	place := sequence.Content{Element: root}
	if value.Name == "VALUE" {
		place = sequence.Content{Text: here} // words, which the sequence's own take the place of
	}
	for i, c := range value.Content {
		if c.Instruction && c.Text == here {
			value.Content[i] = place
		}
	}
	return document, value, nil
}

func holderOf(e *sequence.Element) *sequence.Element {
	for _, c := range e.Content {
		if c.Instruction && c.Text == here {
			return e
		}
		if c.Element != nil {
			if found := holderOf(c.Element); found != nil {
				return found
			}
		}
	}
	return nil
}

// exact reads a whole document back and compares its frame; the nodes were compared when they were written.
func (f *form) exact(n *node, root *sequence.Element) bool {
	g := &form{stated: map[string]bool{}}
	back, _, err := g.root(n)
	return err == nil && equal(root, back)
}

// equal compares two elements as XML does: attributes in any order, no blank text between elements.
func equal(a, b *sequence.Element) bool {
	if a.Name != b.Name || len(a.Attrs) != len(b.Attrs) {
		return false
	}
	for _, x := range a.Attrs {
		if v, ok := b.Attr(x.Name); !ok || v != x.Value {
			return false
		}
	}
	left, right := content(a), content(b)
	if len(left) != len(right) || !sameAsides(a.Before, b.Before) || !sameAsides(a.After, b.After) {
		return false
	}
	for i, c := range left {
		d := right[i]
		if (c.Element == nil) != (d.Element == nil) || c.Comment != d.Comment || c.Instruction != d.Instruction || c.Text != d.Text {
			return false
		}
		if c.Element != nil && !equal(c.Element, d.Element) {
			return false
		}
	}
	return true
}

func sameAsides(a, b []sequence.Content) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Text != b[i].Text || a[i].Comment != b[i].Comment {
			return false
		}
	}
	return true
}

func content(e *sequence.Element) []sequence.Content {
	elements, out := false, []sequence.Content{}
	for _, c := range e.Content {
		elements = elements || c.Element != nil
		if c.Words() && strings.Trim(c.Text, " \t\r\n") != "" {
			return e.Content
		}
		if !c.Words() {
			out = append(out, c)
		}
	}
	if _, special := e.Attr("xml:space"); special || !elements {
		return e.Content
	}
	return out
}

// xmlName is a name that may stand in XML.
func xmlName(s string) bool {
	if s == "" || bytes.ContainsAny([]byte(s), " \t\r\n<>&'\"=/?!") {
		return false
	}
	for i, r := range s {
		if r != '_' && r != ':' && !unicode.IsLetter(r) && (i == 0 || r != '-' && r != '.' && !unicode.IsDigit(r)) {
			return false
		}
	}
	return true
}
