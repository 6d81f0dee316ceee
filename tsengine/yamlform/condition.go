package yamlform

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

const expressionSuffix = "ConditionExpression"

// operators are the words that a condition line may use, in the case in which the schema writes them.
var operators = []string{"equals", "notEquals", "exists", "notExists", "greater", "greaterEqual", "less", "lessEqual", "like", "notLike"}

var groups = map[string]string{"and": "all", "or": "any", "not": "none"}

// order is the order of the parts of a comparison: MDT writes the variable first, Configuration Manager goes by the
// alphabet.
func (f *form) order() []string {
	if strings.HasPrefix(f.version, "3.0") {
		return []string{"Variable", "Operator", "Value"}
	}
	return []string{"Operator", "Value", "Variable"}
}

// condition writes a condition: one operand as it is, none or several as a list.
func (f *form) condition(e *sequence.Element) *node {
	operands, ok := f.operands(e)
	switch {
	case !ok || len(e.Attrs) > 0:
		return raw(e)
	case len(operands.items) == 1 && operands.items[0].field("xml") == nil:
		return operands.items[0]
	}
	return operands
}

func (f *form) operands(e *sequence.Element) (*node, bool) {
	content, ok := significant(e)
	out := &node{kind: list}
	for _, c := range content {
		if c.Element == nil {
			return nil, false
		}
		out.items = append(out.items, f.operand(c.Element))
	}
	return out, ok
}

func (f *form) operand(e *sequence.Element) *node {
	switch e.Name {
	case "operator":
		kind, _ := e.Attr("type")
		if list, ok := f.operands(e); ok && groups[kind] != "" && len(e.Attrs) == 1 {
			n := &node{kind: mapping}
			n.add(groups[kind], list)
			return n
		}
	case "expression":
		if n := f.expression(e); n != nil {
			return n
		}
	}
	return raw(e)
}

func (f *form) expression(e *sequence.Element) *node {
	content, ok := significant(e)
	if !ok {
		return nil
	}
	fields := &node{kind: mapping}
	for _, c := range content {
		v := c.Element
		if v == nil || v.Name != "variable" || len(v.Attrs) != 1 || len(v.Content) > 1 || len(v.Content) == 1 && !v.Content[0].Words() {
			return nil
		}
		name, ok := v.Attr("name")
		if !ok || fields.field(name) != nil || slices.Contains([]string{"expression", "wmi", "namespace", "ignoreQueryFailure", "xml"}, name) {
			return nil
		}
		fields.add(name, text(v.Text()))
	}
	class, _ := e.Attr("type")
	name, ok := strings.CutPrefix(class, sequence.TypePrefix)
	short, ok2 := strings.CutSuffix(name, expressionSuffix)
	if !ok || !ok2 || short == "" {
		return nil
	}
	ignore, ignores := e.Attr("ignoreQueryFailure")
	if len(e.Attrs) > 2 || len(e.Attrs) == 2 && !ignores {
		return nil
	}
	if line, ok := f.line(short, fields); ok && !ignores {
		return text(line)
	}
	out := &node{kind: mapping}
	if q := fields.field("Query"); short == "WMI" && len(fields.fields) == 2 && fields.fields[0].key == "Namespace" && q != nil {
		out.add("wmi", q)
		if ns := fields.field("Namespace"); ns.text != defaultNamespace {
			out.add("namespace", ns)
		}
	} else {
		out.add("expression", text(short))
		out.fields = append(out.fields, fields.fields...)
		out.flow = true
	}
	if ignores {
		out.add("ignoreQueryFailure", text(ignore))
	}
	return out
}

const defaultNamespace = `root\cimv2`

// line writes a comparison as people say it: PHASE equals VALIDATION.
func (f *form) line(short string, fields *node) (string, bool) {
	if short != "Variable" {
		return "", false
	}
	var keys []string
	for _, x := range fields.fields {
		keys = append(keys, x.key)
	}
	name, op, value := fields.field("Variable"), fields.field("Operator"), fields.field("Value")
	want := f.order()
	if value == nil {
		want = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s == "Value" })
	}
	if !slices.Equal(keys, want) || name.text == "" || strings.ContainsAny(name.text, " \t\r\n\"") || !slices.Contains(operators, op.text) {
		return "", false
	}
	line := name.text + " " + op.text
	if value == nil {
		return line, true
	}
	v := value.text
	if v == "" || strings.HasPrefix(v, `"`) || strings.TrimSpace(v) != v || strings.ContainsAny(v, "\r\n\t") {
		v = strconv.Quote(v)
	}
	return line + " " + v, true
}

// readCondition is the way back.
func (f *form) readCondition(n *node) (*sequence.Element, error) {
	e := &sequence.Element{Name: "condition", Line: n.line, Column: n.column}
	if n.kind == mapping && n.field("xml") != nil {
		return rawElement(n, "condition")
	}
	items := []*node{n}
	if n.kind == list {
		items = n.items
	}
	if n.kind == null {
		items = nil
	}
	return e, f.readOperands(e, items)
}

func (f *form) readOperands(into *sequence.Element, items []*node) error {
	for _, item := range items {
		e, err := f.readOperand(item)
		if err != nil {
			return err
		}
		into.Content = append(into.Content, sequence.Content{Element: e})
	}
	return nil
}

func (f *form) readOperand(n *node) (*sequence.Element, error) {
	if n.kind == scalar {
		return f.readLine(n)
	}
	if n.kind != mapping || len(n.fields) == 0 {
		return nil, n.fail("a condition is a line such as 'PHASE equals INSTALL', or all:, any:, none:, wmi:, expression:, xml:")
	}
	switch key := n.fields[0].key; key {
	case "xml":
		return rawElement(n, "")
	case "all", "any", "none":
		e := &sequence.Element{Name: "operator", Line: n.line, Column: n.column}
		for kind, word := range groups {
			if word == key {
				e.Attrs = []sequence.Attr{{Name: "type", Value: kind}}
			}
		}
		value := n.fields[0].value
		if value.kind != list || len(n.fields) != 1 {
			return nil, n.fail("%s: has a list of conditions below it, and nothing beside it", key)
		}
		return e, f.readOperands(e, value.items)
	case "wmi", "expression":
		return readExpression(n)
	default:
		return nil, &Error{n.fields[0].line, n.fields[0].column, key + ": is no condition; all:, any:, none:, wmi:, expression: and xml: are"}
	}
}

func (f *form) readLine(n *node) (*sequence.Element, error) {
	name, rest, _ := strings.Cut(n.text, " ")
	op, value, hasValue := strings.Cut(rest, " ")
	i := slices.IndexFunc(operators, func(o string) bool { return strings.EqualFold(o, op) })
	if name == "" || i < 0 {
		return nil, n.fail("%q is no condition; write VARIABLE OPERATOR VALUE, the operator one of %s", n.text, strings.Join(operators, ", "))
	}
	op = operators[i]
	exists := op == "exists" || op == "notExists"
	if !hasValue && !exists {
		return nil, n.fail("%q compares with nothing; write \"\" for the empty text", n.text)
	}
	if strings.HasPrefix(value, `"`) {
		v, err := strconv.Unquote(value)
		if err != nil {
			return nil, n.fail("the value of %q has quotes that do not fit; write them as \\\"", n.text)
		}
		value = v
	}
	parts := map[string]string{"Variable": name, "Operator": op, "Value": value}
	e := expressionElement("Variable", n)
	for _, key := range f.order() {
		if key != "Value" || hasValue {
			addPart(e, key, parts[key], n)
		}
	}
	return e, nil
}

func expressionElement(short string, n *node) *sequence.Element {
	return &sequence.Element{Name: "expression", Line: n.line, Column: n.column, Attrs: []sequence.Attr{{Name: "type", Value: sequence.TypePrefix + short + expressionSuffix}}}
}

func addPart(e *sequence.Element, name, value string, n *node) {
	v := &sequence.Element{Name: "variable", Line: n.line, Column: n.column, Attrs: []sequence.Attr{{Name: "name", Value: name}}}
	addText(v, value)
	e.Content = append(e.Content, sequence.Content{Element: v})
}

func readExpression(n *node) (*sequence.Element, error) {
	for _, x := range n.fields {
		if x.value.kind != scalar && x.value.kind != null {
			return nil, x.value.fail("%s is a text", x.key)
		}
	}
	if n.fields[0].value.text == "" {
		return nil, n.fail("%s is empty", n.fields[0].key)
	}
	var e *sequence.Element
	var ignore *node
	if n.fields[0].key == "wmi" {
		e = expressionElement("WMI", n)
		namespace := defaultNamespace
		for _, x := range n.fields[1:] {
			switch x.key {
			case "namespace":
				namespace = x.value.text
			case "ignoreQueryFailure":
				ignore = x.value
			default:
				return nil, &Error{x.line, x.column, "beside wmi: stand namespace: and ignoreQueryFailure:, not " + x.key}
			}
		}
		addPart(e, "Namespace", namespace, n)
		addPart(e, "Query", n.fields[0].value.text, n)
	} else {
		e = expressionElement(n.fields[0].value.text, n)
		for _, x := range n.fields[1:] {
			if x.key == "ignoreQueryFailure" {
				ignore = x.value
				continue
			}
			addPart(e, x.key, x.value.text, x.value)
		}
	}
	if ignore != nil {
		e.Attrs = append(e.Attrs, sequence.Attr{Name: "ignoreQueryFailure", Value: ignore.text})
	}
	return e, nil
}

// Condition turns a condition in its YAML form, such as "Make equals Dell" or a list, into a condition element. Text that
// begins with < is XML already and is only checked.
func Condition(data []byte) ([]byte, error) {
	if text := strings.TrimSpace(string(data)); strings.HasPrefix(text, "<") {
		_, err := sequence.ParseCondition(text)
		return []byte(text), err
	}
	n, err := read(data)
	if err != nil {
		return nil, err
	}
	e, err := (&form{version: "3.10"}).readCondition(n)
	if err != nil {
		return nil, err
	}
	return e.XML(), nil
}
