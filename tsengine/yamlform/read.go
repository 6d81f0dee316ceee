package yamlform

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on what is read, far above what people write and what the largest real sequence becomes.
const (
	MaxSize  = 8 << 20
	maxDepth = 1200 // nested values; a group takes two
	maxNodes = 800_000
)

// Error is a refusal, with the place in the file. Line and Column count from 1.
type Error struct {
	Line, Column int
	Reason       string
}

// Error names the place and the reason.
func (e *Error) Error() string {
	return fmt.Sprintf("task sequence YAML, line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// kind is the shape of a value.
type kind int

const (
	null kind = iota
	scalar
	mapping
	list
)

// node is a value of a YAML document. Scalars are text as it is written, whatever YAML would take them for: 010 and
// "yes" are what they say.
type node struct {
	kind         kind
	text         string
	fields       []field
	items        []*node
	flow         bool // on one line, when written
	line, column int
}

type field struct {
	key          string
	value        *node
	line, column int
}

func (n *node) fail(format string, args ...any) error {
	return &Error{n.line, n.column, fmt.Sprintf(format, args...)}
}

// field finds a value of a mapping.
func (n *node) field(key string) *node {
	for _, f := range n.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// read parses one document. The library behind it is kept from what it does badly: size, nesting and number of tokens
// are checked before it builds anything, anchors, aliases, tags and directives never reach it, and a panic inside it
// is a refusal of the file.
func read(data []byte) (root *node, err error) {
	if len(data) > MaxSize {
		return nil, &Error{1 + bytes.Count(data[:MaxSize], []byte{'\n'}), 1, fmt.Sprintf("%d bytes are more than the %d that are read", len(data), MaxSize)}
	}
	if i := invalid(data); i >= 0 {
		return nil, &Error{1 + bytes.Count(data[:i], []byte{'\n'}), 1, "not valid UTF-8 text; save the file as UTF-8"}
	}
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, &Error{1, 1, "this YAML cannot be read; quote its values and indent it evenly"}
		}
	}()
	text := strings.ReplaceAll(string(bytes.TrimPrefix(data, []byte("\uFEFF"))), "\r\n", "\n")
	if err := shallow(text); err != nil {
		return nil, err
	}
	tokens := lexer.Tokenize(text)
	if err := check(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // it compares each key with all before it; see fields
	if err != nil {
		return nil, syntax(err)
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) != 1 {
		return nil, &Error{1, 1, fmt.Sprintf("%d YAML documents where one sequence is due", len(docs))}
	}
	r := &reader{}
	return r.node(docs[0], 0)
}

// invalid finds what is no text: broken UTF-8 and control characters.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return i
		}
		i += size
	}
	return -1
}

// shallow bounds the nesting that a text can have before anything recursive reads it, by indentation and by dashes on
// one line; check does it for brackets.
func shallow(text string) error {
	line := 0
	for l := range strings.Lines(text) {
		line++
		indent := len(l) - len(strings.TrimLeft(l, " "))
		rest, dashes := l[indent:], 0
		for strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "? ") {
			rest = strings.TrimLeft(rest[2:], " ")
			dashes++
		}
		if dashes > maxDepth {
			return &Error{line, 1, fmt.Sprintf("nested deeper than %d", maxDepth)}
		}
	}
	return nil
}

// check looks at the tokens before the library builds values of them. Its work grows with the square of the keys of one
// mapping and of the values left out, so both are bounded.
func check(tokens token.Tokens) error {
	c := checker{}
	for i, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		if reason := c.next(t); reason != "" || i > 4*maxNodes {
			return &Error{t.Position.Line, t.Position.Column, cmp.Or(reason, "too many values")}
		}
		c.before, c.last = c.last, t
	}
	return nil
}

const (
	maxKeys    = 2000 // of one mapping; a step has some hundred variables at most
	maxMissing = 2000 // keys and dashes with nothing behind them
)

type checker struct {
	before, last *token.Token
	levels       []level // around this token
	flow, inFlow int     // nesting of brackets; keys since the outermost one
	missing      int
}

type level struct{ column, keys int }

// next says what is wrong with a token, or nothing.
func (c *checker) next(t *token.Token) string {
	if c.last != nil && (c.last.Type == token.MappingValueType || c.last.Type == token.SequenceEntryType) && c.last.Position.Line < t.Position.Line && c.flow == 0 {
		start := c.last.Position.Column
		if c.last.Type == token.MappingValueType && c.before != nil {
			start = c.before.Position.Column
		}
		if t.Position.Column <= start {
			c.missing++
		}
	}
	switch t.Type {
	case token.AnchorType, token.AliasType, token.MergeKeyType:
		return "anchors, aliases and merge keys are not accepted; write the value again"
	case token.TagType:
		return "tags are not accepted; every value is text"
	case token.DirectiveType:
		return "directives are not accepted"
	case token.MappingKeyType:
		return "a key is a word, without a question mark before it"
	case token.SequenceEntryType:
		c.nest(t.Position.Column, 0)
	case token.MappingValueType:
		if c.flow > 0 {
			c.inFlow++
		} else if c.last != nil {
			c.nest(c.last.Position.Column, 1)
		}
	case token.MappingStartType, token.SequenceStartType:
		if c.flow++; c.flow == 1 {
			c.inFlow = 0
		}
	case token.MappingEndType, token.SequenceEndType:
		c.flow--
	}
	top := 0
	if len(c.levels) > 0 && t.Type == token.MappingValueType {
		top = c.levels[len(c.levels)-1].keys
	}
	switch {
	case c.flow+len(c.levels) > maxDepth:
		return fmt.Sprintf("nested deeper than %d", maxDepth)
	case top > maxKeys || c.inFlow > maxKeys:
		return fmt.Sprintf("more than %d keys in one place", maxKeys)
	case c.missing > maxMissing:
		return fmt.Sprintf("more than %d values are left out; write '' for an empty one", maxMissing)
	}
	return ""
}

// nest keeps the stack of columns in which values nest, and counts what stands in each.
func (c *checker) nest(column, keys int) {
	for len(c.levels) > 0 && c.levels[len(c.levels)-1].column > column {
		c.levels = c.levels[:len(c.levels)-1]
	}
	if len(c.levels) == 0 || c.levels[len(c.levels)-1].column < column {
		c.levels = append(c.levels, level{column: column})
	}
	c.levels[len(c.levels)-1].keys += keys
}

func syntax(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		p := e.GetToken().Position
		return &Error{p.Line, p.Column, e.GetMessage()}
	}
	return &Error{1, 1, err.Error()}
}

type reader struct{ count int }

func (r *reader) node(n ast.Node, depth int) (*node, error) {
	out := &node{}
	if t := n.GetToken(); t != nil && t.Position != nil {
		out.line, out.column = t.Position.Line, t.Position.Column
	}
	if r.count++; r.count > maxNodes {
		return nil, out.fail("more than %d values", maxNodes)
	}
	if depth > maxDepth {
		return nil, out.fail("nested deeper than %d", maxDepth)
	}
	if text, ok := n.(*ast.StringNode); ok && !allowed(text.Value) {
		return nil, out.fail("a control character that XML cannot hold")
	}
	switch v := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.text = scalar, v.Value
	case *ast.LiteralNode:
		out.kind, out.text = scalar, v.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = scalar, n.GetToken().Value
	case *ast.MappingValueNode:
		out.kind = mapping
		return out, r.fields(out, []*ast.MappingValueNode{v}, depth)
	case *ast.MappingNode:
		out.kind = mapping
		return out, r.fields(out, v.Values, depth)
	case *ast.SequenceNode:
		out.kind = list
		for _, item := range v.Values {
			i, err := r.node(item, depth+1)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, i)
		}
	default:
		return nil, out.fail("%s is not accepted here", strings.ToLower(n.Type().String()))
	}
	return out, nil
}

// allowed says whether a text can stand in XML 1.0 (section 2.2), which escapes in quotes could break.
func allowed(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

func (r *reader) fields(out *node, values []*ast.MappingValueNode, depth int) error {
	seen := make(map[string]bool, len(values))
	for i, v := range values {
		key, err := r.node(v.Key, depth+1)
		if err != nil {
			return err
		}
		if i == 0 {
			out.line, out.column = key.line, key.column
		}
		if key.kind != scalar {
			return key.fail("a key is a word")
		}
		if seen[key.text] {
			return key.fail("%q is there twice", key.text)
		}
		seen[key.text] = true
		value, err := r.node(v.Value, depth+1)
		if err != nil {
			return err
		}
		if value.line == 0 {
			value.line, value.column = key.line, key.column
		}
		out.fields = append(out.fields, field{key.text, value, key.line, key.column})
	}
	return nil
}
