package inventory

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// structure is one structure of an SMBIOS table (DMTF DSP0134, 6.1): its formatted part and its strings.
type structure struct {
	kind    byte
	data    []byte
	strings [][]byte
}

// maxStructures bounds a table; real ones have less than 300.
const maxStructures = 4096

// parseSMBIOS reads the structures of a table. A table that is cut off or malformed gives those before the damage.
func parseSMBIOS(table []byte) []structure {
	var list []structure
	for len(table) >= 4 && len(list) < maxStructures {
		kind, length := table[0], int(table[1])
		if length < 4 || length > len(table) {
			break
		}
		end := bytes.Index(table[length:], []byte{0, 0})
		if end < 0 {
			break
		}
		list = append(list, structure{kind, table[:length], bytes.Split(table[length:length+end], []byte{0})})
		if kind == 127 { // end of table
			break
		}
		table = table[length+end+2:]
	}
	return list
}

// text is the string whose number stands at an offset, cleaned; empty when there is none.
func (s structure) text(offset int) string {
	n := s.byte(offset)
	if n == 0 || n > len(s.strings) {
		return ""
	}
	return clean(string(s.strings[n-1]))
}

func (s structure) byte(offset int) int {
	if offset >= len(s.data) {
		return 0
	}
	return int(s.data[offset])
}

func (s structure) word(offset int) int {
	if offset+2 > len(s.data) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(s.data[offset:]))
}

func (s structure) dword(offset int) int64 {
	if offset+4 > len(s.data) {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(s.data[offset:]))
}

// maxText bounds a text that firmware or a disk tells of itself.
const maxText = 256

// clean drops what is not printable and blanks at both ends. Fillers such as "Default string" stay: Windows shows them
// too, and conditions name them.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s))
	return s[:min(len(s), maxText)]
}
