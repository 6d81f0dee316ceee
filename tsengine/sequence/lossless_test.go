package sequence_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
)

// Every real file, in every encoding, comes out as it went in, by a reader that shares nothing with ours.
func TestLosslessCorpus(t *testing.T) {
	for _, file := range sequencetest.Corpus(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			want := sequencetest.Canonise(t, sequencetest.Decoded(data))
			for name, coded := range sequencetest.Encodings(sequencetest.Decoded(data)) {
				s, err := sequence.Parse(coded)
				require.NoError(t, err, name)
				require.Equal(t, want, sequencetest.Canonise(t, string(s.Export())), name)
			}
		})
	}
}

func TestLosslessGenerated(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(r *rapid.T) {
		text := sequencetest.Document(r)
		for name, coded := range sequencetest.Encodings(text) {
			s, err := sequence.Parse(coded)
			if err != nil { // a second condition, say: refused, not lost
				return
			}
			accepted++
			require.Equal(t, sequencetest.Canonise(t, text), sequencetest.Canonise(t, string(s.Export())), "%s\n%s", name, text)
		}
	})
	require.Positive(t, accepted)
}

func TestEncodingsOfOldEditors(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"windows-1252":         {"<?xml version='1.0' encoding='Windows-1252'?><sequence version=\"3.10\" name=\"\x80 \xe4\x96\"/>", "€ ä–"},
		"iso-8859-1":           {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><sequence version=\"3.10\" name=\"\xfc\"/>", "ü"},
		"iso-8859-15":          {"<?xml version=\"1.0\" encoding=\"iso-8859-15\"?><sequence version=\"3.10\" name=\"\xa4\"/>", "€"},
		"declared but UTF-8":   {"<?xml version=\"1.0\" encoding=\"windows-1252\"?><sequence version=\"3.10\" name=\"ü\"/>", "ü"},
		"declared with spaces": {"<?xml version = \"1.0\" encoding = \"windows-1252\" standalone=\"yes\" ?><sequence version=\"3.10\" name=\"\xfc\"/>", "ü"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sequence.Parse([]byte(c.data))
			require.NoError(t, err)
			require.Equal(t, c.want, s.Name)
		})
	}
	for name, data := range map[string]string{
		"odd":          "\xff\xfe<\x00a\x00/\x00>\x00\n",
		"half":         "\xff\xfe<\x00a\x00\n\x00\x00\xd8>\x00",
		"undeclared":   "<sequence\nname=\"\xfc\"/>",
		"declared 874": "<?xml version='1.0' encoding='windows-874'?>\n<sequence name=\"\xfc\"/>",
	} {
		_, err := sequence.Parse([]byte(data))
		var place *sequence.Error
		require.ErrorAs(t, err, &place, name)
		require.Positive(t, place.Line, name)
	}
}

// What stands beside the text in the VALUE of an object stays there, comments inside the document itself too.
func TestObjectKeepsWhatIsInTheValue(t *testing.T) {
	const head, tail = `<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Sequence"><VALUE>`, `</VALUE></PROPERTY></INSTANCE>`
	const cdata = `<![CDATA[<sequence version="3.10"><!-- inner --></sequence>]]>`
	for name, c := range map[string]struct{ in, want string }{
		"before":        {"\n<!-- a -->\n" + cdata + "\n", "<!-- a -->" + cdata},
		"after":         {cdata + "<!-- b --><?c d?>", cdata + "<!-- b --><?c d?>"},
		"both":          {"<!-- a --><?x y?>" + cdata + "<!-- b -->", "<!-- a --><?x y?>" + cdata + "<!-- b -->"},
		"between parts": {`<![CDATA[<sequence version="3.10">]]><!-- a --><![CDATA[<!-- inner --></sequence>]]>`, cdata + "<!-- a -->"},
		"element":       {"<EXT A=\"1\"/>" + cdata, "<EXT A=\"1\"/>" + cdata},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sequence.Parse([]byte(head + c.in + tail))
			require.NoError(t, err)
			require.Contains(t, string(s.ExportDocument()), head+c.want+tail)
		})
	}
}

func TestObjectComesBackWhole(t *testing.T) {
	in := `<?xml version="1.0"?><!-- export --><INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID"><VALUE>LAB00034</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Sequence"><QUALIFIER><VALUE>1</VALUE></QUALIFIER><VALUE><![CDATA[<sequence version="3.10"><group name="a ]]]]><![CDATA[> b"/></sequence>]]></VALUE></PROPERTY><PROPERTY NAME="Later"/></INSTANCE>`
	s, err := sequence.Parse([]byte(in))
	require.NoError(t, err)
	out := s.ExportDocument()
	again, err := sequence.Parse(out)
	require.NoError(t, err)
	require.Equal(t, sequencetest.Canonise(t, string(s.Export())), sequencetest.Canonise(t, string(again.Export())))
	require.Equal(t, s.Properties, again.Properties)
	before, _, _ := strings.Cut(sequencetest.Canonise(t, in), "sequence version")
	after, _, _ := strings.Cut(sequencetest.Canonise(t, string(out)), "sequence version")
	require.Equal(t, before, after)
	require.Contains(t, sequencetest.Canonise(t, string(out)), `<PROPERTY NAME="Later"`)
}
