package sequence

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeText turns the bytes of a file into UTF-8 without BOM and without XML declaration. The BOM decides, then zero
// bytes, then UTF-8; what the declaration says is not believed, because redirected PowerShell output contradicts it
// (task-sequence-xml.md section 2). The declaration is blanked, not cut, so that line and column stay true.
func decodeText(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		data = fromUTF16(data[2:], 0)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		data = fromUTF16(data[2:], 1)
	case len(data) >= 2 && data[0] != 0 && data[1] == 0:
		data = fromUTF16(data, 0)
	case len(data) >= 2 && data[0] == 0 && data[1] != 0:
		data = fromUTF16(data, 1)
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF")) // a copied text may carry a second one
	if i := invalidUTF8(data); i >= 0 {
		line, column := position(data, i)
		return nil, &Error{Line: line, Column: column, Reason: "not valid UTF-8; save the file as UTF-8 or UTF-16 and import it again"}
	}
	return blankDeclaration(data), nil
}

// fromUTF16 decodes UTF-16; high is the index of the high byte in each pair (0 is little endian when low comes first).
func fromUTF16(data []byte, high int) []byte {
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		if high == 1 {
			units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
		} else {
			units = append(units, uint16(data[i+1])<<8|uint16(data[i]))
		}
	}
	out := make([]byte, 0, len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// blankDeclaration overwrites a leading <?xml ...?> with blanks, keeping line breaks.
func blankDeclaration(data []byte) []byte {
	start := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	rest := data[start:]
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) < 6 || !isSpace(rest[5]) {
		return data
	}
	end := bytes.Index(rest, []byte("?>"))
	if end < 0 {
		return data
	}
	out := bytes.Clone(data)
	for i := start; i < start+end+2; i++ {
		if out[i] != '\n' && out[i] != '\r' {
			out[i] = ' '
		}
	}
	return out
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// position gives line and column (both from 1, column in characters) of a byte offset.
func position(data []byte, offset int) (line, column int) {
	offset = min(offset, len(data))
	line = 1 + bytes.Count(data[:offset], []byte{'\n'})
	start := bytes.LastIndexByte(data[:offset], '\n') + 1
	return line, 1 + utf8.RuneCount(data[start:offset])
}
