package yamlform

import (
	"errors"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// Parse reads the YAML form. Errors are *Error, or *sequence.Error with lines of the YAML.
func Parse(data []byte) (*sequence.Sequence, error) {
	n, err := read(data)
	if err != nil {
		return nil, err
	}
	if n.kind != mapping {
		return nil, n.fail("a task sequence begins with keys such as name: and steps:")
	}
	f := &form{stated: map[string]bool{}}
	var object *node
	root := &sequence.Element{}
	if x := n.field("xml"); x != nil {
		inner := &node{kind: mapping, line: n.line, column: n.column}
		inner.add("xml", x)
		if root, err = rawElement(inner, "sequence"); err != nil {
			return nil, err
		}
		for _, other := range n.fields {
			if other.key == "object" {
				object = other.value
			} else if other.key != "xml" {
				return nil, &Error{other.line, other.column, "xml: is the whole sequence; " + other.key + ": has no place beside it"}
			}
		}
	} else if root, object, err = f.root(n); err != nil {
		return nil, err
	}
	if object != nil {
		document, value, err := wrapperTree(object, root)
		if err != nil {
			return nil, err
		}
		return inYAML(sequence.FromWrapper(root, document, value))
	}
	return inYAML(sequence.FromElement(root))
}

// inYAML gives a refusal of the model the right name for its lines.
func inYAML(s *sequence.Sequence, err error) (*sequence.Sequence, error) {
	var place *sequence.Error
	if errors.As(err, &place) {
		return nil, &Error{place.Line, place.Column, place.Reason}
	}
	return s, err
}

func (f *form) root(n *node) (root *sequence.Element, object *node, err error) {
	root = &sequence.Element{Name: "sequence", Line: n.line, Column: n.column}
	version := n.field("version")
	switch {
	case version == nil:
		f.version = "3.10"
		root.Attrs = append(root.Attrs, sequence.Attr{Name: "version", Value: f.version})
	case version.kind == scalar:
		f.version = version.text
		root.Attrs = append(root.Attrs, sequence.Attr{Name: "version", Value: f.version})
	case version.kind != null:
		return nil, nil, version.fail("version is a text")
	}
	f.shapes = schemaShapes(f.version)
	if d := n.field("defaults"); d != nil {
		if err := f.readDefaults(d); err != nil {
			return nil, nil, err
		}
	}
	for _, x := range n.fields {
		switch x.key {
		case "version", "defaults":
		case "name", "description":
			if x.value.kind != scalar {
				return nil, nil, x.value.fail("%s is a text", x.key)
			}
			root.Attrs = append(root.Attrs, sequence.Attr{Name: x.key, Value: x.value.text})
		case "attributes":
			err = readAttributes(root, x.value)
		case "before":
			root.Before, err = readAsides(x.value)
		case "after":
			root.After, err = readAsides(x.value)
		case "references":
			err = addElement(root)(readReferences(x.value))
		case "globals":
			err = addElement(root)(f.readVariables(x.value, "globalVarList"))
		case "steps":
			err = f.readSteps(root, x.value)
		case "object":
			object = x.value
		default:
			return nil, nil, &Error{x.line, x.column, x.key + ": is unknown here; a sequence has version, name, description, globals, references, defaults and steps"}
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return root, object, unique(root, n)
}

func addElement(into *sequence.Element) func(*sequence.Element, error) error {
	return func(e *sequence.Element, err error) error {
		if err == nil {
			into.Content = append(into.Content, sequence.Content{Element: e})
		}
		return err
	}
}

// unique refuses an attribute that is written twice, as itself and among attributes.
func unique(e *sequence.Element, n *node) error {
	for i, a := range e.Attrs {
		for _, b := range e.Attrs[:i] {
			if a.Name == b.Name {
				return n.fail("%s is there twice", a.Name)
			}
		}
	}
	return nil
}

func (f *form) readDefaults(n *node) error {
	for _, x := range n.fields {
		if elementNames[x.key] == "" || x.value.kind != mapping {
			return &Error{x.line, x.column, "defaults are for step:, group: and child:, each with attributes below it"}
		}
		var s shape
		for _, a := range x.value.fields {
			if a.value.kind != scalar || !slices.Contains(attributes, a.key) {
				return &Error{a.line, a.column, a.key + ": cannot have a default; " + strings.Join(attributes, ", ") + " can"}
			}
			s = append(s, sequence.Attr{Name: a.key, Value: a.value.text})
		}
		f.shapes[x.key], f.stated[x.key] = s, true
	}
	if n.kind != mapping {
		return n.fail("defaults are for step:, group: and child:, each with attributes below it")
	}
	return nil
}

func readAttributes(e *sequence.Element, n *node) error {
	if n.kind != mapping {
		return n.fail("attributes are written as NAME: VALUE")
	}
	for _, x := range n.fields {
		if x.value.kind != scalar {
			return x.value.fail("%s is a text", x.key)
		}
		if !xmlName(x.key) {
			return &Error{x.line, x.column, x.key + " cannot be the name of an attribute"}
		}
		e.Attrs = append(e.Attrs, sequence.Attr{Name: x.key, Value: x.value.text})
	}
	return nil
}

func readAsides(n *node) ([]sequence.Content, error) {
	var out []sequence.Content
	if n.kind != list {
		return nil, n.fail("a list of comment: and instruction: is due")
	}
	for _, item := range n.items {
		c, ok, err := readAside(item)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, item.fail("comment: or instruction: is due")
		}
		out = append(out, c)
	}
	return out, nil
}

func readAside(n *node) (sequence.Content, bool, error) {
	if n.kind != mapping || len(n.fields) != 1 {
		return sequence.Content{}, false, nil
	}
	x := n.fields[0]
	switch x.key {
	case "comment":
		if strings.Contains(x.value.text, "--") || strings.HasSuffix(x.value.text, "-") {
			return sequence.Content{}, false, n.fail("a comment cannot hold two dashes nor end with one")
		}
		return sequence.Content{Text: x.value.text, Comment: true}, true, nil
	case "instruction":
		target, _, _ := strings.Cut(x.value.text, " ")
		if !xmlName(target) || strings.EqualFold(target, "xml") || strings.Contains(x.value.text, "?>") {
			return sequence.Content{}, false, n.fail("an instruction begins with its target and does not hold its end")
		}
		return sequence.Content{Text: x.value.text, Instruction: true}, true, nil
	}
	return sequence.Content{}, false, nil
}

func (f *form) readSteps(into *sequence.Element, n *node) error {
	if n.kind == null {
		return nil
	}
	if n.kind != list {
		return n.fail("steps are a list; begin each with '- step: NAME', '- group: NAME' or '- child: NAME'")
	}
	for _, item := range n.items {
		c, ok, err := readAside(item)
		if err != nil {
			return err
		}
		if ok {
			into.Content = append(into.Content, c)
			continue
		}
		if item.kind != mapping || len(item.fields) == 0 {
			return item.fail("begin each with '- step: NAME', '- group: NAME' or '- child: NAME'")
		}
		if item.fields[0].key == "xml" {
			if err := rawInto(into, item); err != nil {
				return err
			}
			continue
		}
		if len(item.fields) == 1 && slices.Contains([]string{"if", "action", "variables", "globals"}, item.fields[0].key) {
			if err := f.between(into, item.fields[0]); err != nil {
				return err
			}
			continue
		}
		key := ""
		for _, x := range item.fields {
			if elementNames[x.key] != "" {
				if key != "" {
					return &Error{x.line, x.column, "this is a " + key + " already"}
				}
				key = x.key
			}
		}
		if key == "" {
			return item.fail("begin each with '- step: NAME', '- group: NAME' or '- child: NAME'")
		}
		e, err := f.element(key, item)
		if err != nil {
			return err
		}
		into.Content = append(into.Content, sequence.Content{Element: e})
	}
	return nil
}

// between reads what stands among the nodes of a group, or of the sequence, and belongs to it.
func (f *form) between(into *sequence.Element, x field) error {
	if x.key == "globals" {
		return addElement(into)(f.readVariables(x.value, "globalVarList"))
	}
	return f.nodePart(into, "group", x)
}
