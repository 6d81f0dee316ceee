package sequence

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a task sequence: a bare <sequence>, the object.xml of an export with the sequence inside its Sequence
// property, or a document with a <sequence> somewhere in it, as Configuration Manager 2007 wrote it. Errors are *Error.
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
			s.around(root, inner)
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

// around notes the document that a sequence stands in as an element. That of Configuration Manager 2007 has the
// properties as elements beside it.
func (s *Sequence) around(document, root *Element) {
	s.wrapper = document
	s.slot = findElement(document, func(e *Element) bool {
		return slices.ContainsFunc(e.Content, func(c Content) bool { return c.Element == root })
	})
	s.inline = true
	if document.Name != "SmsTaskSequencePackage" {
		return
	}
	for _, e := range document.Elements() {
		if len(e.Elements()) == 0 {
			s.Properties[e.Name] = strings.TrimSpace(e.Text())
		}
	}
	s.readProperties()
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
