package yamlform

import (
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// form is what both directions must agree about for one document.
type form struct {
	version string
	shapes  map[string]shape // by node key: step, group, child
	stated  map[string]bool  // shapes that the document states itself
}

// preset is what a node of this class carries although the YAML does not say it.
func (f *form) preset(key, class string) shape {
	s := f.shapes[key]
	if f.stated[key] || strings.HasPrefix(f.version, "3.0") {
		return s
	}
	switch class {
	case sequence.TypePrefix + "RunCommandLineAction", sequence.TypePrefix + "RunPowerShellScriptAction": // TS-29
		s = slices.Clone(s)
		for i := range s {
			if s[i].Name == "successCodeList" {
				s[i].Value = "0 3010"
			}
		}
	}
	return s
}

// Marshal writes a sequence as YAML. Parse gives an equivalent sequence back.
func Marshal(s *sequence.Sequence) []byte {
	root := s.Root()
	version, _ := root.Attr("version")
	f := &form{version: version, shapes: schemaShapes(version), stated: map[string]bool{}}
	kinds := map[string][]*sequence.Element{}
	collect(root, kinds)
	defaults := &node{kind: mapping}
	for _, key := range []string{"group", "step", "child"} {
		if u := usual(key, kinds[elementNames[key]], f.shapes[key]); !same(u, f.shapes[key]) {
			f.shapes[key], f.stated[key] = u, true
			one := &node{kind: mapping, flow: true}
			for _, a := range u {
				one.add(a.Name, text(a.Value))
			}
			defaults.add(key, one)
		}
	}
	out := f.document(root, defaults)
	if out == nil || !f.exact(out, root) {
		out = &node{kind: mapping}
		out.add("xml", text(string(root.XML())))
	}
	if document, value := s.Wrapper(); document != nil {
		out.add("object", text(wrapperText(document, value, root)))
	}
	return write(out)
}

var elementNames = map[string]string{"group": "group", "step": "step", "child": "subtasksequence"}

func collect(e *sequence.Element, kinds map[string][]*sequence.Element) {
	for _, c := range e.Elements() {
		kinds[c.Name] = append(kinds[c.Name], c)
		if c.Name == "group" {
			collect(c, kinds)
		}
	}
}

func text(s string) *node { return &node{kind: scalar, text: s} }

func (n *node) add(key string, value *node) {
	n.fields = append(n.fields, field{key: key, value: value})
}

func (f *form) document(root *sequence.Element, defaults *node) *node {
	out := &node{kind: mapping}
	rest := &node{kind: mapping}
	if v, ok := root.Attr("version"); ok {
		out.add("version", text(v))
	} else {
		out.add("version", &node{})
	}
	for _, a := range root.Attrs {
		switch a.Name {
		case "version":
		case "name", "description":
			out.add(a.Name, text(a.Value))
		default:
			rest.add(a.Name, text(a.Value))
		}
	}
	if len(rest.fields) > 0 {
		out.add("attributes", rest)
	}
	if len(defaults.fields) > 0 {
		out.add("defaults", defaults)
	}
	asides(out, "before", root.Before)
	content, ok := significant(root)
	if !ok {
		return nil
	}
	for len(content) > 0 && content[0].Element != nil {
		e := content[0].Element
		if e.Name == "referenceList" && out.field("references") == nil && out.field("globals") == nil && plainReferences(e) {
			out.add("references", references(e))
		} else if e.Name == "globalVarList" && out.field("globals") == nil && len(e.Attrs) == 0 && variableList(e) {
			out.add("globals", f.variables(e))
		} else {
			break
		}
		content = content[1:]
	}
	steps := &node{kind: list}
	for _, c := range content {
		if e := c.Element; e != nil && e.Name == "globalVarList" && len(e.Attrs) == 0 && variableList(e) {
			one := &node{kind: mapping}
			one.add("globals", f.variables(e))
			steps.items = append(steps.items, one)
			continue
		}
		steps.items = append(steps.items, f.content(c))
	}
	out.add("steps", steps)
	asides(out, "after", root.After)
	return out
}

func asides(out *node, key string, content []sequence.Content) {
	if len(content) == 0 {
		return
	}
	l := &node{kind: list}
	for _, c := range content {
		l.items = append(l.items, aside(c))
	}
	out.add(key, l)
}

func aside(c sequence.Content) *node {
	n := &node{kind: mapping}
	if c.Comment {
		n.add("comment", text(c.Text))
	} else {
		n.add("instruction", text(c.Text))
	}
	return n
}

// significant is the content of an element that holds elements; ok is false when it holds words as well.
func significant(e *sequence.Element) (out []sequence.Content, ok bool) {
	if _, special := e.Attr("xml:space"); special {
		return nil, false
	}
	for _, c := range e.Content {
		switch {
		case !c.Words():
			out = append(out, c)
		case strings.Trim(c.Text, " \t\r\n") != "":
			return nil, false
		}
	}
	return out, len(out) > 0 || len(e.Content) == 0
}

// content is an entry of a steps list.
func (f *form) content(c sequence.Content) *node {
	if c.Element == nil {
		return aside(c)
	}
	for key, name := range elementNames {
		if c.Element.Name != name {
			continue
		}
		for _, brief := range []bool{true, false} {
			if n := f.node(key, c.Element, brief); n != nil {
				return n
			}
		}
	}
	return raw(c.Element)
}

func raw(e *sequence.Element) *node {
	n := &node{kind: mapping}
	n.add("xml", text(string(e.XML())))
	return n
}

// node writes a step, group or child, or nil when it has something that the form has no words for. What is written is
// read back and compared, so that nothing can get lost by an oversight here; children are compared on their own.
func (f *form) node(key string, e *sequence.Element, brief bool) *node {
	content, ok := significant(e)
	if !ok {
		return nil
	}
	n := &node{kind: mapping}
	class := f.head(n, key, e)
	shell := &sequence.Element{Name: e.Name, Attrs: e.Attrs}
	var steps *node
	for i, c := range content {
		name := ""
		if c.Element != nil {
			name = c.Element.Name
		}
		if value := f.part(name, c.Element); value != nil && n.field(value.key) == nil {
			if steps != nil && more(content[i+1:]) { // it stands between the group's nodes, and so does the YAML
				one := &node{kind: mapping}
				one.add(value.key, value.value)
				steps.items = append(steps.items, one)
				continue
			}
			action, has := template(f.version, class, inputs(e))
			if name != "action" || !brief || !has || value.value.kind != scalar || value.value.text != action {
				n.fields = append(n.fields, *value)
			}
			shell.Content = append(shell.Content, c)
			continue
		}
		if key != "group" {
			return nil
		}
		if steps == nil {
			steps = &node{kind: list}
			n.add("steps", steps)
		}
		steps.items = append(steps.items, f.content(c))
	}
	if brief {
		n = sugar(n, class)
	}
	check := *n
	if steps != nil {
		check.fields = slices.Clone(n.fields)
		for i := range check.fields {
			if check.fields[i].key == "steps" {
				check.fields[i].value = &node{kind: list}
			}
		}
	}
	back, err := f.element(key, &check)
	if err != nil || !equal(shell, back) {
		return nil
	}
	return n
}

// more says whether a node follows.
func more(rest []sequence.Content) bool {
	return slices.ContainsFunc(rest, func(c sequence.Content) bool {
		return c.Element == nil || c.Element.Name != "action" && c.Element.Name != "condition" && c.Element.Name != "defaultVarList"
	})
}

// head writes the attributes.
func (f *form) head(n *node, key string, e *sequence.Element) (class string) {
	if name, ok := e.Attr("name"); ok {
		n.add(key, text(name))
	} else {
		n.add(key, &node{})
	}
	rest := &node{kind: mapping, flow: true}
	class, typed := e.Attr("type")
	short, clear := shortClass(class)
	switch {
	case key == "child" && class == subSequence:
	case key == "child" && !typed:
		n.add("type", &node{})
	case !typed:
	case key == "group" || !clear:
		rest.add("type", text(class))
	default:
		n.add("type", text(short))
	}
	preset := f.preset(key, class)
	for _, name := range attributes {
		v, ok := e.Attr(name)
		p, expected := preset.value(name)
		switch {
		case ok && (!expected || p != v):
			n.add(name, text(v))
		case !ok && expected:
			n.add(name, &node{})
		}
	}
	for _, a := range e.Attrs {
		if a.Name != "name" && a.Name != "type" && !slices.Contains(attributes, a.Name) {
			rest.add(a.Name, text(a.Value))
		}
	}
	if len(rest.fields) > 0 {
		n.add("attributes", rest)
	}
	return class
}

// part writes an action, the variables or the condition.
func (f *form) part(name string, e *sequence.Element) *field {
	switch name {
	case "action":
		if len(e.Attrs) == 0 && (len(e.Content) == 0 || len(e.Content) == 1 && e.Content[0].Words()) {
			return &field{key: "action", value: text(e.Text())}
		}
	case "defaultVarList":
		if len(e.Attrs) == 0 && variableList(e) {
			return &field{key: "variables", value: f.variables(e)}
		}
	case "condition":
		return &field{key: "if", value: f.condition(e)}
	}
	return nil
}

func inputs(e *sequence.Element) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, l := range e.Elements() {
			if l.Name != "defaultVarList" {
				continue
			}
			for _, v := range l.Elements() {
				if n, _ := v.Attr("name"); n == name {
					return v.Text(), true
				}
			}
		}
		return "", false
	}
}

// sugar says the most common steps in one word: what they set, run or execute.
func sugar(n *node, class string) *node {
	vars := n.field("variables")
	if vars == nil || vars.kind != mapping || n.field("type") == nil {
		return n
	}
	key, value := "", (*node)(nil)
	one := func(name string) bool { return len(vars.fields) == 1 && vars.fields[0].key == name }
	switch class {
	case sequence.TypePrefix + "RunCommandLineAction":
		if one("CommandLine") && vars.fields[0].value.kind == scalar {
			key, value = "run", vars.fields[0].value
		}
	case sequence.TypePrefix + "RunPowerShellScriptAction":
		if one(scriptVariable) && vars.fields[0].value.field("powershell") != nil && len(vars.fields[0].value.fields) == 1 {
			key, value = "powershell", vars.fields[0].value.fields[0].value
		}
	case sequence.TypePrefix + "SetVariableAction":
		if key, value = setWords(vars); value == nil {
			return n
		}
	}
	if value == nil {
		return n
	}
	out := &node{kind: mapping}
	for _, f := range n.fields {
		switch f.key {
		case "type":
		case "variables":
			out.add(key, value)
		default:
			out.fields = append(out.fields, f)
		}
	}
	return out
}

func setWords(vars *node) (string, *node) {
	if len(vars.fields) != 3 || vars.fields[0].key != "DoNotShowVariableValue" || vars.fields[0].value.text != "false" ||
		vars.fields[1].key != "VariableName" || vars.fields[2].key != "VariableValue" || vars.fields[1].value.kind != scalar || vars.fields[2].value.kind != scalar {
		return "", nil
	}
	out := &node{kind: mapping}
	out.add(vars.fields[1].value.text, vars.fields[2].value)
	return "set", out
}
