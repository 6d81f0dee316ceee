package host

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseSystemInformation(t *testing.T) {
	table := []byte{0, 4, 0, 0, 'x', 0, 0, 1, 0x1b, 1, 0, 1, 2, 0, 2,
		0x44, 0x45, 0x4c, 0x4c, 0x42, 0x00, 0x10, 0x35, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x4e, 0x32, 6, 0, 0, 'm', 0, 's', 'n', '7', 0, 0}
	uuid, serial := parseSystemInformation(table)
	require.Equal(t, "4c4c4544-0042-3510-8052-b4c04f4d4e32", uuid)
	require.Equal(t, "sn7", serial)
}

func FuzzParseSystemInformation(f *testing.F) {
	f.Add([]byte{1, 0x1b, 0, 0})
	f.Fuzz(func(_ *testing.T, table []byte) { parseSystemInformation(table) })
}
