package wim_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/wim"
)

// capture makes a WIM with two images.
func capture(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("wimlib-imagex"); err != nil {
		t.Skip("needs wimlib-imagex")
	}
	tree, file := t.TempDir(), filepath.Join(t.TempDir(), "a.wim")
	require.NoError(t, os.WriteFile(filepath.Join(tree, "f"), []byte("12345"), 0o600))
	for _, a := range [][]string{{"capture", tree, file, "Erste", "mit Umlaut: ü"}, {"append", tree, file, "second"}} {
		if a[0] == "append" && len(args) > 0 {
			continue
		}
		out, err := exec.Command("wimlib-imagex", append(a, args...)...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return file
}

func TestRead(t *testing.T) {
	data, err := os.ReadFile(capture(t))
	require.NoError(t, err)
	info, err := wim.Read(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	require.Len(t, info.Images, 2)
	assert.Equal(t, 1, info.Parts)
	assert.Equal(t, "mit Umlaut: ü", info.Images[0].Description)
	assert.EqualValues(t, 5, info.Images[0].Bytes)
	assert.Nil(t, info.Images[0].Windows)
	image, err := info.Find(2)
	require.NoError(t, err)
	assert.Equal(t, "second", image.Name)
	_, err = info.Find(3)
	require.ErrorContains(t, err, "no image 3; it has 1 (Erste), 2 (second)")

	for _, n := range []int{0, 8, 207, len(data) / 2} {
		_, err := wim.Read(bytes.NewReader(data[:n]), int64(n))
		require.ErrorIs(t, err, wim.ErrFormat, n)
	}
}

func TestReadPipable(t *testing.T) {
	data, err := os.ReadFile(capture(t, "--pipable"))
	require.NoError(t, err)
	info, err := wim.Read(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	assert.Equal(t, "Erste", info.Images[0].Name)
}

// withXML is a WIM that is nothing but a header and a list of images.
func withXML(text string) []byte {
	b := make([]byte, 208)
	copy(b, wim.Magic)
	binary.LittleEndian.PutUint16(b[40:], 1)
	binary.LittleEndian.PutUint16(b[42:], 1)
	units := append([]uint16{0xfeff}, utf16.Encode([]rune(text))...)
	binary.LittleEndian.PutUint64(b[72:], uint64(2*len(units)))
	binary.LittleEndian.PutUint64(b[80:], 208)
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func readBytes(b []byte) (wim.Info, error) { return wim.Read(bytes.NewReader(b), int64(len(b))) }

func TestReadHostile(t *testing.T) {
	for name, text := range map[string]string{
		"no image":       "<WIM></WIM>",
		"nothing":        "",
		"many images":    "<WIM>" + strings.Repeat(`<IMAGE INDEX="1"/>`, 5000) + "</WIM>",
		"depth":          "<WIM><IMAGE INDEX=\"1\">" + strings.Repeat("<A>", 100000),
		"entities":       `<!DOCTYPE WIM [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><WIM><IMAGE INDEX="1"><NAME>&b;</NAME></IMAGE></WIM>`,
		"negative":       `<WIM><IMAGE INDEX="1"><TOTALBYTES>-5</TOTALBYTES></IMAGE></WIM>`,
		"overflow":       `<WIM><IMAGE INDEX="1"><TOTALBYTES>99999999999999999999</TOTALBYTES></IMAGE></WIM>`,
		"index 0":        `<WIM><IMAGE INDEX="0"/></WIM>`,
		"other encoding": `<?xml version="1.0" encoding="EBCDIC"?><WIM><IMAGE INDEX="1"/></WIM>`,
		"cut off":        `<WIM><IMAGE INDEX="1"><NAME>x`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readBytes(withXML(text))
			require.ErrorIs(t, err, wim.ErrFormat)
		})
	}
	for name, change := range map[string]func([]byte){
		"longer than the file": func(b []byte) { binary.LittleEndian.PutUint64(b[72:], 1<<20) },
		"longer than allowed":  func(b []byte) { binary.LittleEndian.PutUint64(b[72:], 1<<56-1) },
		"far away":             func(b []byte) { binary.LittleEndian.PutUint64(b[80:], 1<<63+5) },
		"part 0":               func(b []byte) { binary.LittleEndian.PutUint16(b[40:], 0) },
		"part 3 of 2":          func(b []byte) { binary.LittleEndian.PutUint32(b[40:], 3|2<<16) },
	} {
		t.Run(name, func(t *testing.T) {
			b := withXML(`<WIM><IMAGE INDEX="1"/></WIM>`)
			change(b)
			_, err := readBytes(b)
			require.ErrorIs(t, err, wim.ErrFormat)
		})
	}
}

// bounded fails the test when work takes more memory than a reader may for an input of n bytes.
func bounded(t *testing.T, n int, work func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(4<<20+64*n) {
		t.Fatalf("%d bytes of memory for %d bytes of input", used, n)
	}
}

// FuzzRead changes whole files: headers, sizes, places.
func FuzzRead(f *testing.F) {
	for _, args := range [][]string{nil, {"--pipable"}} {
		data, err := os.ReadFile(capture(f, args...))
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		bounded(t, len(b), func() {
			if info, err := readBytes(b); err == nil {
				_, _ = info.Find(1)
			}
		})
	})
}

// FuzzImages changes the list of images inside a good header.
func FuzzImages(f *testing.F) {
	f.Add(`<?xml version="1.0"?><WIM><TOTALBYTES>5</TOTALBYTES><IMAGE INDEX="1"><NAME>a</NAME><WINDOWS><ARCH>9</ARCH><EDITIONID>x</EDITIONID></WINDOWS><TOTALBYTES>5</TOTALBYTES></IMAGE></WIM>`)
	f.Add(`<WIM><IMAGE INDEX="1"/><IMAGE INDEX="2"><A><![CDATA[x]]></A></IMAGE><!-- c --></WIM>`)
	f.Fuzz(func(t *testing.T, text string) {
		bounded(t, 2*len(text), func() {
			info, err := readBytes(withXML(text))
			if err != nil {
				return
			}
			require.NotEmpty(t, info.Images)
			for _, i := range info.Images {
				require.Positive(t, i.Index)
				require.GreaterOrEqual(t, i.Bytes, int64(0))
				_, err := info.Find(i.Index)
				require.NoError(t, err)
			}
		})
	})
}
