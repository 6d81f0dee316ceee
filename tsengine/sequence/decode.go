package sequence

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeText turns the bytes of a file into UTF-8 without BOM and without XML declaration. The BOM decides, then zero
// bytes, then UTF-8; what the declaration says is not believed, because redirected PowerShell output contradicts it
// (task-sequence-xml.md section 2). Only a text that is no UTF-8 at all is read in the single-byte encoding that it
// declares. The declaration is blanked, not cut, so that line and column stay true.
func decodeText(data []byte) ([]byte, error) {
	var err error
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		data, err = fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		data, err = fromUTF16(data[2:], binary.BigEndian)
	case len(data) >= 2 && data[0] != 0 && data[1] == 0:
		data, err = fromUTF16(data, binary.LittleEndian)
	case len(data) >= 2 && data[0] == 0 && data[1] != 0:
		data, err = fromUTF16(data, binary.BigEndian)
	}
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF")) // a copied text may carry a second one
	if i := invalidUTF8(data); i >= 0 {
		if text, ok := fromDeclared(data); ok {
			return blankDeclaration(text), nil
		}
		line, column := position(data, i)
		return nil, &Error{Line: line, Column: column, Reason: "not valid UTF-8; save the file as UTF-8 or UTF-16 and import it again"}
	}
	return blankDeclaration(data), nil
}

// fromUTF16 decodes UTF-16. Half a character or an unpaired surrogate is refused: a replacement would be silent loss.
func fromUTF16(data []byte, order binary.ByteOrder) ([]byte, error) {
	out := make([]byte, 0, len(data))
	refuse := func(reason string) ([]byte, error) {
		line, column := position(out, len(out))
		return nil, &Error{line, column, reason + "; the file is damaged, export it again"}
	}
	for i := 0; i+1 < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) {
			if i+3 < len(data) {
				r = utf16.DecodeRune(r, rune(order.Uint16(data[i+2:])))
			} else {
				r = utf8.RuneError
			}
			if r == utf8.RuneError {
				return refuse("half of a UTF-16 character")
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	if len(data)%2 != 0 {
		return refuse("UTF-16 with an odd number of bytes")
	}
	return out, nil
}

// fromDeclared decodes the single-byte encodings that old editors on Windows write, when the declaration names them.
func fromDeclared(data []byte) ([]byte, bool) {
	start := bytes.TrimLeft(data, " \t\r\n")
	head, _, found := bytes.Cut(start, []byte("?>"))
	if !found || len(head) > 200 || !bytes.HasPrefix(head, []byte("<?xml")) {
		return nil, false
	}
	_, rest, found := strings.Cut(strings.ToLower(string(head)), "encoding")
	name := strings.Trim(rest, " \t\r\n='\"?")
	name, _, _ = strings.Cut(strings.NewReplacer("\"", " ", "'", " ").Replace(name), " ")
	switch name {
	case "windows-1252", "cp1252", "iso-8859-1", "iso_8859-1", "latin1", "iso-8859-15":
	default:
		return nil, false
	}
	out := make([]byte, 0, len(data)+len(data)/8)
	for _, b := range data {
		r := rune(b)
		switch {
		case name == "iso-8859-15" && latin9[r] != 0:
			r = latin9[r]
		case name != "iso-8859-15" && b >= 0x80 && b < 0xA0 && windows1252[b-0x80] != 0:
			r = windows1252[b-0x80] // what declares ISO 8859-1 is nearly always this
		}
		out = utf8.AppendRune(out, r)
	}
	return out, found
}

// windows1252 is 0x80 to 0x9F of that code page; 0 is unassigned and stays the control character.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

// latin9 is where ISO 8859-15 differs from Unicode's first 256.
var latin9 = map[rune]rune{0xA4: '€', 0xA6: 'Š', 0xA8: 'š', 0xB4: 'Ž', 0xB8: 'ž', 0xBC: 'Œ', 0xBD: 'œ', 0xBE: 'Ÿ'}

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
