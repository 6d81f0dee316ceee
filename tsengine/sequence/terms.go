package sequence

import (
	"strconv"
	"strings"
)

// anyPlatform is the bit of ProgramFlags that says that the sequence may run on every platform.
const anyPlatform = 0x08000000

// Platform is one of the platforms that a sequence supports, as object.xml lists it (TS-8).
type Platform struct {
	Name           string // Win NT
	Architecture   string // x64, I386
	MinimumVersion string // 10.00.0000.0
	MaximumVersion string // 10.00.99999.9999
}

// Platforms are those on which the sequence may be started in a full operating system; none is every platform (TS-8).
func (s *Sequence) Platforms() []Platform {
	if flags, err := strconv.ParseUint(strings.TrimSpace(s.Properties["ProgramFlags"]), 10, 32); err == nil && flags&anyPlatform != 0 {
		return nil
	}
	if s.wrapper == nil {
		return nil
	}
	property := findElement(s.wrapper, func(e *Element) bool {
		name, _ := e.Attr("NAME")
		return name == "SupportedOperatingSystems"
	})
	if property == nil {
		return nil
	}
	var list []Platform
	for _, e := range property.all("INSTANCE") {
		value := func(name string) string {
			p := findElement(e, func(p *Element) bool { n, _ := p.Attr("NAME"); return p.Name == "PROPERTY" && n == name })
			if p == nil {
				return ""
			}
			for _, v := range p.Elements() {
				if v.Name == "VALUE" {
					return strings.TrimSpace(v.Text())
				}
			}
			return ""
		}
		list = append(list, Platform{value("Name"), value("Platform"), value("MinVersion"), value("MaxVersion")})
	}
	return list
}

// all are the elements of a name below this one, outermost first and not inside each other.
func (e *Element) all(name string) (list []*Element) {
	for _, c := range e.Elements() {
		if c.Name == name {
			list = append(list, c)
		} else {
			list = append(list, c.all(name)...)
		}
	}
	return list
}

// RunFirst is the program that is to run before the sequence when that is started in a full operating system (TS-8); ok is
// false when there is none.
func (s *Sequence) RunFirst() (packageID, program string, ok bool) {
	id, rest, ok := strings.Cut(s.Properties["DependentProgram"], ";")
	program = strings.TrimSpace(strings.TrimLeft(rest, ";"))
	return strings.TrimSpace(id), program, ok && strings.TrimSpace(id) != "" && program != ""
}

// Title is what people see while the sequence runs: its custom progress text, else its name (TS-8, TS-170).
func (s *Sequence) Title() string {
	if text := strings.TrimSpace(s.Properties["CustomProgressMsg"]); text != "" {
		return text
	}
	return s.Name
}
