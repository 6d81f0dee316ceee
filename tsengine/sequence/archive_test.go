package sequence_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/sequence/sequencetest"
)

func entries(t testing.TB, data []byte) (names []string, content map[string]string) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	content = map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		names, content[f.Name] = append(names, f.Name), string(text)
	}
	return names, content
}

// A zip with a parent, its child and what the console adds comes back with all of it.
func TestTS175ArchiveComesBackWhole(t *testing.T) {
	first, second := "SMS_TaskSequencePackage/LAB00001/object.xml", `SMS_TaskSequencePackage\LAB00002\object.xml`
	parent := `<sequence version="3.10"><!-- kept --><subtasksequence name="c"><action/><defaultVarList>` + variable("OSDSubTasksequencePackageID", "LAB00002") + `</defaultVarList></subtasksequence></sequence>`
	in := zipped(t, "Manifest.xml", "\uFEFF<x/>", first, "\uFEFF"+object("LAB00001", parent), "SMS_Package/LAB00003/object.xml", "no", second, object("LAB00002", small), "[Content_Types].xml", "<t/>")
	a, err := sequence.OpenArchive(in)
	require.NoError(t, err)
	require.Len(t, a.Sequences, 2)
	var out bytes.Buffer
	n, err := a.WriteTo(&out)
	require.NoError(t, err)
	require.Equal(t, int64(out.Len()), n)
	wantNames, want := entries(t, in)
	names, got := entries(t, out.Bytes())
	require.Equal(t, wantNames, names)
	for name := range want {
		if name != first && name != second {
			require.Equal(t, want[name], got[name], name)
		}
	}
	again, err := sequence.OpenArchive(out.Bytes())
	require.NoError(t, err)
	for i, s := range a.Sequences {
		require.Equal(t, s.Properties, again.Sequences[i].Properties)
		require.Equal(t, s.PackageID, again.Sequences[i].PackageID)
	}
	require.Equal(t, sequencetest.Canonise(t, parent), sequencetest.Canonise(t, string(again.Sequences[0].Export())))
	require.Equal(t, sequencetest.Canonise(t, small), sequencetest.Canonise(t, string(again.Sequences[1].Export())))
}

func TestHostileArchives(t *testing.T) {
	good := object("LAB00001", small)
	for _, name := range []string{"../x.txt", "a/../../x", "/etc/passwd", `..\x`, `C:\x`, "a/.."} {
		_, err := sequence.OpenArchive(zipped(t, "SMS_TaskSequencePackage/LAB00001/object.xml", good, name, "x"))
		require.ErrorContains(t, err, "outside its folder", name)
	}
	_, err := sequence.OpenArchive(zipped(t, "SMS_TaskSequencePackage/LAB00001/object.xml", good, "sms_tasksequencepackage/LAB00001/object.xml", good))
	require.ErrorContains(t, err, "twice")
}

func FuzzArchive(f *testing.F) {
	f.Add(zipped(f, "Manifest.xml", "<x/>", "SMS_TaskSequencePackage/LAB00001/object.xml", object("LAB00001", small)))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := sequence.OpenArchive(data)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if _, err := a.WriteTo(&out); err != nil {
			return // an entry that is not ours may be damaged
		}
		again, err := sequence.OpenArchive(out.Bytes())
		require.NoError(t, err)
		require.Len(t, again.Sequences, len(a.Sequences))
	})
}
