package sequence_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
)

// TS-175: what is exported is read back: sequences under the ids and names of the site, their packages by kind (TS-139).
func TestTS175AndTS139ExportIsReadBack(t *testing.T) {
	bare := `<sequence version="3.10"><step type="SMS_TaskSequence_RunCommandLineAction" name="a &amp; b ]]&gt;" successCodeList="0"><action>echo &lt;x&gt;</action></step></sequence>`
	parent, err := sequence.Parse([]byte(bare))
	require.NoError(t, err)
	own, err := sequence.Parse([]byte(object("ABC00002", bare)))
	require.NoError(t, err)
	packages := []sequence.ExportedPackage{{ID: "BYD00003", Name: "Tools & more", Type: sequence.StandardPackage}, {ID: "BYD00004", Name: "Drivers", Type: sequence.DriverPackage},
		{ID: "BYD00005", Name: "Image", Description: "of a system", Type: sequence.ImagePackage}, {ID: "BYD00006", Name: "Upgrade", Type: sequence.UpgradePackage}, {ID: "BYD00007", Name: "Boot", Type: sequence.BootImagePackage}}
	var b bytes.Buffer
	require.NoError(t, sequence.WriteExport(&b, sequence.Export{Packages: packages, Sequences: []sequence.ExportedSequence{
		{Sequence: parent, ID: "BYD00001", Name: "Parent <1>", BootImage: "BYD00007"}, {Sequence: own, ID: "ABC00002", Name: "renamed"}}}))
	a, err := sequence.OpenArchive(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, packages, a.Packages)
	require.Len(t, a.Sequences, 2)
	first := a.Sequences[0]
	require.Equal(t, []string{"BYD00001", "Parent <1>", "BYD00007"}, []string{first.PackageID, first.Name, first.BootImageID})
	require.Equal(t, sequencetest.Canonise(t, bare), sequencetest.Canonise(t, string(first.Export())))
	require.Equal(t, string(own.ExportDocument()), string(a.Sequences[1].ExportDocument()), "an object of its own loses nothing")

	require.Error(t, sequence.WriteExport(&b, sequence.Export{Packages: []sequence.ExportedPackage{{ID: "X", Type: 99}}}))
}

// TS-139: the number in the object counts, and a folder's class where there is none.
func TestTS139PackageTypeNumbers(t *testing.T) {
	pack := func(number string) string {
		return `<INSTANCE CLASSNAME="x"><PROPERTY NAME="PackageID" TYPE="string"><VALUE>ABC00009</VALUE></PROPERTY>` + number + `</INSTANCE>`
	}
	for want, entry := range map[sequence.PackageType][2]string{
		0: {"SMS_Package/ABC00009/object.xml", pack("")}, 3: {`SMS_DriverPackage\ABC00009\object.xml`, pack("")}, 257: {"SMS_ImagePackage/ABC00009/object.xml", pack("")},
		259: {"SMS_Package/ABC00009/object.xml", pack(`<PROPERTY NAME="PackageType" TYPE="uint32"><VALUE>259</VALUE></PROPERTY>`)}, 258: {"SMS_BootImagePackage/ABC00009/object.xml", pack("")},
	} {
		a, err := sequence.OpenArchive(zipped(t, "SMS_TaskSequencePackage/ABC00001/object.xml", object("ABC00001", `<sequence version="3.10"/>`), entry[0], entry[1]))
		require.NoError(t, err)
		require.Len(t, a.Packages, 1)
		require.Equal(t, want, a.Packages[0].Type)
	}
	for _, bad := range []string{"<a/>", "no xml", `<INSTANCE CLASSNAME="x"/>`,
		strings.ReplaceAll(pack(""), "ABC00009", ".."), strings.ReplaceAll(pack(""), "ABC00009", `..\x`), strings.ReplaceAll(pack(""), "ABC00009", "a/b")} {
		a, err := sequence.OpenArchive(zipped(t, "SMS_TaskSequencePackage/ABC00001/object.xml", object("ABC00001", `<sequence version="3.10"/>`), "SMS_Package/x/object.xml", bad))
		require.NoError(t, err, "the sequences are the point")
		require.Empty(t, a.Packages)
	}
}
