package unattend

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The passes of Setup that settings go into.
const (
	specialize = "specialize"
	oobeSystem = "oobeSystem"
)

// wcm is the name space of the attributes of lists.
const wcm = "http://schemas.microsoft.com/WMIConfig/2002/State"

// File is an answer file. Use Read or New.
type File struct {
	prolog []any
	root   *element
	arch   string
}

// New is an empty answer file for an architecture as Windows calls it: amd64, x86 or arm64.
func New(arch string) *File {
	return &File{arch: arch, root: &element{name: "unattend", attrs: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "urn:schemas-microsoft-com:unattend"}}}}
}

// Read reads an answer file in UTF-8 or UTF-16. arch is for components that are added.
func Read(data []byte, arch string) (*File, error) {
	prolog, root, err := read(decode(data))
	if err != nil {
		return nil, err
	}
	return &File{prolog: prolog, root: root, arch: arch}, nil
}

// decode turns UTF-16 with a BOM into UTF-8, and takes the declaration away, which then is no longer true.
func decode(data []byte) []byte {
	big := bytes.HasPrefix(data, []byte{0xFE, 0xFF})
	if big || bytes.HasPrefix(data, []byte{0xFF, 0xFE}) {
		units := make([]uint16, 0, len(data)/2)
		for i := 2; i+1 < len(data); i += 2 {
			lo, hi := data[i], data[i+1]
			if big {
				lo, hi = hi, lo
			}
			units = append(units, uint16(lo)|uint16(hi)<<8)
		}
		var b bytes.Buffer
		for _, r := range utf16.Decode(units) {
			b.WriteRune(r)
		}
		data = b.Bytes()
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.HasPrefix(data, []byte("<?xml")) {
		if i := bytes.Index(data, []byte("?>")); i > 0 {
			data = data[i+2:]
		}
	}
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("?"))
	}
	return data
}

// Bytes is the file as it is to be stored.
func (f *File) Bytes() []byte { return write(f.prolog, f.root) }

// component finds or makes a component in a pass.
func (f *File) component(pass, name string) *element {
	settings := f.pass(pass)
	for _, c := range settings.children {
		if c, ok := c.(*element); ok && c.name == "component" && c.attr("name") == name && (f.arch == "" || strings.EqualFold(c.attr("processorArchitecture"), f.arch)) {
			if f.root.attr("xmlns:wcm") == "" && c.attr("xmlns:wcm") == "" {
				c.attrs = append(c.attrs, xml.Attr{Name: xml.Name{Local: "xmlns:wcm"}, Value: wcm})
			}
			return c
		}
	}
	return settings.add("component", "name", name, "processorArchitecture", f.arch, "publicKeyToken", "31bf3856ad364e35", "language", "neutral",
		"versionScope", "nonSxS", "xmlns:wcm", wcm, "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
}

func (f *File) pass(name string) *element {
	for _, c := range f.root.children {
		if c, ok := c.(*element); ok && c.name == "settings" && c.attr("pass") == name {
			return c
		}
	}
	return f.root.add("settings", "pass", name)
}

// dropComponent removes a component; the pass stays.
func (f *File) dropComponent(pass, name string) {
	settings := f.pass(pass)
	kept := settings.children[:0]
	for _, c := range settings.children {
		if c, ok := c.(*element); ok && c.name == "component" && c.attr("name") == name {
			continue
		}
		kept = append(kept, c)
	}
	settings.children = kept
}

// RunOnce adds a command to the specialize pass. One of the same description is replaced.
func (f *File) RunOnce(description, line string) {
	list := f.component(specialize, "Microsoft-Windows-Deployment").at("RunSynchronous")
	order := 1
	for i := 0; i < len(list.children); i++ {
		c, ok := list.children[i].(*element)
		if !ok || c.name != "RunSynchronousCommand" {
			continue
		}
		if d := c.child("Description"); d != nil && d.text() == description {
			list.children = append(list.children[:i], list.children[i+1:]...)
			i--
			continue
		}
		if o := c.child("Order"); o != nil {
			if n, err := strconv.Atoi(strings.TrimSpace(o.text())); err == nil && n >= order {
				order = n + 1
			}
		}
	}
	c := list.add("RunSynchronousCommand", "wcm:action", "add")
	c.set("Description", description)
	c.set("Order", strconv.Itoa(order))
	c.set("Path", line)
}

// Expand replaces the variables in all texts, but for fields that hold numbers only (TS-92), in which Setup allows none.
func (f *File) Expand(expand func(string) string) { expandIn(f.root, expand) }

func expandIn(e *element, expand func(string) string) {
	for i, c := range e.children {
		switch c := c.(type) {
		case *element:
			expandIn(c, expand)
		case xml.CharData:
			if !numeric(e.name) {
				e.children[i] = xml.CharData(expand(string(c)))
			}
		}
	}
}

// numeric says whether an element of the schema holds a number.
func numeric(name string) bool {
	switch name {
	case "Order", "DiskID", "PartitionID", "Size", "ProtectYourPC", "LogonCount", "HorizontalResolution", "VerticalResolution", "ColorDepth", "RefreshRate",
		"NetbiosOptions", "AutoLogonCount", "Metric", "TypeID", "ConcurrentUsers", "LayeredDriver":
		return true
	}
	return false
}
