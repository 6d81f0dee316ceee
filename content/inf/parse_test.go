package inf_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/inf"
)

const network = `; a network card
[Version]
Signature   = "$WINDOWS NT$"
Class       = Net ; what it is
ClassGUID   = {4d36e972-e325-11ce-bfc1-08002be10318}
Provider    = %Maker%
CatalogFile.NTamd64 = card.cat
DriverVer   = 07/09/2024,12.19.2.60

[Manufacturer]
%Maker% = Cards, NTamd64.10.0, NTamd64.10.0.1..17763 , NTarm64.6.1, NTmips
"Second; maker" = Other,NTamd64

[Cards]
; no devices for 32 bit
[Cards.NTamd64.10.0]
%Card1% = Install1, PCI\VEN_8086&DEV_15FB&SUBSYS_00008086, \
          PCI\VEN_8086&DEV_15FB
%Card1% = Install1, pci\ven_8086&dev_15fb
[Cards.NTamd64.10.0.1..17763]
%Card2% = Install2, "PCI\VEN_8086&DEV_0D4C"
[Cards.NTarm64.6.1]
%Card2% = Install2, PCI\VEN_8086&DEV_0D4C
[Cards.NTmips]
%Card2% = Install2, PCI\VEN_FFFF&DEV_FFFF
[Other.NTamd64]
"Say ""hi"", 100%%" = Install3,, USB\VID_0BDA&PID_8153

[Strings]
Maker = "Example Cards"
card1 = "Card one"
Card2 = "Käfer two"
`

func TestParse(t *testing.T) {
	want := inf.Driver{Class: "Net", Provider: "Example Cards", Catalog: "card.cat", Date: time.Date(2024, 7, 9, 0, 0, 0, 0, time.UTC), Version: "12.19.2.60",
		Models: []inf.Model{
			{Name: "Card one", ID: `PCI\VEN_8086&DEV_15FB&SUBSYS_00008086`, Arch: "amd64", Build: 10240},
			{Name: "Card one", ID: `PCI\VEN_8086&DEV_15FB`, Arch: "amd64", Build: 10240},
			{Name: "Käfer two", ID: `PCI\VEN_8086&DEV_0D4C`, Arch: "amd64", Build: 17763},
			{Name: "Käfer two", ID: `PCI\VEN_8086&DEV_0D4C`, Arch: "arm64"},
			{Name: `Say "hi", 100%`, ID: `USB\VID_0BDA&PID_8153`, Arch: "amd64"},
		}}
	windows := strings.ReplaceAll(network, "\n", "\r\n")
	latin := []byte{}
	for _, r := range windows {
		latin = append(latin, byte(r))
	}
	wide := func(order binary.AppendByteOrder) []byte {
		var b []byte
		for _, u := range append([]uint16{0xFEFF}, utf16.Encode([]rune(windows))...) {
			b = order.AppendUint16(b, u)
		}
		return b
	}
	for name, data := range map[string][]byte{"UTF-8": []byte(network), "UTF-8 with a mark": []byte("\uFEFF" + windows), "ANSI": latin,
		"UTF-16LE": wide(binary.LittleEndian), "UTF-16BE": wide(binary.BigEndian)} {
		t.Run(name, func(t *testing.T) {
			have, err := inf.Parse(data)
			require.NoError(t, err)
			require.Equal(t, want, have)
		})
	}
}

func TestParseOddities(t *testing.T) {
	_, err := inf.Parse([]byte("[autorun]\nopen=setup.exe\n"))
	require.ErrorIs(t, err, inf.ErrNotDriver)
	_, err = inf.Parse(make([]byte, inf.MaxSize+1))
	require.ErrorContains(t, err, "larger than")
	_, err = inf.Parse([]byte("[a]\nx=" + strings.Repeat("y", 10000)))
	require.ErrorContains(t, err, "a line has more")
	d, err := inf.Parse([]byte("[Version]\nDriverVer=13/45/2024,1.0\n[Manufacturer]\nM\n[M]\nx=i,ROOT\\A\n")) // a maker without a section of its own; no such day
	require.NoError(t, err)
	require.True(t, d.Date.IsZero())
	require.Equal(t, []inf.Model{{Name: "x", ID: `ROOT\A`, Arch: "386"}}, d.Models)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(network))
	f.Add([]byte("\xFF\xFE[\x00M\x00"))
	f.Add([]byte("[Manufacturer]\n%%=%a%,%\n[%a%]\n%=\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := inf.Parse(data)
		if err == nil && len(d.Models) == 0 {
			t.Fatal("a driver without devices")
		}
	})
}
