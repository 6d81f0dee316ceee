package fact

import (
	"strconv"
	"strings"
)

// wmi reads the classes: a map of class name, which may carry its namespace, to a list of property maps. One property
// map instead of a list is one instance; null and false are a class without instances.
func (s *Sheet) wmi(t *tree) error {
	switch {
	case t.null():
		return nil
	case t.kind != mapping:
		return wrong(t.line, "wmi must be a map of class: list of property maps")
	}
	for _, e := range t.entries {
		if err := s.class(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sheet) class(e entry) error {
	namespace, name := "", strings.TrimSpace(e.key)
	if i := strings.LastIndex(name, ":"); i >= 0 {
		namespace, name = name[:i], strings.TrimSpace(name[i+1:])
	} else if strings.ContainsAny(name, `\/`) { // also a namespace with its classes below it, or a path without colon
		if e.value.kind == mapping && namespaceOfClasses(e.value) {
			for _, c := range e.value.entries {
				if err := s.class(entry{name + ":" + c.key, c.line, c.value}); err != nil {
					return err
				}
			}
			return nil
		}
		i := strings.LastIndexAny(name, `\/`)
		namespace, name = name[:i], name[i+1:]
	}
	if name == "" {
		return wrong(e.line, "a class needs a name")
	}
	s.Add(namespace, name)
	instances := []*tree{e.value}
	switch {
	case e.value.null():
		return nil
	case e.value.kind == list:
		instances = e.value.list
	}
	for _, one := range instances {
		instance, err := readInstance(name, one)
		if err != nil {
			return err
		}
		s.Add(namespace, name, instance)
	}
	return nil
}

// namespaceOfClasses tells a map of classes from a map of properties: classes hold maps or lists of maps.
func namespaceOfClasses(t *tree) bool {
	for _, e := range t.entries {
		if e.value.kind == scalar || e.value.kind == list && len(e.value.list) > 0 && e.value.list[0].kind != mapping {
			return false
		}
	}
	return len(t.entries) > 0
}

func readInstance(class string, t *tree) (Instance, error) {
	if t.kind != mapping {
		return nil, wrong(t.line, "an instance of %s is %s, it must be a map of property: value", class, t.kind)
	}
	instance := make(Instance, 0, len(t.entries))
	for _, e := range t.entries {
		value, err := e.value.plain()
		if err != nil {
			return nil, err
		}
		if e.value.kind == scalar {
			value = typed(class, e.key, value, e.value.text)
		}
		instance.Set(e.key, value)
	}
	return instance, nil
}

// stringProperties are texts in Windows' own classes that look like numbers, so that a person need not quote them: the
// order of two texts is not that of two numbers.
var stringProperties = map[string]string{
	"win32_operatingsystem":       " version buildnumber serialnumber countrycode locale osarchitecture csdversion ",
	"win32_computersystem":        " model name domain systemfamily systemskunumber ",
	"win32_computersystemproduct": " version identifyingnumber name uuid skunumber ",
	"win32_baseboard":             " product version serialnumber ",
	"win32_bios":                  " smbiosbiosversion version serialnumber name ",
	"win32_systemenclosure":       " serialnumber smbiosassettag version ",
	"win32_processor":             " processorid version stepping name ",
	"win32_tpm":                   " specversion manufacturerversion manufacturerversioninfo ",
	"win32_diskdrive":             " serialnumber model firmwarerevision ",
	"win32_product":               " version identifyingnumber name ",
	"win32_pnpsigneddriver":       " driverversion ",
}

// typed gives a property of a known class the type it has in WMI.
func typed(class, property string, value any, text string) any {
	switch value.(type) {
	case int64, uint64, float64, bool:
		if strings.Contains(stringProperties[strings.ToLower(class)], " "+strings.ToLower(property)+" ") {
			return text
		}
	}
	return value
}

// text is a value as messages and comparisons with text show it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = text(v[i])
		}
		return strings.Join(parts, ", ")
	}
	return ""
}
