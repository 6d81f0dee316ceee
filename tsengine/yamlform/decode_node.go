package yamlform

import (
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// element reads a step, group or child.
func (f *form) element(key string, n *node) (*sequence.Element, error) {
	e := &sequence.Element{Name: elementNames[key], Line: n.line, Column: n.column}
	class, typed, err := classOf(key, n)
	if err != nil {
		return nil, err
	}
	if typed {
		e.Attrs = append(e.Attrs, sequence.Attr{Name: "type", Value: class})
	}
	name := n.field(key)
	switch name.kind {
	case scalar:
		e.Attrs = append(e.Attrs, sequence.Attr{Name: "name", Value: name.text})
	case null:
	default:
		return nil, name.fail("the name is a text")
	}
	preset := f.preset(key, class)
	for _, a := range attributes {
		given := n.field(a)
		v, expected := preset.value(a)
		switch {
		case given == nil && expected:
			e.Attrs = append(e.Attrs, sequence.Attr{Name: a, Value: v})
		case given == nil || given.kind == null:
		case given.kind == scalar:
			e.Attrs = append(e.Attrs, sequence.Attr{Name: a, Value: given.text})
		default:
			return nil, given.fail("%s is a text", a)
		}
	}
	for _, x := range n.fields {
		if err := f.nodePart(e, key, x); err != nil {
			return nil, err
		}
	}
	f.addAction(e, n, class)
	return e, unique(e, n)
}

// classOf is the type of a node: stated, or said by run:, set: or powershell:.
func classOf(key string, n *node) (class string, typed bool, err error) {
	t := n.field("type")
	if key == "child" && t == nil {
		return subSequence, true, nil
	}
	for word, class := range words {
		if n.field(word) == nil {
			continue
		}
		if t != nil || key != "step" {
			return "", false, n.field(word).fail("%s: stands in a step without type:", word)
		}
		if typed {
			return "", false, n.field(word).fail("a step does one thing: run:, set: or powershell:")
		}
		t, typed = text(class), true
	}
	switch {
	case t == nil || t.kind == null:
		return "", false, nil
	case t.kind != scalar || key == "group":
		return "", false, t.fail("type is the name of a step's class")
	}
	return longClass(t.text), true, nil
}

var words = map[string]string{"run": "RunCommandLine", "set": "SetVariable", "powershell": "RunPowerShellScript"}

func (f *form) nodePart(e *sequence.Element, key string, x field) error {
	add := addElement(e)
	switch x.key {
	case key, "type":
	case "attributes":
		return readAttributes(e, x.value)
	case "action":
		if x.value.kind == null {
			return nil
		}
		if x.value.kind != scalar {
			return x.value.fail("action is a text")
		}
		a := &sequence.Element{Name: "action", Line: x.line, Column: x.column}
		addText(a, x.value.text)
		return add(a, nil)
	case "variables":
		return add(f.readVariables(x.value, "defaultVarList"))
	case "run":
		vars := &node{kind: mapping}
		vars.add("CommandLine", x.value)
		return add(f.readVariables(vars, "defaultVarList"))
	case "powershell":
		script, vars := &node{kind: mapping}, &node{kind: mapping}
		script.add("powershell", x.value)
		vars.add(scriptVariable, script)
		return add(f.readVariables(vars, "defaultVarList"))
	case "set":
		if x.value.kind != mapping || len(x.value.fields) != 1 {
			return x.value.fail("set: has one NAME: VALUE below it; make a step for each variable")
		}
		vars := &node{kind: mapping, line: x.line, column: x.column}
		vars.add("DoNotShowVariableValue", text("false"))
		vars.add("VariableName", text(x.value.fields[0].key))
		vars.add("VariableValue", x.value.fields[0].value)
		return add(f.readVariables(vars, "defaultVarList"))
	case "if":
		return add(f.readCondition(x.value))
	case "steps":
		if key != "group" {
			return &Error{x.line, x.column, "only a group has steps"}
		}
		return f.readSteps(e, x.value)
	default:
		if !slices.Contains(attributes, x.key) {
			return &Error{x.line, x.column, x.key + ": is unknown here; a " + key + " has " + strings.Join(attributes, ", ") + ", if, action, variables, attributes"}
		}
	}
	return nil
}

// addAction puts the action of the class in when the YAML does not speak of it: before the variables, else at the end.
func (f *form) addAction(e *sequence.Element, n *node, class string) {
	if n.field("action") != nil {
		return
	}
	line, ok := template(f.version, class, inputs(e))
	if !ok {
		return
	}
	a := &sequence.Element{Name: "action", Line: e.Line, Column: e.Column}
	addText(a, line)
	at := slices.IndexFunc(e.Content, func(c sequence.Content) bool { return c.Element != nil && c.Element.Name == "defaultVarList" })
	if at < 0 {
		at = len(e.Content)
	}
	e.Content = slices.Insert(e.Content, at, sequence.Content{Element: a})
}
