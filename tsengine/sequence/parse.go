package sequence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parse reads a task sequence: a bare <sequence>, or the object.xml of an export with the sequence inside its Sequence
// property. Errors are *Error.
func Parse(data []byte) (*Sequence, error) {
	root, err := ParseElement(data)
	if err != nil {
		return nil, err
	}
	s := &Sequence{Properties: map[string]string{}, size: len(data)}
	if root.Name != "sequence" {
		if root, err = s.unwrap(root); err != nil {
			return nil, err
		}
	}
	s.root = root
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// unwrap takes the sequence out of a CIM-XML instance. The text is the VALUE directly under the property; the VALUEs of
// its qualifiers come first in the file and are not it (task-sequence-xml.md section 1).
func (s *Sequence) unwrap(root *Element) (*Element, error) {
	instance := findInstance(root)
	if instance == nil {
		if inner := findElement(root, func(e *Element) bool { return e.Name == "sequence" }); inner != nil {
			return inner, nil
		}
		return nil, &Error{root.Line, root.Column, fmt.Sprintf("<%s> holds no task sequence; give a <sequence>, an object.xml or a ts.xml", root.Name)}
	}
	s.readInstance(instance)
	s.wrapper = root
	text := s.Properties["Sequence"]
	delete(s.Properties, "Sequence")
	if strings.TrimSpace(text) == "" {
		return nil, &Error{instance.Line, instance.Column, "the object has no Sequence property with a value"}
	}
	inner, err := ParseElement([]byte(text))
	if err != nil {
		var place *Error
		if errors.As(err, &place) {
			place.Reason = "inside the Sequence property: " + place.Reason
		}
		return nil, err
	}
	if inner.Name != "sequence" {
		return nil, &Error{instance.Line, instance.Column, fmt.Sprintf("the Sequence property holds <%s>", inner.Name)}
	}
	return inner, nil
}

func findInstance(root *Element) *Element {
	return findElement(root, func(e *Element) bool {
		class, _ := e.Attr("CLASSNAME")
		return e.Name == "INSTANCE" && strings.EqualFold(class, "SMS_TaskSequencePackage")
	})
}

func (s *Sequence) readInstance(instance *Element) {
	for _, p := range instance.Elements() {
		name, _ := p.Attr("NAME")
		if p.Name != "PROPERTY" || name == "" {
			continue
		}
		for _, v := range p.Elements() {
			if v.Name == "VALUE" {
				s.Properties[name] = v.Text()
				if name == "Sequence" {
					s.slot = v
				}
			}
		}
	}
	s.readProperties()
}

func (s *Sequence) readProperties() {
	s.PackageID, s.Name = s.Properties["PackageID"], s.Properties["Name"]
	s.Description, s.BootImageID = s.Properties["Description"], s.Properties["BootImageID"]
	s.Disabled = strings.EqualFold(s.Properties["TsEnabled"], "false")
	if minutes, err := strconv.Atoi(s.Properties["Duration"]); err == nil && minutes >= 0 && minutes < 1<<20 {
		if minutes == 0 {
			minutes = 720 // no limit is monitored as twelve hours (TS-8)
		}
		s.MaxRunTime = time.Duration(minutes) * time.Minute
	}
}

func findElement(e *Element, match func(*Element) bool) *Element {
	if match(e) {
		return e
	}
	for _, c := range e.Content {
		if c.Element != nil {
			if found := findElement(c.Element, match); found != nil {
				return found
			}
		}
	}
	return nil
}
