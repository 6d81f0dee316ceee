package fact

import "strings"

var hives = map[string]string{
	"hklm": "hklm", "hkey_local_machine": "hklm",
	"hkcu": "hkcu", "hkey_current_user": "hkcu",
	"hku": "hku", "hkey_users": "hku", "users": "hku",
	"hkcc": "hkcc", "hkey_current_config": "hkcc",
	"hkcr": `hklm\software\classes`, "hkey_classes_root": `hklm\software\classes`,
}

// KeyPath is the one spelling of a registry key: lower case, the short name of its root, no backslash at the end.
func KeyPath(s string) string {
	parts := strings.FieldsFunc(strings.ToLower(strings.TrimSpace(s)), func(r rune) bool { return r == '\\' })
	if len(parts) > 1 && parts[0] == "computer" {
		parts = parts[1:]
	}
	if len(parts) > 0 {
		root := strings.TrimSuffix(parts[0], ":")
		if short, ok := hives[root]; ok {
			root = short
		}
		parts[0] = root
	}
	return strings.Join(parts, `\`)
}

// key returns a key, which it makes when needed together with those above it.
func (s *Sheet) key(path string) *Key {
	id := KeyPath(path)
	k := s.Registry[id]
	if k == nil {
		k = &Key{Path: path, Values: map[string]Value{}}
		s.Registry[id] = k
		if i := strings.LastIndex(strings.TrimRight(path, `\`), `\`); i > 0 {
			s.key(path[:i])
		}
	}
	return k
}

func (k *Key) set(name, kind string, data any) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "@", "(default)", "default", "":
		name = ""
	}
	k.Values[strings.ToLower(name)] = Value{Name: name, Type: strings.ToUpper(strings.TrimSpace(kind)), Data: data}
}

// registry reads keys: a map of key path to its values, a tree of keys, or a list.
func (s *Sheet) registry(t *tree) error {
	if s.Registry == nil {
		s.Registry = map[string]*Key{}
	}
	switch {
	case t.null():
		return nil
	case t.kind == mapping:
		for _, e := range t.entries {
			if err := s.registryEntry(e); err != nil {
				return err
			}
		}
		return nil
	case t.kind == list:
		for _, one := range t.list {
			if err := s.registryItem(one); err != nil {
				return err
			}
		}
		return nil
	}
	return wrong(t.line, "registry must be a map of key path: values")
}

func (s *Sheet) registryEntry(e entry) error {
	path := strings.Trim(strings.TrimSpace(e.key), `\`)
	if path == "" {
		return wrong(e.line, "a registry key needs a path")
	}
	switch v := e.value; {
	case v.kind == scalar && v.value == nil || v.kind == list && len(v.list) == 0: // there, and empty
		s.key(path)
		return nil
	case v.kind == scalar:
		if there, ok := v.value.(bool); ok {
			if there {
				s.key(path)
			}
			return nil
		}
		return s.valueByPath(path, "", v) // path and value name in one
	case isTypedValue(v):
		return s.typedByPath(path, v)
	case v.kind == list && v.list[0].kind == scalar:
		return s.valueByPath(path, "REG_MULTI_SZ", v)
	case v.kind == list: // values of the key
		for _, one := range v.list {
			f, err := fields(one, "name|value|valuename", "type", "data")
			if err != nil {
				return err
			}
			if err := setValue(s.key(path), textOf(f["name"]), f["type"], f["data"], one.line); err != nil {
				return err
			}
		}
		return nil
	}
	k := s.key(path)
	for _, c := range e.value.entries {
		v := c.value
		switch {
		case v.kind == mapping && isTypedValue(v):
			if err := typedValue(k, c.key, v); err != nil {
				return err
			}
		case v.kind == mapping || v.kind == list && len(v.list) > 0 && v.list[0].kind == mapping: // a key below
			if err := s.registryEntry(entry{path + `\` + c.key, c.line, v}); err != nil {
				return err
			}
		default:
			if err := setValue(k, c.key, nil, v, c.line); err != nil {
				return err
			}
		}
	}
	return nil
}

// registryItem reads one item of a list: a key path, or a map with key, value, type and data.
func (s *Sheet) registryItem(t *tree) error {
	if t.kind == scalar {
		if strings.TrimSpace(t.text) == "" {
			return wrong(t.line, "a registry key needs a path")
		}
		s.key(strings.TrimSpace(t.text))
		return nil
	}
	f, err := fields(t, "key|path|keypath", "name|value|valuename", "type", "data", "values")
	if err != nil {
		return err
	}
	path := strings.TrimSpace(textOf(f["key"]))
	if path == "" {
		return wrong(t.line, "a registry entry needs key, and for a value also value and data")
	}
	if f["values"] != nil {
		return s.registryEntry(entry{path, t.line, f["values"]})
	}
	k := s.key(path)
	if f["name"] == nil && f["data"] == nil && f["type"] == nil {
		return nil
	}
	return setValue(k, textOf(f["name"]), f["type"], f["data"], t.line)
}

func textOf(t *tree) string {
	if t == nil {
		return ""
	}
	return t.text
}

// isTypedValue tells {type, data} from a key that holds values.
func isTypedValue(t *tree) bool {
	if t.kind != mapping || len(t.entries) > 2 {
		return false
	}
	typed := false
	for _, e := range t.entries {
		switch strings.ToLower(e.key) {
		case "type":
			typed = typed || strings.HasPrefix(strings.ToUpper(e.value.text), "REG_")
		case "data":
			typed = true
		case "value":
		default:
			return false
		}
	}
	return typed
}

func typedValue(k *Key, name string, t *tree) error {
	f, err := fields(t, "type", "data|value")
	if err != nil {
		return err
	}
	return setValue(k, name, f["type"], f["data"], t.line)
}

// typedByPath and valueByPath take the last part of the path as the name of the value.
func (s *Sheet) typedByPath(path string, t *tree) error {
	i := strings.LastIndex(path, `\`)
	if i < 0 {
		return wrong(t.line, "%s needs a key before the name of the value", path)
	}
	return typedValue(s.key(path[:i]), path[i+1:], t)
}

func (s *Sheet) valueByPath(path, kind string, t *tree) error {
	i := strings.LastIndex(path, `\`)
	if i < 0 {
		return wrong(t.line, "%s needs a key before the name of the value", path)
	}
	data, err := t.plain()
	s.key(path[:i]).set(path[i+1:], kind, data)
	return err
}

func setValue(k *Key, name string, kind, data *tree, line int) error {
	if data == nil {
		data = &tree{line: line}
	}
	v, err := data.plain()
	if err != nil {
		return err
	}
	k.set(name, textOf(kind), v)
	return nil
}
