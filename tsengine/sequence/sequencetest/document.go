package sequencetest

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// Encodings are the ways in which real files are stored (task-sequence-xml.md section 2).
func Encodings(text string) map[string][]byte {
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

// Document draws a sequence with everything that may stand in one, known and unknown.
func Document(t *rapid.T) string {
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
