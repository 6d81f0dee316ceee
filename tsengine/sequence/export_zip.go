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
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		s, err := Parse(data)
		if err != nil {
			return nil, err
		}
		return []*Sequence{s}, nil
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	if len(archive.File) > maxZipEntries {
		return nil, fmt.Errorf("the export has %d files; %d are read at most", len(archive.File), maxZipEntries)
	}
	var out []*Sequence
	left := int64(maxZipTotal)
	for _, f := range archive.File {
		if !sequenceEntry(f.Name) {
			continue
		}
		text, err := readEntry(f, min(left, MaxSize))
		if err != nil {
			return nil, fmt.Errorf("%s of the export: %w", f.Name, err)
		}
		left -= int64(len(text))
		s, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s of the export: %w", f.Name, err)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, errors.New("the zip holds no task sequence; export it from the task sequence node of the console")
	}
	return out, nil
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
