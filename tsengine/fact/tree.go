package fact

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a document. Sheets are small; what is larger is an accident or an attack.
const (
	maxBytes  = 1 << 20
	maxTokens = 60_000  // the parser's time grows with the square of the keys of one map
	maxDepth  = 40      // flow brackets, list dashes in one line, or nested nodes
	maxNodes  = 100_000 // after aliases are replaced, which a few bytes can multiply
	maxText   = 16 << 10
)

// tree is a YAML node without the parts that do not matter here.
type tree struct {
	line    int
	kind    kind
	value   any    // of a scalar: nil, string, bool, int64, uint64, float64
	text    string // of a scalar: as written, so that 10.0 can stay "10.0"
	entries []entry
	list    []*tree
}

type entry struct {
	key   string
	line  int
	value *tree
}

type kind int

const (
	scalar kind = iota
	mapping
	list
)

func (k kind) String() string { return [...]string{"a value", "a map", "a list"}[k] }

func (t *tree) null() bool { return t.kind == scalar && t.value == nil }

// Error is what is wrong with a document, and in which line.
type Error struct {
	Line int // from 1; 0 when the document as a whole is meant
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "fact sheet: " + e.Text
	}
	return fmt.Sprintf("fact sheet: line %d: %s", e.Line, e.Text)
}

func wrong(line int, format string, args ...any) error {
	return &Error{line, fmt.Sprintf(format, args...)}
}

// readTree parses one YAML document into a tree within the limits. Empty input is nil.
func readTree(data []byte) (t *tree, err error) {
	if len(data) > maxBytes {
		return nil, wrong(0, "%d bytes are too many, the limit is %d", len(data), maxBytes)
	}
	defer func() { // the parser is not ours, and the file may come from anywhere
		if r := recover(); r != nil {
			t, err = nil, wrong(0, "this YAML cannot be read: %v", r)
		}
	}()
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || bytes.IndexByte(data, 0) >= 0 {
		return nil, wrong(0, "this is UTF-16 or no text at all; save the file as UTF-8")
	}
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(data, []byte("\uFEFF")))) // Windows' editors begin a file with a mark
	if err := checkTokens(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		var syntax interface {
			GetMessage() string
			GetToken() *token.Token
		}
		if errors.As(err, &syntax) {
			return nil, wrong(lineOf(syntax.GetToken()), "%s", syntax.GetMessage())
		}
		return nil, wrong(0, "this YAML cannot be read: %v", err)
	}
	b := builder{anchors: map[string]ast.Node{}}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if t != nil {
			return nil, wrong(lineOf(doc.Body.GetToken()), "document %d: one file is one fact sheet", i+1)
		}
		if t, err = b.build(doc.Body, 0); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkTokens refuses what would make the parser recurse or count without end.
func checkTokens(tokens token.Tokens) error {
	if len(tokens) > maxTokens {
		return wrong(0, "more than %d words and signs are too many", maxTokens)
	}
	depth, line, inLine := 0, 0, 0
	for _, t := range tokens {
		if l := lineOf(t); l != line {
			line, inLine = l, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			inLine++
		case token.MappingValueType:
			if depth == 0 {
				inLine++
			}
		}
		if depth > maxDepth || inLine > maxDepth || t.Position != nil && depth == 0 && t.Position.IndentNum > 10*maxDepth {
			return wrong(line, "nested too deeply, the limit is %d", maxDepth)
		}
	}
	return nil
}

func lineOf(t *token.Token) int {
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}

type builder struct {
	nodes   int
	anchors map[string]ast.Node
}

func (b *builder) build(n ast.Node, depth int) (*tree, error) {
	line := lineOf(n.GetToken())
	if b.nodes++; b.nodes > maxNodes {
		return nil, wrong(line, "more than %d values, counting those that aliases repeat", maxNodes)
	}
	if depth > maxDepth {
		return nil, wrong(line, "nested too deeply, the limit is %d", maxDepth)
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		if n.Value == nil {
			return &tree{line: line}, nil
		}
		t, err := b.build(n.Value, depth+1)
		b.anchors[n.Name.String()] = n.Value // after its own content: it cannot hold itself
		return t, err
	case *ast.AliasNode:
		target := b.anchors[n.Value.String()]
		if target == nil {
			return nil, wrong(line, "alias *%s has no anchor before it", n.Value.String())
		}
		return b.build(target, depth+1)
	case *ast.TagNode:
		if n.Value == nil {
			return &tree{line: line}, nil
		}
		t, err := b.build(n.Value, depth+1)
		if err == nil && t.kind == scalar && n.Start.Value == "!!str" {
			t.value = t.text
		}
		return t, err
	case *ast.MappingNode:
		return b.mapping(line, n.Values, depth)
	case *ast.MappingValueNode:
		return b.mapping(line, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		t := &tree{line: line, kind: list}
		for _, v := range n.Values {
			child, err := b.build(v, depth+1)
			if err != nil {
				return nil, err
			}
			t.list = append(t.list, child)
		}
		return t, nil
	}
	return leaf(n, line)
}

func (b *builder) mapping(line int, values []*ast.MappingValueNode, depth int) (*tree, error) {
	t := &tree{line: line, kind: mapping}
	for _, v := range values {
		if v.Value == nil {
			return nil, wrong(line, "a key without a value")
		}
		child, err := b.build(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if v.Key.IsMergeKey() {
			if child.kind != mapping {
				return nil, wrong(child.line, "<< needs a map")
			}
			t.entries = append(append([]entry{}, child.entries...), t.entries...) // what stands here comes later and counts
			continue
		}
		key, err := b.build(v.Key, depth+1)
		if err != nil {
			return nil, err
		}
		if key.kind != scalar {
			return nil, wrong(key.line, "a key must be a name")
		}
		t.entries = append(t.entries, entry{key.text, key.line, child})
	}
	return t, nil
}

func leaf(n ast.Node, line int) (*tree, error) {
	t := &tree{line: line}
	if token := n.GetToken(); token != nil {
		t.text = strings.TrimSpace(token.Value)
	}
	switch n := n.(type) {
	case *ast.NullNode:
		t.text = ""
	case *ast.StringNode:
		t.text, t.value = n.Value, n.Value
	case *ast.LiteralNode:
		t.text = n.Value.Value
		t.value = t.text
	case *ast.BoolNode:
		t.value = n.Value
	case *ast.FloatNode:
		t.value = n.Value
	case *ast.IntegerNode:
		switch v := n.Value.(type) {
		case int64:
			t.value = v
		case uint64:
			if t.value = v; v <= 1<<63-1 {
				t.value = int64(v)
			}
		default:
			t.value = t.text
		}
	case *ast.InfinityNode, *ast.NanNode:
		t.value = t.text
	case *ast.MappingKeyNode:
		return nil, wrong(line, "a key must be a name")
	default:
		return nil, wrong(line, "%s is not understood here", n.Type())
	}
	if len(t.text) > maxText {
		return nil, wrong(line, "a text of %d bytes, the limit is %d", len(t.text), maxText)
	}
	return t, nil
}
