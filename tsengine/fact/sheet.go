package fact

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Sheet is a fact sheet. The zero value knows nothing: every question about it is answered with condition.ErrUnknown.
// It is safe for concurrent use once it is no longer changed.
type Sheet struct {
	// Environment is "winpe", "fullos", or empty when the sheet does not say.
	Environment string
	// Variables are task sequence variables that exist before the first step, by name as written.
	Variables map[string]string
	// ExitCodes are what steps return in a simulation, by step name or pointer; package simulate says which counts first.
	ExitCodes map[string]uint32

	// Classes are the WMI classes the machine has, with their instances. A class with no instance is known to be empty;
	// a class that is not listed is unknown.
	Classes []Class

	// Registry, Files and Software are nil when the sheet does not speak of them, which is not the same as empty.
	Registry map[string]*Key // by the key path of KeyPath
	Files    map[string]File // by the path of FilePath
	Software []Product
}

// Class is a WMI class and its instances.
type Class struct {
	// Namespace is lower case with backslashes, such as `root\cimv2`. Empty stands for every namespace.
	Namespace string
	Name      string
	Instances []Instance
}

// Instance is one instance of a WMI class, its properties in the order they were given.
type Instance []Property

// Property is a named value: nil, string, bool, int64, uint64 (only above the range of int64), float64 or a []any of these.
type Property struct {
	Name  string
	Value any
}

// Property returns a property by its name without regard to case. A property the instance lacks is nil and false.
func (i Instance) Property(name string) (any, bool) {
	for _, p := range i {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return nil, false
}

// Set adds a property, or replaces the one of that name.
func (i *Instance) Set(name string, value any) {
	for n := range *i {
		if strings.EqualFold((*i)[n].Name, name) {
			(*i)[n].Value = value
			return
		}
	}
	*i = append(*i, Property{name, value})
}

// Key is a registry key. Values are by lower-case name; the default value has the empty name.
type Key struct {
	Path   string // as written, for messages
	Values map[string]Value
}

// Value is a value of a registry key.
type Value struct {
	Name string // as written
	Type string // REG_SZ and so on; empty when the sheet does not say
	Data any    // as in Property
}

// File is a file or folder. A zero time and an empty version are unknown.
type File struct {
	Path     string // as written, for messages
	Folder   bool
	Version  string
	Modified time.Time
	Size     int64 // bytes; no expression asks for it
}

// Product is an installed MSI product. Codes are compared without braces and case.
type Product struct {
	ProductCode, UpgradeCode, Name, Version string
}

// Class returns the class that a query in a namespace means, or nil. A class that is listed for that very namespace
// comes before one without a namespace.
func (s *Sheet) Class(namespace, name string) *Class {
	namespace = Namespace(namespace)
	var loose *Class
	for i := range s.Classes {
		c := &s.Classes[i]
		if !strings.EqualFold(c.Name, name) {
			continue
		}
		if c.Namespace == namespace {
			return c
		}
		if c.Namespace == "" {
			loose = c
		}
	}
	return loose
}

// Instances are those of a class in any namespace, as a running Windows would give them.
func (s *Sheet) Instances(_ context.Context, class string) (list []Instance) {
	for _, c := range s.Classes {
		if strings.EqualFold(c.Name, class) {
			list = append(list, c.Instances...)
		}
	}
	return list
}

// Add puts an instance into a class, which it makes when needed. Without instances it makes an empty class.
func (s *Sheet) Add(namespace, name string, instances ...Instance) {
	if namespace != "" {
		namespace = Namespace(namespace)
	}
	i := slices.IndexFunc(s.Classes, func(c Class) bool { return c.Namespace == namespace && strings.EqualFold(c.Name, name) })
	if i < 0 {
		s.Classes = append(s.Classes, Class{Namespace: namespace, Name: name})
		i = len(s.Classes) - 1
	}
	s.Classes[i].Instances = append(s.Classes[i].Instances, instances...)
}

// Namespace is the one spelling of a WMI namespace: lower case, backslashes, without machine. Empty is root\cimv2.
func Namespace(s string) string {
	s = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), "/", `\`))
	if rest, ok := strings.CutPrefix(s, `\\`); ok { // \\machine\root\...
		_, s, _ = strings.Cut(rest, `\`)
	}
	s = strings.Trim(s, `\`)
	if s == "" {
		return `root\cimv2`
	}
	return s
}
