package sequence_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

const small = `<sequence version="3.10"><group name="Grüße &amp; &lt;%&quot;"><step name="a" timeout="900" successCodeList="0  3010 -1" runIn="FullOS" continueOnError="TRUE"><action>x</action></step></group></sequence>`

func utf16Bytes(s string, order binary.AppendByteOrder, bom bool) []byte {
	var out []byte
	if bom {
		out = order.AppendUint16(out, 0xFEFF)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

// task-sequence-xml.md section 2: the bytes decide, not the declaration.
func TestEncodings(t *testing.T) {
	for name, data := range map[string][]byte{
		"utf-8":                     []byte(small),
		"utf-8 bom":                 []byte("\uFEFF" + small),
		"two boms and blanks":       []byte("\uFEFF\uFEFF" + small + "\r\n"),
		"white space first":         []byte("\r\n  " + `<?xml version="1.0"?>` + small),
		"wrong declaration":         []byte(`<?xml version="1.0" encoding="utf-16"?>` + small),
		"utf-16 le bom":             utf16Bytes(`<?xml version="1.0" encoding="utf-8"?>`+small, binary.LittleEndian, true),
		"utf-16 be bom":             utf16Bytes(small, binary.BigEndian, true),
		"utf-16 le without bom":     utf16Bytes(small, binary.LittleEndian, false),
		"utf-16 be without bom":     utf16Bytes(small, binary.BigEndian, false),
		"unknown declared encoding": []byte(`<?xml version="1.0" encoding="klingon"?>` + small),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sequence.Parse(data)
			require.NoError(t, err)
			require.Len(t, s.All(), 2)
			require.Equal(t, `Grüße & <%"`, s.All()[0].Name)
			n := s.All()[1]
			require.Equal(t, []uint32{0, 3010, 4294967295}, n.SuccessCodes)
			require.Equal(t, 900*time.Second, n.Timeout)
			require.Equal(t, sequence.FullOS, n.RunIn)
			require.True(t, n.ContinueOnError)
			require.Equal(t, 1, n.Pointer)
		})
	}
}

func TestHostileInput(t *testing.T) {
	deep := strings.Repeat(`<group name="g">`, 5000)
	for name, c := range map[string]struct {
		xml          string
		line, column int
		text         string
	}{
		"empty":            {"", 1, 1, "no XML element"},
		"not xml":          {"hello", 1, 1, "text outside"},
		"doctype":          {"<!DOCTYPE x [<!ENTITY a \"b\">]>\n<sequence/>", 1, 1, "DTD"},
		"doctype inside":   {"<sequence>\n  <!DOCTYPE x></sequence>", 2, 3, "DTD"},
		"entity":           {"<sequence version=\"3.10\">\n\n <group name=\"&bomb;\"/></sequence>", 3, 0, "predefined entities"},
		"instruction":      {"<sequence>\n<?xml version='1.0'?></sequence>", 2, 1, "declaration"},
		"many attributes":  {"<sequence>\n<x" + strings.Repeat(" a=\"\"", sequence.MaxAttrs+1) + "/></sequence>", 2, 1, "more than 1000 attributes"},
		"long attribute":   {"<sequence>\n<x a=\"" + strings.Repeat("a", sequence.MaxAttr+1) + "\"/></sequence>", 2, 1, "longer than"},
		"entity bomb":      {"<!DOCTYPE x [\n<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]>\n<sequence name=\"&b;\"/>", 1, 1, "DTD"},
		"depth":            {`<sequence version="3.10">` + deep, 1, 0, "deeper than"},
		"cut short":        {"<sequence version=\"3.10\">\n <group name=\"a\">", 2, 0, ""},
		"crossed":          {"<sequence version=\"3.10\">\n<group name=\"a\"></sequence></group>", 2, 17, "</group>"},
		"two roots":        {"<sequence/>\n<sequence/>", 2, 1, "second root"},
		"twice":            {`<sequence version="3.10" version="3.10"/>`, 1, 1, "twice"},
		"text after":       {"<sequence/> more", 1, 0, "text outside"},
		"other root":       {`<html/>`, 1, 1, "no task sequence"},
		"not utf-8":        {"<sequence name=\"a\xff\"/>", 1, 18, "UTF-8"},
		"two conditions":   {`<sequence version="3.10"><step name="x"><condition/><condition/></step></sequence>`, 1, 53, "second condition"},
		"control":          {"<sequence name=\"\x01\"/>", 1, 0, "illegal"},
		"object, no value": {`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Sequence"/></INSTANCE>`, 1, 1, "no Sequence property"},
		"object, broken":   {`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Sequence"><VALUE>&lt;sequence></VALUE></PROPERTY></INSTANCE>`, 1, 0, "inside the Sequence property"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sequence.Parse([]byte(c.xml))
			var place *sequence.Error
			require.ErrorAs(t, err, &place)
			require.Equal(t, c.line, place.Line, err)
			if c.column > 0 {
				require.Equal(t, c.column, place.Column, err)
			}
			require.ErrorContains(t, err, c.text)
		})
	}
	_, err := sequence.Parse(make([]byte, sequence.MaxSize+1))
	require.ErrorContains(t, err, "bytes are more than")
	_, err = sequence.Parse([]byte(`<sequence version="3.10">` + strings.Repeat("<x/>", sequence.MaxElements+1) + `</sequence>`))
	require.ErrorContains(t, err, "more than")
	_, err = sequence.Parse([]byte(`<sequence version="3.10"><step name="x"><action>` + strings.Repeat("<![CDATA[x]]>", sequence.MaxElements/8) + `</action></step></sequence>`))
	_ = err // either is fine as long as it is quick; the test's time limit judges
}

// What makes no sense is kept for the export and keeps the sequence from being deployed (TSV-5).
func TestFaultsAreKept(t *testing.T) {
	for rule, in := range map[string]string{
		"TS-7":  `<sequence version="4.0"/>`,
		"TS-28": `<sequence version="3.10"><step name="x" timeout="soon"><action>a</action></step></sequence>`,
		"TS-29": `<sequence version="3.10"><step name="x" successCodeList="0 99999999999"><action>a</action></step></sequence>`,
	} {
		t.Run(rule, func(t *testing.T) {
			s, err := sequence.Parse([]byte(in))
			require.NoError(t, err, rule)
			require.Equal(t, in+"\n", string(s.Export()))
			problems := s.Problems(nil)
			require.Len(t, problems, 1, rule)
			require.Equal(t, sequence.Blocks, problems[0].Severity)
			require.Equal(t, rule, problems[0].Rule)
		})
	}
}

// What other tools do to values, section 2.
func TestValues(t *testing.T) {
	s, err := sequence.Parse([]byte("<sequence version=\"3.10\"><step name=\"a\"><action>x</action><defaultVarList>" +
		"<variable name=\"Empty\"/><variable name=\"Pretty\">\r\n      </variable><variable name=\"Mask\">  . .</variable>" +
		"<variable name=\"Blank\"> </variable><variable name=\"Rules\">&lt;Rules/&gt;\r\n</variable><variable name=\"OSDX\" property=\"Short\" hidden=\"True\">v</variable>" +
		"</defaultVarList></step></sequence>"))
	require.NoError(t, err)
	n := s.All()[0]
	for name, want := range map[string]string{"Empty": "", "pretty": "", "Mask": "  . .", "Blank": " ", "Rules": "<Rules/>", "short": "v", "osdx": "v"} {
		got, ok := n.Input(name)
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
	}
	require.True(t, n.Defaults[5].Hidden)
	require.Equal(t, []uint32{0}, n.SuccessCodes)
}

// TS-29: the codes of a list are decimal numbers, also with zeros in front.
func TestTS29Codes(t *testing.T) {
	codes, err := sequence.ParseCodes(" 0  010 08 -1 0x80070005 3247440400")
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 10, 8, 4294967295, 0x80070005, 3247440400}, codes)
}

// Everything survives: unknown elements and attributes, comments, CDATA, blanks, references to control characters.
func TestLossless(t *testing.T) {
	for name, in := range map[string]string{
		"extension":         `<sequence version="3.10" x:y="1" xmlns:x="urn:x"><x:extra a="1">t<b/>u</x:extra><step name="s" future="1"><later/><action>a</action></step></sequence>`,
		"attribute blanks":  "<sequence version=\"3.10\"><group name=\"a&#10;b\tc\nd &#9;e\"/></sequence>",
		"carriage return":   "<sequence version=\"3.10\"><step name=\"s\"><action>a&#13;\nb\r\nc</action></step></sequence>",
		"cdata":             `<sequence version="3.10"><step name="s"><action><![CDATA[<a> & ]]>b</action></step></sequence>`,
		"mdt":               `<?xml version="1.0"?><sequence version="3.00" name="n" description="d"><group expand="true" name="g"><action /></group></sequence>`,
		"emoji and quotes":  `<sequence version="3.10"><group name="🚀 'x' &quot;y&quot; %z% /"/></sequence>`,
		"greater in values": `<sequence version="3.10"><step name="s"><action>a > b</action></step></sequence>`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := sequence.Parse([]byte(in))
			require.NoError(t, err)
			out := s.Export()
			require.Equal(t, canonical(t, []byte(normalised(in))), canonical(t, out))
		})
	}
	s, err := sequence.Parse([]byte("<sequence version=\"3.10\"><!-- why --><group name=\"a&#10;b\tc\nd\"/></sequence>"))
	require.NoError(t, err)
	require.Equal(t, "a\nb c d", s.All()[0].Name, "XML 1.0 section 3.3.3")
	require.Contains(t, string(s.Export()), "<!-- why -->")
}

// normalised does to literal tabs and line breaks in attributes what every XML reader but Go's does.
func normalised(s string) string {
	return strings.NewReplacer("b\tc\nd", "b c d").Replace(s)
}

func TestTS8ObjectXML(t *testing.T) {
	objectXML := `<?xml version="1.0"?><DECLARATIONS><INSTANCE CLASSNAME="SMS_TaskSequencePackage">
<PROPERTY NAME="PackageID" TYPE="string"><QUALIFIER NAME="key"><VALUE>true</VALUE></QUALIFIER><VALUE>LAB00034</VALUE></PROPERTY>
<PROPERTY NAME="Name" TYPE="string"><VALUE>Base</VALUE></PROPERTY><PROPERTY NAME="BootImageID" TYPE="string"><VALUE>LAB00005</VALUE></PROPERTY>
<PROPERTY NAME="Duration" TYPE="uint32"><VALUE>90</VALUE></PROPERTY>
<PROPERTY NAME="Sequence" TYPE="string"><QUALIFIER NAME="SizeLimit"><VALUE>trap</VALUE></QUALIFIER><VALUE><![CDATA[` + small + `]]></VALUE></PROPERTY>
</INSTANCE></DECLARATIONS>`
	s, err := sequence.Parse([]byte(objectXML))
	require.NoError(t, err)
	require.Equal(t, "LAB00034", s.PackageID)
	require.Equal(t, "Base", s.Name)
	require.Equal(t, "LAB00005", s.BootImageID)
	require.Equal(t, 90*time.Minute, s.MaxRunTime)
	forever, err := sequence.Parse([]byte(strings.Replace(objectXML, "<VALUE>90<", "<VALUE>0<", 1)))
	require.NoError(t, err)
	require.Equal(t, 12*time.Hour, forever.MaxRunTime, "no limit")
	require.Len(t, s.All(), 2)
	require.True(t, s.DeploysOS())
	require.True(t, strings.HasPrefix(string(s.Export()), "<sequence"))
}

func variable(name, value string) string {
	return fmt.Sprintf(`<variable name="%s" hidden="true">%s</variable>`, name, value)
}

// TSV-1 to TSV-5.
func TestReferencesAndProblems(t *testing.T) {
	step := func(kind, name, attributes string, variables ...string) string {
		return fmt.Sprintf(`<step type="SMS_TaskSequence_%s" name="%s" %s><action>a</action><defaultVarList>%s</defaultVarList></step>`, kind, name, attributes, strings.Join(variables, ""))
	}
	s, err := sequence.Parse([]byte(`<sequence version="3.10"><referenceList><reference package="OLD00001"/></referenceList>` +
		step("ApplyOperatingSystemAction", "apply", "", variable("ImagePackageID", "LAB00001"), variable("ConfigFilePackage", "")) +
		step("RunCommandLineAction", "run", "", variable("PackageID", "lab00001"), variable("CommandLine", "x")) +
		step("RunCommandLineAction", "gone", "", variable("PackageID", "LAB00002"), variable("CommandLine", "x")) +
		step("RunCommandLineAction", "off", `disable="true"`, variable("PackageID", "LAB00003")) +
		step("RunCommandLineAction", "removed", "", variable("PackageID", "00000000"), variable("CommandLine", "x")) +
		step("RunCommandLineAction", "later", "", variable("PackageID", "%Which%"), variable("CommandLine", "x")) +
		step("DownloadPackageContentAction", "load", "", variable("OSDDownloadDownloadPackages", "LAB00004, LAB00001")) +
		step("SetVariableAction", "set", "", variable("VariableName", " ")) +
		step("ApplyWindowsSettingsAction", "win", "", variable("OSDLocalAdminPassword", "Pa55word")) +
		`<group name="trap"><condition><operator type="or"><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">ImageBuild</variable><variable name="Operator">greaterEqual</variable><variable name="Value">6</variable></expression></operator></condition></group>` +
		`<subtasksequence name="child"><defaultVarList>` + variable("OSDSubTasksequencePackageID", "LAB00009") + `</defaultVarList></subtasksequence></sequence>`))
	require.NoError(t, err)
	var refs []string
	for _, r := range s.References() {
		refs = append(refs, string(r.Kind)+" "+r.ID)
	}
	require.Equal(t, []string{"package LAB00001", "package LAB00002", "package 00000000", "package LAB00004", "sequence LAB00009"}, refs)
	require.True(t, s.HasOSDeploymentStep())
	var got []string
	for _, p := range s.Problems(func(_ sequence.ReferenceKind, id string) bool { return id != "LAB00002" }) {
		name := ""
		if p.Node != nil {
			name = p.Node.Name
		}
		require.NotEmpty(t, p.Remedy)
		require.NotContains(t, p.String(), "Pa55word")
		got = append(got, fmt.Sprintf("%s %s %s", p.Severity, p.Rule, name))
	}
	require.ElementsMatch(t, []string{"error TSV-5 set", "warning TS-93 win", "warning TS-67 trap", "error TSV-2 gone", "error TSV-2 removed", "warning TSV-11 "}, got)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("<sequence version=\"3.10\"><group name=\"a&#10;b\tc\"/><!-- x --></sequence>"))
	f.Add([]byte(`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Sequence"><VALUE>&lt;sequence/></VALUE></PROPERTY></INSTANCE>`))
	f.Add(utf16Bytes(small, binary.LittleEndian, true))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := sequence.Parse(data)
		if err != nil {
			return
		}
		out := s.Export()
		again, err := sequence.Parse(out)
		require.NoError(t, err, "%q", out)
		require.Equal(t, string(out), string(again.Export()))
		require.Len(t, again.All(), len(s.All()))
		s.Problems(nil)
	})
}

func FuzzRules(f *testing.F) {
	f.Add(`<Rules><Rule><condition><expression type="SMS_TaskSequence_MakeModelConditionExpression"><variable name="Make">Acme*</variable></expression></condition><Variables><Variable Name="A" IsSecret="false">b</Variable></Variables></Rule></Rules>`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = sequence.ParseRules(text) })
}
