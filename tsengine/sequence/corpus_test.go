package sequence_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
)

// canonical is an independent reading of a document: standard decoder, sorted attributes, text as it is, white space
// between elements dropped where an element holds elements only.
func canonical(t testing.TB, data []byte) string {
	t.Helper()
	data = []byte(strings.TrimPrefix(string(data), "\uFEFF"))
	d := xml.NewDecoder(strings.NewReader(string(data)))
	type frame struct {
		text     strings.Builder
		elements int
	}
	var out strings.Builder
	stack := []*frame{{}}
	flush := func(f *frame, closing bool) {
		if s := f.text.String(); s != "" && (strings.TrimSpace(s) != "" || closing && f.elements == 0) {
			out.WriteString("T" + s + "\n")
		}
		f.text.Reset()
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		require.NoError(t, err)
		top := stack[len(stack)-1]
		switch x := token.(type) {
		case xml.StartElement:
			flush(top, false)
			top.elements++
			var attrs []string
			for _, a := range x.Attr {
				attrs = append(attrs, a.Name.Local+"="+a.Value)
			}
			sort.Strings(attrs)
			out.WriteString("<" + x.Name.Local + " " + strings.Join(attrs, "|") + "\n")
			stack = append(stack, &frame{})
		case xml.EndElement:
			flush(top, true)
			out.WriteString(">\n")
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 1 {
				top.text.Write(x)
			}
		}
	}
}

func TestCorpusRoundTrip(t *testing.T) {
	for _, file := range sequencetest.Corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s, err := sequence.Parse(data)
			require.NoError(t, err)
			require.NotEmpty(t, s.All())
			out := s.Export()
			require.Equal(t, canonical(t, data), canonical(t, out))
			again, err := sequence.Parse(out)
			require.NoError(t, err)
			require.Equal(t, out, again.Export())
			require.Equal(t, len(s.All()), len(again.All()))
			for _, n := range s.All() {
				require.Equal(t, n, s.All()[n.Pointer])
				if n.Kind == sequence.Step {
					require.NotEmpty(t, n.SuccessCodes)
				}
			}
		})
	}
}

func BenchmarkParseLargest(b *testing.B) {
	var data []byte
	for _, f := range sequencetest.Corpus(b) {
		if d, err := os.ReadFile(f); err == nil && len(d) > len(data) {
			data = d
		}
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := sequence.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
