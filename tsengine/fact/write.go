package fact

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// YAML writes the environment and the WMI classes as a document that Parse reads back. These are what the agent gathers; a
// sheet that people wrote keeps its own text.
func (s *Sheet) YAML() ([]byte, error) {
	var doc yaml.MapSlice
	if s.Environment != "" {
		doc = append(doc, yaml.MapItem{Key: "environment", Value: s.Environment})
	}
	classes := yaml.MapSlice{}
	for _, c := range s.Classes {
		name := c.Name
		if c.Namespace != "" && c.Namespace != `root\cimv2` {
			name = c.Namespace + ":" + name
		}
		instances := []yaml.MapSlice{}
		for _, i := range c.Instances {
			one := make(yaml.MapSlice, 0, len(i))
			for _, p := range i {
				one = append(one, yaml.MapItem{Key: p.Name, Value: quoted(p.Value)})
			}
			instances = append(instances, one)
		}
		classes = append(classes, yaml.MapItem{Key: name, Value: instances})
	}
	if len(classes) > 0 {
		doc = append(doc, yaml.MapItem{Key: "wmi", Value: classes})
	}
	if len(doc) == 0 {
		return []byte("{}\n"), nil
	}
	data, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write the fact sheet: %w", err)
	}
	return data, nil
}

// quoted puts texts into quotes that the writer leaves bare although they would be read as something else: ? opens a key.
func quoted(value any) any {
	switch v := value.(type) {
	case string:
		if strings.HasPrefix(v, "?") {
			return literal(v)
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = quoted(v[i])
		}
		return list
	}
	return value
}

type literal string

// MarshalYAML implements yaml.BytesMarshaler.
func (l literal) MarshalYAML() ([]byte, error) {
	return []byte("'" + strings.ReplaceAll(string(l), "'", "''") + "'"), nil
}
