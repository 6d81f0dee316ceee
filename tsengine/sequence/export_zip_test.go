package sequence_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		require.NoError(t, err)
		_, err = f.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func object(id, body string) string {
	return fmt.Sprintf(`<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID"><VALUE>%s</VALUE></PROPERTY><PROPERTY NAME="Sequence"><VALUE><![CDATA[%s]]></VALUE></PROPERTY></INSTANCE>`, id, body)
}

func TestParseExport(t *testing.T) {
	parent := `<sequence version="3.10"><subtasksequence name="c"><action/><defaultVarList>` + variable("OSDSubTasksequencePackageID", "LAB00002") + `</defaultVarList></subtasksequence></sequence>`
	list, err := sequence.ParseExport(zipped(t, "Manifest.xml", "\uFEFF<x/>", `SMS_TaskSequencePackage/LAB00001/object.xml`, "\uFEFF"+object("LAB00001", parent),
		`SMS_TaskSequencePackage\LAB00002\object.xml`, object("LAB00002", small), "SMS_Package/LAB00003/object.xml", "no"))
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "LAB00002", list[1].PackageID)
	require.Equal(t, "LAB00002", list[0].References()[0].ID)

	list, err = sequence.ParseExport([]byte(small))
	require.NoError(t, err)
	require.Len(t, list, 1)

	_, err = sequence.ParseExport(zipped(t, "a.txt", "x"))
	require.ErrorContains(t, err, "no task sequence")
	_, err = sequence.ParseExport([]byte("PK\x03\x04 cut short"))
	require.Error(t, err)
	var place *sequence.Error
	_, err = sequence.ParseExport(zipped(t, "SMS_TaskSequencePackage/LAB00001/object.xml", "<x>"))
	require.ErrorAs(t, err, &place)
	bomb := strings.Repeat(" ", sequence.MaxSize+10)
	_, err = sequence.ParseExport(zipped(t, "SMS_TaskSequencePackage/LAB00001/object.xml", bomb))
	require.ErrorContains(t, err, "more than")
}
