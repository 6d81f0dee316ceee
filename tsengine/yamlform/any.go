package yamlform

import (
	"bytes"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// Read takes a file in any form: a zip of the console with several sequences, XML as sequence.Parse reads it, or YAML.
func Read(data []byte) ([]*sequence.Sequence, error) {
	if sequence.IsArchive(data) || !isYAML(data) {
		return sequence.ParseExport(data)
	}
	s, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return []*sequence.Sequence{s}, nil
}

// isYAML says whether a text cannot be XML, which begins with a bracket in every encoding.
func isYAML(data []byte) bool {
	if len(data) > 1 && (data[0] == 0 || data[1] == 0 || data[0] >= 0xFE) {
		return false // UTF-16
	}
	rest := bytes.TrimLeft(bytes.ReplaceAll(data[:min(len(data), 4096)], []byte("\uFEFF"), nil), " \t\r\n")
	return len(rest) > 0 && rest[0] != '<'
}
