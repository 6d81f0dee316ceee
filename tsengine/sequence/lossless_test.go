package sequence_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// Every real file, in every encoding, comes out as it went in, by a reader that shares nothing with ours.
func TestLosslessCorpus(t *testing.T) {
	for _, file := range corpusFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			want := canonise(t, decoded(data))
			for name, coded := range encodings(decoded(data)) {
				s, err := sequence.Parse(coded)
				require.NoError(t, err, name)
				require.Equal(t, want, canonise(t, string(s.Export())), name)
			}
		})
	}
}

// encodings are the ways in which real files are stored (task-sequence-xml.md section 2).
func encodings(text string) map[string][]byte {
	text = strings.TrimPrefix(text, "\uFEFF")
	wide := func(order binary.AppendByteOrder, mark bool) []byte {
		var out []byte
		if mark {
			out = order.AppendUint16(out, 0xFEFF)
		}
		for _, u := range utf16.Encode([]rune(text)) {
			out = order.AppendUint16(out, u)
		}
		return out
	}
	return map[string][]byte{
		"utf-8": []byte(text), "utf-8 with mark": []byte("\uFEFF" + text),
		"utf-16 le": wide(binary.LittleEndian, true), "utf-16 be": wide(binary.BigEndian, true),
		"utf-16 le without mark": wide(binary.LittleEndian, false), "utf-16 be without mark": wide(binary.BigEndian, false),
	}
}

// document draws a sequence with everything that may stand in one, known and unknown.
func document(t *rapid.T) string {
	name := rapid.SampledFrom([]string{"group", "step", "subtasksequence", "condition", "operator", "expression", "x:ext", "späth", "future", "comment"})
	attrValue := rapid.SampledFrom([]string{"", " ", "a", "two words", "&#x0D;&#x0A;", "&#9;tab", "a\tb", "a\r\nb", "&amp;&lt;&gt;&quot;&apos;", "%V%", "'", "🚀ä", "true", " lead and trail ", "&#x1F600;", "null", "~", "- x", "#", "a: b", "0x10", "1e3"})
	text := rapid.OneOf(attrValueText(), rapid.SampledFrom([]string{"\n", "  ", "\n\n a\n  b\n", "a\n", "a\n\n", " a\n", "a \nb", "<![CDATA[<a>&]]>", "]]&gt;", "\t", "\u0085", "a#b", "# c", "|", ">"}))
	var element func(depth int) string
	element = func(depth int) string {
		var b strings.Builder
		n := name.Draw(t, "name")
		b.WriteString("<" + n)
		for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"name", "type", "description", "disable", "runIn", "hidden", "x:y", "xml:space", "new"}), 0, 3, rapid.ID).Draw(t, "attrs") {
			b.WriteString(" " + a + `="` + attrValue.Draw(t, "value") + `"`)
		}
		b.WriteString(">")
		for range rapid.IntRange(0, 4).Draw(t, "children") {
			switch k := rapid.IntRange(0, 12).Draw(t, "kind"); {
			case k < 4 && depth > 0 && n != "condition":
				b.WriteString(element(depth - 1))
			case k == 5:
				b.WriteString("<action>" + text.Draw(t, "action") + "</action>")
			case k == 6:
				b.WriteString(`<defaultVarList><variable name="` + attrValue.Draw(t, "v") + `" property="p" hidden="true">` + text.Draw(t, "t") + `</variable><variable name="B">` + text.Draw(t, "t") + `</variable></defaultVarList>`)
			case k == 8:
				b.WriteString("<!--" + rapid.SampledFrom([]string{" c ", "", "a\nb", "<x>"}).Draw(t, "comment") + "-->")
			case k == 9:
				b.WriteString("<?" + rapid.SampledFrom([]string{"php echo", "p", "style a='b'"}).Draw(t, "pi") + "?>")
			case k == 10:
				b.WriteString(text.Draw(t, "text"))
			}
		}
		return b.String() + "</" + n + ">"
	}
	var b strings.Builder
	b.WriteString(rapid.SampledFrom([]string{"", `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="utf-16"?>` + "\r\n", "\r\n ", `<?xml version="1.1" encoding="klingon"?>`}).Draw(t, "declaration"))
	b.WriteString(rapid.SampledFrom([]string{"", "<!-- before -->", "<?style x?>\n"}).Draw(t, "before"))
	b.WriteString(`<sequence version="3.10" xmlns:x="urn:x">`)
	for range rapid.IntRange(0, 5).Draw(t, "nodes") {
		b.WriteString(element(3))
	}
	b.WriteString("</sequence>" + rapid.SampledFrom([]string{"", "\n", "<!-- after -->\n<?end?>"}).Draw(t, "after"))
	return b.String()
}

func attrValueText() *rapid.Generator[string] {
	return rapid.Map(rapid.StringN(0, 12, -1), func(s string) string {
		s = strings.Map(func(r rune) rune {
			if r < 0x20 && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF || r == 0xFFFD {
				return -1
			}
			return r
		}, s)
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	})
}

func TestLosslessGenerated(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(r *rapid.T) {
		text := document(r)
		for name, coded := range encodings(text) {
			s, err := sequence.Parse(coded)
			if err != nil { // a second condition, say: refused, not lost
				return
			}
			accepted++
			require.Equal(t, canonise(t, text), canonise(t, string(s.Export())), "%s\n%s", name, text)
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

func TestObjectComesBackWhole(t *testing.T) {
	in := `<?xml version="1.0"?><!-- export --><INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID"><VALUE>LAB00034</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Sequence"><QUALIFIER><VALUE>1</VALUE></QUALIFIER><VALUE><![CDATA[<sequence version="3.10"><group name="a ]]]]><![CDATA[> b"/></sequence>]]></VALUE></PROPERTY><PROPERTY NAME="Later"/></INSTANCE>`
	s, err := sequence.Parse([]byte(in))
	require.NoError(t, err)
	out := s.ExportDocument()
	again, err := sequence.Parse(out)
	require.NoError(t, err)
	require.Equal(t, canonise(t, string(s.Export())), canonise(t, string(again.Export())))
	require.Equal(t, s.Properties, again.Properties)
	before, _, _ := strings.Cut(canonise(t, in), "sequence version")
	after, _, _ := strings.Cut(canonise(t, string(out)), "sequence version")
	require.Equal(t, before, after)
	require.Contains(t, canonise(t, string(out)), `<PROPERTY NAME="Later"`)
}
