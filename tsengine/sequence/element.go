package sequence

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits on what is read. They stand far above real files (the largest has 176 KB, six levels and 6,000 elements) and
// far below what would hurt the reader.
const (
	MaxSize     = 16 << 20  // bytes of input
	MaxDepth    = 512       // nested elements
	MaxElements = 400_000   // elements and attributes together
	MaxAttr     = 256 << 10 // bytes of one attribute value or name; the longest real one has 255 characters
	MaxAttrs    = 1000      // attributes of one element, each of which is compared with those before it; real ones have ten
)

// Error is a refusal of an input, with the place in the decoded text. Line and Column count from 1; they are 0 when the
// refusal concerns the whole input.
type Error struct {
	Line, Column int
	Reason       string
}

// Error names the place and the reason.
func (e *Error) Error() string {
	if e.Line == 0 {
		return "task sequence XML: " + e.Reason
	}
	return fmt.Sprintf("task sequence XML, line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// Element is one element of the lossless tree. Content holds text and child elements in document order.
type Element struct {
	Name          string // with its prefix, as written
	Attrs         []Attr
	Content       []Content
	Before, After []Content // comments and instructions outside the root element; empty on all others
	Line, Column  int
}

// Attr is one attribute, in the order written.
type Attr struct{ Name, Value string }

// Content is a piece of an element: a child element, or text, or a comment, or a processing instruction whose Text is
// what stands between its marks.
type Content struct {
	Element     *Element
	Text        string
	Comment     bool
	Instruction bool
}

// Words says whether the piece is text of the element's value.
func (c Content) Words() bool { return c.Element == nil && !c.Comment && !c.Instruction }

// Attr returns the value of an attribute and whether it is there.
func (e *Element) Attr(name string) (string, bool) {
	for _, a := range e.Attrs {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// TextPlace is the index in Content of the first text that is more than blanks, len(Content) where there is none.
func (e *Element) TextPlace() int {
	for i, c := range e.Content {
		if c.Words() && strings.TrimSpace(c.Text) != "" {
			return i
		}
	}
	return len(e.Content)
}

// Text returns all text directly inside the element.
func (e *Element) Text() string {
	if len(e.Content) == 1 && e.Content[0].Words() {
		return e.Content[0].Text
	}
	var b strings.Builder
	for _, c := range e.Content {
		if c.Words() {
			b.WriteString(c.Text)
		}
	}
	return b.String()
}

// Elements returns the child elements in document order.
func (e *Element) Elements() []*Element {
	var out []*Element
	for _, c := range e.Content {
		if c.Element != nil {
			out = append(out, c.Element)
		}
	}
	return out
}

// ParseElement reads one well-formed document into a tree, within the limits. It is the reader for the XML documents
// that occur inside values (Set Dynamic Variables rules) as well.
func ParseElement(data []byte) (*Element, error) {
	if len(data) > MaxSize {
		line, column := position(data, MaxSize)
		return nil, &Error{line, column, fmt.Sprintf("%d bytes are more than the %d that are read", len(data), MaxSize)}
	}
	text, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	p := &treeParser{text: text, decoder: newDecoder(text)}
	return p.run()
}

func newDecoder(text []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = true
	return d
}

type treeParser struct {
	text    []byte
	decoder *xml.Decoder
	stack   []*Element
	root    *Element
	before  []Content // what stands outside the root
	after   []Content
	pending []byte // text since the last tag
	count   int
}

func (p *treeParser) run() (*Element, error) {
	for {
		start := p.decoder.InputOffset()
		token, err := p.decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, p.fail(int(p.decoder.InputOffset()), syntaxReason(err))
		}
		if err := p.token(token, int(start)); err != nil {
			return nil, err
		}
	}
	switch {
	case len(p.stack) > 0:
		top := p.stack[len(p.stack)-1]
		return nil, &Error{top.Line, top.Column, fmt.Sprintf("<%s> is never closed; the file is cut short", top.Name)}
	case p.root == nil:
		return nil, &Error{1, 1, "no XML element found"}
	}
	p.root.Before, p.root.After = p.before, p.after
	return p.root, nil
}

func (p *treeParser) token(token xml.Token, start int) error {
	if _, text := token.(xml.CharData); !text {
		p.flush()
	}
	switch t := token.(type) {
	case xml.StartElement:
		return p.open(t, start)
	case xml.EndElement:
		name := rawName(t.Name)
		if len(p.stack) == 0 {
			return p.fail(start, fmt.Sprintf("</%s> closes nothing", name))
		}
		if top := p.stack[len(p.stack)-1]; top.Name != name {
			return p.fail(start, fmt.Sprintf("</%s> where </%s> of line %d is due", name, top.Name, top.Line))
		}
		p.stack = p.stack[:len(p.stack)-1]
	case xml.CharData:
		return p.addText(t, start)
	case xml.Comment:
		return p.aside(Content{Text: string(t), Comment: true}, start)
	case xml.Directive:
		return p.fail(start, "a DTD or entity declaration is not accepted")
	case xml.ProcInst:
		if strings.EqualFold(t.Target, "xml") {
			return p.fail(start, "an XML declaration may stand at the beginning only")
		}
		end := bytes.TrimSuffix(p.text[start:p.decoder.InputOffset()], []byte("?>"))
		text := strings.ReplaceAll(strings.ReplaceAll(string(end[2:]), "\r\n", "\n"), "\r", "\n")
		return p.aside(Content{Text: text, Instruction: true}, start)
	}
	return nil
}

// aside keeps a comment or an instruction, for the export.
func (p *treeParser) aside(c Content, start int) error {
	if p.count++; p.count > MaxElements {
		return p.fail(start, fmt.Sprintf("more than %d elements and comments", MaxElements))
	}
	switch {
	case len(p.stack) > 0:
		top := p.stack[len(p.stack)-1]
		top.Content = append(top.Content, c)
	case p.root == nil:
		p.before = append(p.before, c)
	default:
		p.after = append(p.after, c)
	}
	return nil
}

func (p *treeParser) open(t xml.StartElement, start int) error {
	end := int(p.decoder.InputOffset())
	t, err := normaliseAttributes(t, p.text[start:end])
	if err != nil {
		return p.fail(start, syntaxReason(err))
	}
	if p.count += 1 + len(t.Attr); p.count > MaxElements {
		return p.fail(start, fmt.Sprintf("more than %d elements and attributes", MaxElements))
	}
	if len(t.Attr) > MaxAttrs {
		return p.fail(start, fmt.Sprintf("<%s> has more than %d attributes", rawName(t.Name), MaxAttrs))
	}
	if len(p.stack) >= MaxDepth {
		return p.fail(start, fmt.Sprintf("elements are nested deeper than %d", MaxDepth))
	}
	e := &Element{Name: rawName(t.Name)}
	if len(e.Name) > MaxAttr {
		return p.fail(start, fmt.Sprintf("the name of an element is longer than %d bytes", MaxAttr))
	}
	e.Line, e.Column = p.place(start)
	for _, a := range t.Attr {
		name := rawName(a.Name)
		if len(name) > MaxAttr || len(a.Value) > MaxAttr {
			return p.fail(start, fmt.Sprintf("an attribute of <%s> is longer than %d bytes", e.Name, MaxAttr))
		}
		if _, twice := e.Attr(name); twice {
			return p.fail(start, fmt.Sprintf("attribute %s occurs twice in <%s>", name, e.Name))
		}
		e.Attrs = append(e.Attrs, Attr{name, a.Value})
	}
	switch {
	case len(p.stack) > 0:
		top := p.stack[len(p.stack)-1]
		top.Content = append(top.Content, Content{Element: e})
	case p.root != nil:
		return p.fail(start, fmt.Sprintf("second root element <%s>", e.Name))
	default:
		p.root = e
	}
	p.stack = append(p.stack, e)
	return nil
}

// addText gathers text; CDATA and text side by side are one text.
func (p *treeParser) addText(text []byte, start int) error {
	if len(p.stack) == 0 {
		if len(bytes.Trim(text, " \t\r\n\uFEFF")) != 0 {
			return p.fail(start, "text outside the root element")
		}
		return nil
	}
	p.pending = append(p.pending, text...)
	return nil
}

// flush ends a run of text before a tag or a comment.
func (p *treeParser) flush() {
	if len(p.pending) == 0 {
		return
	}
	top := p.stack[len(p.stack)-1]
	top.Content = append(top.Content, Content{Text: string(p.pending)})
	p.pending = p.pending[:0]
}

// place is position for the tag just read, without scanning the text: the decoder keeps count. The column is in bytes.
func (p *treeParser) place(start int) (line, column int) {
	line, column = p.decoder.InputPos()
	tag := p.text[start:p.decoder.InputOffset()]
	breaks := bytes.Count(tag, []byte{'\n'})
	if breaks == 0 {
		return line, column - len(tag)
	}
	return line - breaks, start - bytes.LastIndexByte(p.text[:start], '\n')
}

func (p *treeParser) fail(offset int, reason string) error {
	line, column := position(p.text, offset)
	return &Error{line, column, reason}
}

// normaliseAttributes applies XML 1.0 section 3.3.3: a line break or tab written literally in an attribute is a blank,
// one written as a character reference is kept. The decoder cannot tell them apart afterwards, so a tag that has
// literal ones is read once more with blanks in their place.
func normaliseAttributes(t xml.StartElement, raw []byte) (xml.StartElement, error) {
	if len(t.Attr) == 0 || !bytes.ContainsAny(raw, "\t\r\n") {
		return t.Copy(), nil
	}
	flat := bytes.ReplaceAll(raw, []byte("\r\n"), []byte(" "))
	flat = bytes.Map(func(r rune) rune {
		if r == '\t' || r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, flat)
	token, err := newDecoder(flat).RawToken()
	if err != nil {
		return t, err
	}
	if again, ok := token.(xml.StartElement); ok {
		return again.Copy(), nil
	}
	return t.Copy(), nil
}

func rawName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

func syntaxReason(err error) string {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		if strings.Contains(syntax.Msg, "invalid character entity") {
			return syntax.Msg + "; only the five predefined entities and character numbers are accepted"
		}
		return syntax.Msg
	}
	return err.Error()
}
