package yamlform

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

const scriptVariable = "OSDRunPowerShellScriptSourceScript"

// variableList says whether a list holds variables and nothing else.
func variableList(e *sequence.Element) bool {
	content, ok := significant(e)
	if !ok {
		return false
	}
	for _, c := range content {
		if c.Element == nil {
			return false
		}
	}
	return true
}

// variables writes a list as a mapping where every variable has a name of its own, else as a list.
func (f *form) variables(list_ *sequence.Element) *node {
	byName := &node{kind: mapping}
	entries := &node{kind: list}
	unique := true
	for _, v := range list_.Elements() {
		name, ok := v.Attr("name")
		value := f.variable(v, name)
		if value == nil {
			unique = false
			entries.items = append(entries.items, raw(v))
			continue
		}
		if !ok || byName.field(name) != nil {
			unique = false
		}
		byName.add(name, value)
		entry := &node{kind: mapping}
		if ok {
			entry.add("name", text(name))
		} else {
			entry.add("name", &node{})
		}
		if value.kind == mapping {
			entry.fields = append(entry.fields, value.fields...)
		} else {
			entry.add("value", value)
		}
		entries.items = append(entries.items, entry)
	}
	if unique {
		return byName
	}
	return entries
}

// variable writes one variable: its value, and how it is called in its class where that is not what one would expect.
// nil is for what does not fit.
func (f *form) variable(v *sequence.Element, name string) *node {
	if v.Name != "variable" || len(v.Content) > 1 || len(v.Content) == 1 && !v.Content[0].Words() {
		return nil
	}
	property, isHidden := described(f.version, name)
	full := &node{kind: mapping, flow: true}
	value := v.Text()
	if script, ok := decodeScript(value); ok && name == scriptVariable {
		full.flow = false
		full.fields = append(full.fields, script...)
	} else {
		full.add("value", text(value))
	}
	if p, ok := v.Attr("property"); !ok {
		full.add("property", &node{})
	} else if p != property {
		full.add("property", text(p))
	}
	h, ok := v.Attr("hidden")
	switch {
	case ok && (!isHidden || h != "true"):
		full.add("hidden", text(h))
	case !ok && isHidden:
		full.add("hidden", &node{})
	}
	for _, a := range v.Attrs {
		if !slices.Contains([]string{"name", "property", "hidden"}, a.Name) {
			return nil
		}
	}
	if len(full.fields) == 1 && full.fields[0].key == "value" {
		return full.fields[0].value
	}
	full.flow = full.flow && !strings.Contains(value, "\n")
	return full
}

// readVariables is the way back.
func (f *form) readVariables(n *node, element string) (*sequence.Element, error) {
	e := &sequence.Element{Name: element, Line: n.line, Column: n.column}
	switch n.kind {
	case null:
	case mapping:
		for _, v := range n.fields {
			if err := f.readVariable(e, v.key, true, v.value, v.line, v.column); err != nil {
				return nil, err
			}
		}
	case list:
		for _, item := range n.items {
			if x := item.field("xml"); x != nil {
				if err := rawInto(e, item); err != nil {
					return nil, err
				}
				continue
			}
			if len(item.fields) == 0 || item.fields[0].key != "name" {
				return nil, item.fail("an entry of this list begins with name: or xml:")
			}
			rest := *item
			name, ok := item.fields[0].value.text, item.fields[0].value.kind == scalar
			rest.fields = item.fields[1:]
			if err := f.readVariable(e, name, ok, &rest, item.line, item.column); err != nil {
				return nil, err
			}
		}
	default:
		return nil, n.fail("variables are written as NAME: VALUE, one a line")
	}
	return e, nil
}

func (f *form) readVariable(into *sequence.Element, name string, named bool, n *node, line, column int) error {
	v := &sequence.Element{Name: "variable", Line: line, Column: column}
	property, isHidden := described(f.version, name)
	attr := map[string]*node{"property": text(property), "hidden": {}}
	if isHidden {
		attr["hidden"] = text("true")
	}
	value := n
	if n.kind == mapping {
		value = &node{}
		for _, x := range n.fields {
			switch x.key {
			case "value":
				value = x.value
			case "powershell", "lineEnds":
			case "property", "hidden":
				attr[x.key] = x.value
			default:
				return &Error{x.line, x.column, "a variable has value, powershell, property and hidden, not " + x.key}
			}
		}
		if script, ok, err := encodeScript(n); err != nil {
			return err
		} else if ok {
			value = text(script)
		}
	}
	if value.kind != scalar && value.kind != null {
		return n.fail("the value of %s is a text", name)
	}
	if named {
		v.Attrs = append(v.Attrs, sequence.Attr{Name: "name", Value: name})
	}
	for _, key := range []string{"property", "hidden"} {
		switch attr[key].kind {
		case scalar:
			v.Attrs = append(v.Attrs, sequence.Attr{Name: key, Value: attr[key].text})
		case null:
		default:
			return attr[key].fail("%s is a text", key)
		}
	}
	addText(v, value.text)
	into.Content = append(into.Content, sequence.Content{Element: v})
	return nil
}

func addText(e *sequence.Element, s string) {
	if s != "" {
		e.Content = append(e.Content, sequence.Content{Text: s})
	}
}

// decodeScript shows a PowerShell source as text when that gives back the same base64 (TS-103): UTF-16LE with mark, and
// line ends all of one kind.
func decodeScript(value string) ([]field, bool) {
	data, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(data) < 4 || len(data)%2 != 0 || data[0] != 0xFF || data[1] != 0xFE {
		return nil, false
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(data[i:]))
	}
	script := string(utf16.Decode(units))
	fields := []field{{key: "powershell", value: text(strings.ReplaceAll(script, "\r\n", "\n"))}}
	if strings.Contains(script, "\n") && !strings.Contains(script, "\r\n") {
		fields = append(fields, field{key: "lineEnds", value: text("lf")})
	}
	back, ok, err := encodeScript(&node{kind: mapping, fields: fields})
	return fields, ok && err == nil && back == value
}

func encodeScript(n *node) (string, bool, error) {
	script, ends := n.field("powershell"), n.field("lineEnds")
	if script == nil {
		return "", false, nil
	}
	if script.kind != scalar || n.field("value") != nil {
		return "", false, n.fail("powershell is a script's text, in place of value")
	}
	s := script.text
	switch {
	case ends == nil || strings.EqualFold(ends.text, "crlf"):
		s = strings.ReplaceAll(s, "\n", "\r\n")
	case !strings.EqualFold(ends.text, "lf"):
		return "", false, ends.fail("lineEnds is crlf or lf")
	}
	data := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		data = binary.LittleEndian.AppendUint16(data, u)
	}
	return base64.StdEncoding.EncodeToString(data), true, nil
}

func plainReferences(e *sequence.Element) bool {
	if len(e.Attrs) > 0 || !variableList(e) {
		return false
	}
	for _, r := range e.Elements() {
		if r.Name != "reference" || len(r.Content) > 0 || len(r.Attrs) == 0 {
			return false
		}
	}
	return true
}

func references(e *sequence.Element) *node {
	out := &node{kind: list}
	for _, r := range e.Elements() {
		n := &node{kind: mapping, flow: true}
		for _, a := range r.Attrs {
			n.add(a.Name, text(a.Value))
		}
		out.items = append(out.items, n)
	}
	return out
}

func readReferences(n *node) (*sequence.Element, error) {
	out := &sequence.Element{Name: "referenceList", Line: n.line, Column: n.column}
	if n.kind != list {
		return nil, n.fail("references are a list of {package: ID} and {application: NAME}")
	}
	for _, item := range n.items {
		r := &sequence.Element{Name: "reference", Line: item.line, Column: item.column}
		if err := readAttributes(r, item); err != nil {
			return nil, err
		}
		out.Content = append(out.Content, sequence.Content{Element: r})
	}
	return out, nil
}
