package fact

import (
	"strconv"
	"strings"
)

// Parse reads a fact sheet from YAML. Empty input is an empty sheet. Shapes are forgiving (docs/facts.md); what is not
// understood is an *Error with its line. Input of any kind is safe: size, depth and aliases are bounded.
func Parse(data []byte) (*Sheet, error) {
	t, err := readTree(data)
	if err != nil {
		return nil, err
	}
	s := &Sheet{Variables: map[string]string{}, ExitCodes: map[string]uint32{}}
	if t == nil || t.null() {
		return s, nil
	}
	if t.kind != mapping {
		return nil, wrong(t.line, "the sheet is %s, it must be a map with keys such as wmi, variables, registry, files", t.kind)
	}
	for _, e := range t.entries {
		if err := s.section(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Sheet) section(e entry) error {
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(e.key)) {
	case "environment":
		return s.environment(e.value)
	case "variables":
		given := map[string]bool{}
		return named(e.value, "variables", func(name string, v *tree) error {
			if v.kind != scalar {
				return wrong(v.line, "variable %s is %s, it must be one value", name, v.kind)
			}
			k := strings.ToLower(strings.TrimSpace(name))
			if given[k] {
				return wrong(v.line, "variable %s is given twice, and names have no case (TS-80); leave one out", name)
			}
			given[k] = true
			s.Variables[name] = v.text
			return nil
		})
	case "exitcodes":
		return named(e.value, "exitCodes", func(name string, v *tree) error {
			code, err := exitCode(v)
			s.ExitCodes[name] = code
			return err
		})
	case "wmi":
		return s.wmi(e.value)
	case "registry":
		return s.registry(e.value)
	case "files":
		return s.files(e.value, false)
	case "folders":
		return s.files(e.value, true)
	case "software":
		return s.software(e.value)
	case "name", "description", "comment", "version": // for people
		return nil
	}
	return wrong(e.line, "key %q is unknown; a sheet has environment, variables, exitCodes, wmi, registry, files and software", e.key)
}

func (s *Sheet) environment(t *tree) error {
	switch text := strings.ToLower(strings.TrimSpace(t.text)); {
	case t.kind != scalar:
	case text == "", text == "winpe", text == "fullos":
		s.Environment = text
		return nil
	}
	return wrong(t.line, "environment must be winpe or fullos")
}

// named reads a map of names, or a list of maps with a name and a value.
func named(t *tree, what string, add func(name string, value *tree) error) error {
	switch {
	case t.null():
		return nil
	case t.kind == mapping:
		for _, e := range t.entries {
			if err := add(e.key, e.value); err != nil {
				return err
			}
		}
		return nil
	case t.kind == list:
		for _, one := range t.list {
			f, err := fields(one, "name|step", "value|code")
			if err != nil {
				return err
			}
			if f["name"] == nil || f["value"] == nil {
				return wrong(one.line, "an entry of %s needs name and value", what)
			}
			if err := add(f["name"].text, f["value"]); err != nil {
				return err
			}
		}
		return nil
	}
	return wrong(t.line, "%s must be a map", what)
}

// exitCode reads an unsigned 32-bit number, decimal or hexadecimal, or its negative twin (TS-33).
func exitCode(t *tree) (uint32, error) {
	n, err := integer(strings.ReplaceAll(t.text, "_", ""))
	if t.kind != scalar || err != nil || n < -1<<31 || n > 1<<32-1 {
		return 0, wrong(t.line, "an exit code is a number of 32 bits")
	}
	return uint32(n), nil
}

// integer reads a decimal number, also with zeros in front, or a hexadecimal one.
func integer(s string) (int64, error) {
	digits, hex := strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), "0x")
	if hex {
		return strconv.ParseInt(digits, 16, 64)
	}
	return strconv.ParseInt(digits, 10, 64)
}

// fields reads a map with known keys. Each name may list other spellings behind |; the result is by the first.
func fields(t *tree, names ...string) (map[string]*tree, error) {
	if t.kind != mapping {
		return nil, wrong(t.line, "here is %s, it must be a map with %s", t.kind, strings.Join(names, ", "))
	}
	out := make(map[string]*tree, len(t.entries))
next:
	for _, e := range t.entries {
		key := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(e.key))
		for _, spellings := range names {
			for _, spelling := range strings.Split(spellings, "|") {
				if key == strings.ToLower(spelling) {
					first, _, _ := strings.Cut(spellings, "|")
					out[first] = e.value
					continue next
				}
			}
		}
		return nil, wrong(e.line, "key %q is unknown here; known are %s", e.key, strings.ReplaceAll(strings.Join(names, ", "), "|", " or "))
	}
	return out, nil
}

// plain reads a value or a list of values as a Property holds them.
func (t *tree) plain() (any, error) {
	switch t.kind {
	case scalar:
		return t.value, nil
	case list:
		out := make([]any, 0, len(t.list))
		for _, one := range t.list {
			if one.kind != scalar {
				return nil, wrong(one.line, "a list inside a value holds plain values only")
			}
			out = append(out, one.value)
		}
		return out, nil
	}
	return nil, wrong(t.line, "here is a map, it must be a value or a list of values")
}
