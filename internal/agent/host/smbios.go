package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// parseSystemInformation finds structure type 1 of an SMBIOS table (DMTF DSP0134, 7.2) and returns its UUID and serial
// number. A table that is cut off or malformed gives empty strings.
func parseSystemInformation(table []byte) (uuid, serial string) {
	for len(table) >= 4 {
		kind, length := table[0], int(table[1])
		if length < 4 || length > len(table) {
			return "", ""
		}
		end := bytes.Index(table[length:], []byte{0, 0})
		if end < 0 {
			return "", ""
		}
		if kind == 1 && length >= 0x18 {
			texts := bytes.Split(table[length:length+end], []byte{0})
			if n := int(table[7]); n >= 1 && n <= len(texts) {
				serial = cleanText(string(texts[n-1]))
			}
			b := table[8:24]
			// The first three fields are little-endian since SMBIOS 2.6.
			return CleanUUID(fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
				binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])), serial
		}
		table = table[length+end+2:]
	}
	return "", ""
}
