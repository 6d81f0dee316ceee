package sequence

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// PackageType is the number that an export gives a kind of package (TS-139).
type PackageType int

// The numbers of exports.
const (
	StandardPackage  PackageType = 0
	DriverPackage    PackageType = 3
	SequencePackage  PackageType = 4
	ImagePackage     PackageType = 257
	BootImagePackage PackageType = 258
	UpgradePackage   PackageType = 259
)

// packageClasses are the classes of the packages of an export, whose folders carry their names.
var packageClasses = map[PackageType]string{
	StandardPackage: "SMS_Package", DriverPackage: "SMS_DriverPackage", ImagePackage: "SMS_ImagePackage",
	BootImagePackage: "SMS_BootImagePackage", UpgradePackage: "SMS_OperatingSystemInstallPackage",
}

// ExportedPackage is a package that an export brings along. Its content lies beside the zip, not in it.
type ExportedPackage struct {
	ID, Name, Description string
	Type                  PackageType
}

// Export is what WriteExport writes: sequences, children before or after their parents, and the packages they need.
type Export struct {
	Sequences []ExportedSequence
	Packages  []ExportedPackage
}

// ExportedSequence is a sequence under the id and name that it has at the site.
type ExportedSequence struct {
	Sequence            *Sequence
	ID, Name, BootImage string
}

// WriteExport writes the zip of an export (TS-175). What a sequence does not say of itself comes from the site.
func WriteExport(w io.Writer, e Export) error {
	out := zip.NewWriter(w)
	add := func(name string, data []byte) error {
		entry, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err == nil {
			_, err = entry.Write(data)
		}
		if err != nil {
			return fmt.Errorf("write %s of the export: %w", name, err)
		}
		return nil
	}
	types := `<?xml version="1.0" encoding="utf-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="text/xml" /></Types>`
	if err := add("[Content_Types].xml", []byte(types)); err != nil {
		return err
	}
	if err := add("Manifest.xml", e.manifest()); err != nil {
		return err
	}
	for _, s := range e.Sequences {
		if err := add("SMS_TaskSequencePackage/"+s.ID+"/object.xml", s.document()); err != nil {
			return err
		}
	}
	for _, p := range e.Packages {
		class := packageClasses[p.Type]
		if class == "" {
			return fmt.Errorf("package %s has the type %d, which no export has", p.ID, p.Type)
		}
		document := instance(class, [][2]string{{"PackageID", p.ID}, {"Name", p.Name}, {"Description", p.Description}, {"PackageType", strconv.Itoa(int(p.Type))}})
		if err := add(class+"/"+p.ID+"/object.xml", document); err != nil {
			return err
		}
	}
	return out.Close()
}

// document is the sequence's own object where it has one of that id, which loses nothing, else a new one.
func (s ExportedSequence) document() []byte {
	if s.Sequence.wrapper != nil && strings.EqualFold(s.Sequence.PackageID, s.ID) {
		return s.Sequence.ExportDocument()
	}
	return instance("SMS_TaskSequencePackage", [][2]string{{"PackageID", s.ID}, {"Name", s.Name}, {"Description", s.Sequence.Description}, {"BootImageID", s.BootImage},
		{"TsEnabled", strconv.FormatBool(!s.Sequence.Disabled)}, {"PackageType", "4"}, {"Sequence", string(s.Sequence.Export())}})
}

func instance(class string, properties [][2]string) []byte {
	var b bytes.Buffer
	b.WriteString("\uFEFF" + `<?xml version="1.0" encoding="utf-8"?>` + "\r\n" + `<INSTANCE CLASSNAME="` + class + `">`)
	for _, p := range properties {
		b.WriteString(`<PROPERTY NAME="` + p[0] + `" TYPE="string"><VALUE>` + escaped(p[1]) + `</VALUE></PROPERTY>`)
	}
	b.WriteString(`</INSTANCE>`)
	return b.Bytes()
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}

func (e Export) manifest() []byte {
	var b bytes.Buffer
	b.WriteString("\uFEFF" + `<?xml version="1.0" encoding="utf-8"?><LibraryDocument><Properties /><Contents>`)
	for _, p := range e.Packages {
		fmt.Fprintf(&b, `<Content UniqueId="%s" RelativePath="%s" OriginalPath="" />`, escaped(p.ID), escaped(p.ID))
	}
	b.WriteString(`</Contents><EntryObjects>`)
	for _, s := range e.Sequences {
		fmt.Fprintf(&b, `<Object Path="SMS_TaskSequencePackage.PackageID='%s'" Type="SMS_TaskSequencePackage" />`, escaped(s.ID))
	}
	b.WriteString(`</EntryObjects></LibraryDocument>`)
	return b.Bytes()
}

// packageEntry recognises CLASS/<PackageID>/object.xml of a package.
func packageEntry(name string) (PackageType, bool) {
	parts := strings.Split(strings.ReplaceAll(name, `\`, "/"), "/")
	n := len(parts)
	if n < 3 || !strings.EqualFold(parts[n-1], "object.xml") {
		return 0, false
	}
	for number, class := range packageClasses {
		if strings.EqualFold(parts[n-3], class) {
			return number, true
		}
	}
	return 0, false
}

// readPackage reads the object of a package. A PackageType in it beats the folder's (TS-139).
func readPackage(data []byte, number PackageType) (ExportedPackage, error) {
	root, err := ParseElement(data)
	if err != nil {
		return ExportedPackage{}, err
	}
	o := findElement(root, func(e *Element) bool { return e.Name == "INSTANCE" })
	if o == nil {
		return ExportedPackage{}, &Error{root.Line, root.Column, "it holds no object"}
	}
	holder := &Sequence{Properties: map[string]string{}}
	holder.readInstance(o)
	p := ExportedPackage{ID: holder.PackageID, Name: holder.Name, Description: holder.Description, Type: number}
	if n, err := strconv.Atoi(strings.TrimSpace(holder.Properties["PackageType"])); err == nil && packageClasses[PackageType(n)] != "" {
		p.Type = PackageType(n)
	}
	if p.ID == "" {
		return p, &Error{o.Line, o.Column, "the package has no PackageID"}
	}
	if strings.ContainsAny(p.ID, `/\:`) || strings.Trim(p.ID, ".") == "" { // content is looked for in a folder of that name
		return p, &Error{o.Line, o.Column, "the PackageID is no name of a folder"}
	}
	return p, nil
}
