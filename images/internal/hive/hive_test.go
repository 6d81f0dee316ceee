package hive_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/hive"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// tree is larger than a few bins, with names and values of every kind.
func tree() *hive.Key {
	root := &hive.Key{Name: "NewStoreRoot"}
	root.SetText("", "default value")
	k := root.Add("Überschrift")
	k.SetText("text", "für € and 𝄞")
	k.SetList("list", "one", "two")
	k.SetList("empty")
	k.SetDWord("number", 0xdeadbeef)
	k.SetBinary("nothing", nil)
	k.SetBinary("five", []byte{1, 2, 3, 4, 5})
	k.SetBinary("large", []byte(strings.Repeat("x", 16000)))
	wide := root.Add("Ключ")
	wide.SetText("имя", "x")
	many := root.Add("many")
	for i := range 300 {
		many.Add(fmt.Sprintf("k%d", i)).SetDWord("n", uint32(i))
	}
	return root
}

var descriptor = []byte{1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2, 0, 8, 0, 0, 0, 0, 0}

func TestRoundTrip(t *testing.T) {
	data, err := hive.Write(tree(), descriptor, noon)
	require.NoError(t, err)
	require.Zero(t, len(data)%4096)
	back, err := hive.Read(data)
	require.NoError(t, err)
	k := back.Find("überschrift")
	require.NotNil(t, k)
	for _, want := range tree().Find("Überschrift").Values {
		got, ok := k.Value(strings.ToUpper(want.Name))
		require.True(t, ok, want.Name)
		assert.Equal(t, want.Kind, got.Kind)
		assert.Equal(t, len(want.Data), len(got.Data))
		assert.Equal(t, string(want.Data), string(got.Data))
	}
	v, _ := k.Value("text")
	assert.Equal(t, "für € and 𝄞", v.Text())
	v, _ = k.Value("list")
	assert.Equal(t, []string{"one", "two"}, v.List())
	v, _ = back.Value("")
	assert.Equal(t, "default value", v.Text())
	assert.Len(t, back.Find("many").Keys, 300)
	assert.NotNil(t, back.Find("many", "K299"))
	assert.Nil(t, back.Find("many", "k300"))
	again, err := hive.Write(back, descriptor, noon)
	require.NoError(t, err)
	assert.Equal(t, len(data), len(again))
}

// Other people's readers find the same in it.
func TestIndependentReaders(t *testing.T) {
	data, err := hive.Write(tree(), descriptor, noon)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "hive")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	for tool, look := range map[string]struct {
		args []string
		want []string
	}{
		"hivexml":    {[]string{name}, []string{`<node name="k299"`, "für € and 𝄞", "<string>two</string>", `name="Ключ"`, "2026-05-04T12:00:00Z"}},
		"reglookup":  {[]string{name}, []string{"/many/k299/n,DWORD,0x0000012B", "/number,DWORD,0xDEADBEEF", "/list,MULTI_SZ,one|two", "2026-05-04 12:00:00"}},
		"regfexport": {[]string{name}, []string{"k299", "für € and 𝄞"}},
	} {
		t.Run(tool, func(t *testing.T) {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("needs %s (scripts/install-packages)", tool)
			}
			out, err := exec.CommandContext(t.Context(), tool, look.args...).CombinedOutput()
			require.NoError(t, err, string(out))
			for _, want := range look.want {
				assert.True(t, strings.Contains(string(out), want), want)
			}
			for line := range strings.Lines(string(out)) { // reglookup tells what it cannot print in this locale, too
				if lower := strings.ToLower(line); !strings.Contains(lower, "could not be interpreted") && !strings.Contains(lower, "converting") {
					assert.False(t, strings.Contains(lower, "warn") || strings.Contains(lower, "corrupt"), line)
				}
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	deep := &hive.Key{Name: "r"}
	for k, i := deep, 0; i < 100; i++ {
		k = k.Add("d")
	}
	twice := &hive.Key{Name: "r"}
	twice.Add("a")
	twice.Add("A")
	values := &hive.Key{Name: "r"}
	values.SetDWord("a", 1)
	values.SetDWord("A", 1)
	large := &hive.Key{Name: "r"}
	large.SetBinary("a", make([]byte, 20000))
	for name, root := range map[string]*hive.Key{"no name": {}, "path": {Name: `a\b`}, "long": {Name: strings.Repeat("x", 256)}, "deep": deep, "twice": twice, "values twice": values, "large": large} {
		t.Run(name, func(t *testing.T) {
			_, err := hive.Write(root, descriptor, noon)
			require.Error(t, err)
		})
	}
}

func TestReadRefuses(t *testing.T) {
	good, err := hive.Write(tree(), descriptor, noon)
	require.NoError(t, err)
	for name, change := range map[string]func([]byte) []byte{
		"empty":    func([]byte) []byte { return nil },
		"cut off":  func(b []byte) []byte { return b[:8192] },
		"no magic": func(b []byte) []byte { b[0] = 'x'; return b },
		"checksum": func(b []byte) []byte { b[100] ^= 1; return b },
		"open":     func(b []byte) []byte { b[4] ^= 3; b[508] ^= 3; return b },
		"root":     func(b []byte) []byte { b[4096+32+4] = 'x'; return b },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hive.Read(change(append([]byte(nil), good...)))
			require.ErrorIs(t, err, hive.ErrFormat)
		})
	}
}

func FuzzRead(f *testing.F) {
	small := &hive.Key{Name: "r"}
	small.Add("a").SetText("b", "c")
	small.Add("d").SetBinary("e", make([]byte, 9))
	data, err := hive.Write(small, descriptor, noon)
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 4096 { // the checksum would hide all that is behind it
			var sum uint32
			for i := 0; i < 508; i += 4 {
				sum ^= uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16 | uint32(data[i+3])<<24
			}
			data = append([]byte(nil), data...)
			data[508], data[509], data[510], data[511] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		if root, err := hive.Read(data); err == nil {
			_, _ = hive.Write(root, descriptor, noon) // may refuse, must not crash
		}
	})
}
