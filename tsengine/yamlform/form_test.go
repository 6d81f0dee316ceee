package yamlform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

func TestCorpusThereAndBack(t *testing.T) {
	for _, file := range sequencetest.Corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := sequence.Parse(data)
			require.NoError(t, err)
			y := yamlform.Marshal(s)
			back, err := yamlform.Parse(y)
			require.NoError(t, err)
			require.Equal(t, sequencetest.Canonise(t, sequencetest.Decoded(data)), sequencetest.Canonise(t, string(back.Export())))
			require.Equal(t, string(y), string(yamlform.Marshal(back)))
			require.NotRegexp(t, `(?m)^ *(- )?xml: (\|-\n *)?<[^og]`, string(y), "real files need raw XML for the editor's OS conditions and for groups of blanks only")
			if dir := os.Getenv("YAMLFORM_OUT"); dir != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)+".yaml"), y, 0o644))
			}
		})
	}
}

func TestGeneratedThereAndBack(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(r *rapid.T) {
		text := sequencetest.Document(r)
		s, err := sequence.Parse([]byte(text))
		if err != nil {
			return
		}
		accepted++
		y := yamlform.Marshal(s)
		back, err := yamlform.Parse(y)
		require.NoError(t, err, "%s\n%s", text, y)
		require.Equal(t, sequencetest.Canonise(t, text), sequencetest.Canonise(t, string(back.Export())), "%s\n%s", text, y)
	})
	require.Greater(t, accepted, 20)
}

func BenchmarkMarshalLargest(b *testing.B) {
	s := largest(b)
	for b.Loop() {
		yamlform.Marshal(s)
	}
}

func BenchmarkParseLargest(b *testing.B) {
	y := yamlform.Marshal(largest(b))
	b.SetBytes(int64(len(y)))
	for b.Loop() {
		if _, err := yamlform.Parse(y); err != nil {
			b.Fatal(err)
		}
	}
}

func largest(t testing.TB) *sequence.Sequence {
	var data []byte
	for _, f := range sequencetest.Corpus(t) {
		if d, err := os.ReadFile(f); err == nil && len(d) > len(data) {
			data = d
		}
	}
	s, err := sequence.Parse(data)
	require.NoError(t, err)
	return s
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: x\nsteps:\n- step: a\n  run: b\n- group: g\n  if: A equals b\n  steps: []\n"))
	f.Add([]byte("steps:\n- step: a\n  set: {A: b}\n- step: p\n  powershell: |\n    dir\n- xml: <x/>\n"))
	f.Add([]byte("version: '3.00'\nglobals: {A: b}\nreferences:\n- {package: x}\nsteps:\n- child: c\n  variables:\n  - name: A\n    value: b\n  if:\n  - any: [A exists, {wmi: select}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := yamlform.Parse(data)
		if err != nil {
			return
		}
		x := s.Export()
		again, err := sequence.Parse(x)
		require.NoError(t, err, "%s", x)
		require.Equal(t, strings.TrimSpace(string(x)), strings.TrimSpace(string(again.Export())))
		y := yamlform.Marshal(s)
		back, err := yamlform.Parse(y)
		require.NoError(t, err, "%s", y)
		require.Equal(t, sequencetest.Canonise(t, string(x)), sequencetest.Canonise(t, string(back.Export())), "%s", y)
	})
}
