package wql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrUnsupported is returned, wrapped, for correct queries that cannot be answered from instances of one class:
// associators, references, notifications, schema.
var ErrUnsupported = errors.New("this kind of query cannot be answered from facts")

// Query is a query that was read. It is immutable and safe for concurrent use.
type Query struct {
	Columns []string // nil is *
	Class   string
	where   node // nil matches every instance
	names   []string
}

// Properties are the names of the properties that the WHERE clause looks at, in the order of the query.
func (q *Query) Properties() []string { return append([]string(nil), q.names...) }

type parser struct {
	tokens []token
	pos    int
	depth  int
	names  []string
}

// Parse reads a query. What is wrong is an *Error with its column; see also ErrUnsupported.
func Parse(query string) (*Query, error) {
	tokens, err := scan(query)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	switch {
	case p.peek().is("associators"), p.peek().is("references"):
		return nil, p.association()
	case p.peek().kind == end:
		return nil, p.wrong("the query is empty")
	case !p.accept("select"):
		return nil, p.wrong("a query begins with SELECT, not with %s", p.peek())
	}
	q := &Query{}
	if q.Columns, err = p.columns(); err != nil {
		return nil, err
	}
	if !p.accept("from") {
		return nil, p.wrong("FROM is missing before %s", p.peek())
	}
	if q.Class, err = p.name("a class"); err != nil {
		return nil, err
	}
	switch t := p.peek(); {
	case t.is("within"), t.is("group"), t.is("having"):
		return nil, fmt.Errorf("WQL, column %d: %s: %w", t.column, strings.ToUpper(t.text), ErrUnsupported)
	case p.accept("where"):
		if q.where, err = p.or(); err != nil {
			return nil, err
		}
	}
	if p.peek().kind != end {
		return nil, p.wrong("%s is not expected here", p.peek())
	}
	if strings.EqualFold(q.Class, "meta_class") {
		return nil, fmt.Errorf("WQL: %s: %w", q.Class, ErrUnsupported)
	}
	q.names = p.names
	return q, nil
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if t.kind != end {
		p.pos++
	}
	return t
}

func (p *parser) accept(key string) bool {
	t := p.peek()
	if t.is(key) || t.kind == sign && t.text == key {
		p.pos++
		return true
	}
	return false
}

func (p *parser) wrong(format string, args ...any) error {
	return &Error{p.peek().column, fmt.Sprintf(format, args...)}
}

// association checks no more of ASSOCIATORS OF {path} ... than that the braces are there.
func (p *parser) association() error {
	first := p.next()
	if !p.accept("of") || !p.accept("{") {
		return p.wrong("%s OF {object path} is expected", strings.ToUpper(first.text))
	}
	for p.peek().kind != end && !p.accept("}") {
		p.pos++
	}
	if p.tokens[p.pos-1].text != "}" {
		return p.wrong("the brace of the object path is not closed")
	}
	return fmt.Errorf("WQL, column %d: %s OF: %w", first.column, strings.ToUpper(first.text), ErrUnsupported)
}

func (p *parser) columns() ([]string, error) {
	if p.accept("*") {
		return nil, nil
	}
	if t := p.peek(); t.is("count") && p.pos+1 < len(p.tokens) && p.tokens[p.pos+1].text == "(" {
		return nil, fmt.Errorf("WQL, column %d: COUNT: %w", t.column, ErrUnsupported)
	}
	var columns []string
	for {
		if t := p.peek(); t.is("from") && len(p.tokens) > p.pos+1 && p.tokens[p.pos+1].text != "," && !p.tokens[p.pos+1].is("from") {
			return nil, p.wrong("a property or * is missing before FROM")
		}
		name, _, err := p.property()
		if err != nil {
			return nil, err
		}
		columns = append(columns, name)
		if !p.accept(",") {
			return columns, nil
		}
		if p.accept("*") { // Class.*
			return nil, nil
		}
	}
}

func (p *parser) name(what string) (string, error) {
	if p.peek().kind != word {
		return "", p.wrong("%s is missing before %s", what, p.peek())
	}
	return p.next().text, nil
}

// property reads Name, Class.Name or Name[index]; index is -1 when there is none.
func (p *parser) property() (name string, index int, err error) {
	if name, err = p.name("a property"); err != nil {
		return "", -1, err
	}
	for p.accept(".") {
		if p.accept("*") {
			return "*", -1, nil
		}
		part, err := p.name("a property")
		if err != nil {
			return "", -1, err
		}
		name += "." + part
	}
	if !p.accept("[") {
		return name, -1, nil
	}
	t := p.next()
	if index, err = strconv.Atoi(t.text); t.kind != number || err != nil || index < 0 {
		return "", -1, &Error{t.column, "an index is a number from 0"}
	}
	if !p.accept("]") {
		return "", -1, p.wrong("the bracket of the index is not closed")
	}
	return name, index, nil
}

func (p *parser) or() (node, error)  { return p.chain("or", p.and) }
func (p *parser) and() (node, error) { return p.chain("and", p.not) }

// chain reads operands with one operator between them.
func (p *parser) chain(operator string, operand func() (node, error)) (node, error) {
	first, err := operand()
	if err != nil {
		return nil, err
	}
	list := []node{first}
	for p.accept(operator) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		list = append(list, next)
	}
	if len(list) == 1 {
		return first, nil
	}
	if operator == "or" {
		return anyOf(list), nil
	}
	return allOf(list), nil
}

func (p *parser) not() (node, error) {
	negated := false
	for p.accept("not") {
		negated = !negated
	}
	n, err := p.primary()
	if err == nil && negated {
		n = negation{n}
	}
	return n, err
}

func (p *parser) primary() (node, error) {
	at := p.peek()
	if !p.accept("(") {
		return p.comparison()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, &Error{at.column, fmt.Sprintf("more than %d parentheses inside each other", maxDepth)}
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, p.wrong("a parenthesis is not closed before %s", p.peek())
	}
	p.depth--
	return n, nil
}

func (p *parser) comparison() (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	at := p.peek()
	switch {
	case p.accept("is"):
		not := p.accept("not")
		if !p.accept("null") {
			return nil, p.wrong("IS is followed by NULL or NOT NULL, not by %s", p.peek())
		}
		return p.test(at, left, null, operand{}, not)
	case p.accept("isa"):
		right, err := p.operand()
		if err != nil {
			return nil, err
		}
		return p.test(at, left, isa, right, false)
	}
	not := p.accept("not") // Model NOT LIKE 'x'
	if p.accept("like") {
		right, err := p.operand()
		if err != nil {
			return nil, err
		}
		if _, ok := right.value.(string); !ok || right.name != "" {
			return nil, &Error{at.column, "LIKE needs a text in quotes behind it"}
		}
		return p.test(at, left, like, right, not)
	}
	op, ok := signs[at.text]
	if not || at.kind != sign || !ok {
		return nil, p.wrong("a comparison is missing before %s", p.peek())
	}
	p.pos++
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	return p.test(at, left, op, right, false)
}

func (p *parser) test(at token, left operand, op operator, right operand, not bool) (node, error) {
	if left.name == "" && right.name == "" {
		return nil, &Error{at.column, "a comparison needs a property on one side"}
	}
	if left.name == "" && op != isa { // 'x' = Name
		left, right, op = right, left, op.swapped()
	}
	if left.name == "" || op == isa && right.name != "" {
		return nil, &Error{at.column, "the property stands before the operator here"}
	}
	var n node = test{left, op, right}
	if not {
		n = negation{n}
	}
	return n, nil
}

// operand reads a property or a constant.
func (p *parser) operand() (operand, error) {
	t := p.peek()
	switch {
	case t.kind == str:
		p.pos++
		return operand{value: t.text, index: -1}, nil
	case t.kind == number:
		v, err := parseNumber(t.text)
		if err != nil {
			return operand{}, p.wrong("%q is no number", t.text)
		}
		p.pos++
		return operand{value: v, index: -1}, nil
	case t.is("true"), t.is("false"):
		p.pos++
		return operand{value: t.is("true"), index: -1}, nil
	case t.is("null"):
		p.pos++
		return operand{index: -1}, nil
	case t.is("and"), t.is("or"), t.is("like"), t.is("is"), t.is("where"), t.is("from"), t.is("select"):
		return operand{}, p.wrong("a property or a value is missing before %s", t)
	}
	name, index, err := p.property()
	if err != nil {
		return operand{}, err
	}
	p.names = append(p.names, name)
	return operand{name: name, index: index}, nil
}
