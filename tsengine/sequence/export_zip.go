package sequence

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits on an export's zip. Content lies beside the zip, not in it, so real ones are small.
const (
	maxZipEntries = 20_000
	maxZipTotal   = 64 << 20 // bytes of all sequences in it, unpacked
)

// ParseExport reads a file that may be a Configuration Manager export (zip) with several sequences, parents and children
// together, or a single sequence as Parse reads it. Sequences of a zip come in its order and carry their package ids, by
// which parents name their children; references to what is not in the zip stay open (see References). Nothing is
// unpacked to disk.
func ParseExport(data []byte) ([]*Sequence, error) {
	if !IsArchive(data) {
		s, err := Parse(data)
		if err != nil {
			return nil, err
		}
		return []*Sequence{s}, nil
	}
	archive, err := OpenArchive(data)
	if err != nil {
		return nil, err
	}
	return archive.Sequences, nil
}

// IsArchive says whether data is a zip, an export of the console.
func IsArchive(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// Archive is an export of Configuration Manager: several sequences, parents and children together, with what else the
// console put beside them.
type Archive struct {
	Sequences []*Sequence       // in the order of the zip
	Packages  []ExportedPackage // that were exported with them

	reader *zip.Reader
	held   map[string]*Sequence // by entry name
}

// OpenArchive reads a zip. Names that would leave the folder they are unpacked to, two entries of one name and more
// than the limits are refused. Nothing is unpacked to disk.
func OpenArchive(data []byte) (*Archive, error) {
	reader, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	if len(reader.File) > maxZipEntries {
		return nil, fmt.Errorf("the export has %d files; %d are read at most", len(reader.File), maxZipEntries)
	}
	a := &Archive{reader: reader, held: map[string]*Sequence{}}
	left, seen := int64(maxZipTotal), map[string]bool{}
	for _, f := range reader.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		if !safeName(name) {
			return nil, fmt.Errorf("the export holds %q, a name outside its folder; export it again", f.Name)
		}
		if seen[name] {
			return nil, fmt.Errorf("the export holds %q twice; export it again", f.Name)
		}
		seen[name] = true
		number, isPackage := packageEntry(f.Name)
		if !isPackage && !sequenceEntry(f.Name) {
			continue
		}
		text, err := readEntry(f, min(left, MaxSize))
		if err != nil {
			return nil, fmt.Errorf("%s of the export: %w", f.Name, err)
		}
		left -= int64(len(text))
		if isPackage {
			// One that cannot be read leaves an open reference, as one that was not exported does.
			if p, err := readPackage(text, number); err == nil {
				a.Packages = append(a.Packages, p)
			}
			continue
		}
		s, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s of the export: %w", f.Name, err)
		}
		a.held[f.Name] = s
		a.Sequences = append(a.Sequences, s)
	}
	if len(a.Sequences) == 0 {
		return nil, errors.New("the zip holds no task sequence; export it from the task sequence node of the console")
	}
	return a, nil
}

// WriteTo writes an equivalent zip: the same entries in the same order, the sequences as ExportDocument writes them,
// everything else byte for byte.
func (a *Archive) WriteTo(w io.Writer) (int64, error) {
	count := &counter{w: w}
	out := zip.NewWriter(count)
	for _, f := range a.reader.File {
		s := a.held[f.Name]
		if s == nil {
			if err := out.Copy(f); err != nil {
				return count.n, fmt.Errorf("copy %s of the export: %w", f.Name, err)
			}
			continue
		}
		entry, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: f.Modified})
		if err != nil {
			return count.n, fmt.Errorf("write %s of the export: %w", f.Name, err)
		}
		if _, err := entry.Write(s.ExportDocument()); err != nil {
			return count.n, fmt.Errorf("write %s of the export: %w", f.Name, err)
		}
	}
	if err := out.SetComment(a.reader.Comment); err != nil {
		return count.n, err
	}
	err := out.Close()
	return count.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// safeName refuses what an unpacking program could take for a place outside its folder.
func safeName(name string) bool {
	if strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' || strings.ContainsRune(name, 0) {
		return false
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// sequenceEntry recognises SMS_TaskSequencePackage/<PackageID>/object.xml with either slash.
func sequenceEntry(name string) bool {
	parts := strings.Split(strings.ToLower(strings.ReplaceAll(name, `\`, "/")), "/")
	n := len(parts)
	return n >= 3 && parts[n-1] == "object.xml" && parts[n-3] == "sms_tasksequencepackage"
}

// readEntry does not believe the size that the zip states.
func readEntry(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return text, nil
}
