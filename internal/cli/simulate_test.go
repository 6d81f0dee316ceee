package cli_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/cli"
)

// family is the zip of an export: the parent ABC00001 and its child ABC00002.
func family() ([]byte, error) {
	object := func(id, body string) string {
		return `<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="PackageID" TYPE="string"><VALUE>` + id + `</VALUE></PROPERTY><PROPERTY NAME="Name" TYPE="string"><VALUE>Sequence ` + id + `</VALUE></PROPERTY>` +
			`<PROPERTY NAME="Sequence" TYPE="string"><VALUE><![CDATA[<sequence version="3.10">` + body + `</sequence>]]></VALUE></PROPERTY></INSTANCE>`
	}
	step := func(name string) string {
		return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0"><action>x</action></step>`, name)
	}
	child := `<subtasksequence type="SMS_TaskSequence_SubTasksequence" name="child" successCodeList="0"><action/><defaultVarList><variable name="OSDSubTasksequencePackageID">ABC00002</variable></defaultVarList></subtasksequence>`
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for id, body := range map[string]string{"ABC00001": step("first") + child, "ABC00002": step("inner")} {
		f, err := archive.Create("SMS_TaskSequencePackage/" + id + "/object.xml")
		if err == nil {
			_, err = f.Write([]byte(object(id, body)))
		}
		if err != nil {
			return nil, err
		}
	}
	err := archive.Close()
	return b.Bytes(), err
}

// An export with a parent and its child: the parent is meant, the child is walked in its place; --id chooses another.
func TestSimulateExport(t *testing.T) {
	data, err := family()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "export.zip")
	require.NoError(t, os.WriteFile(file, data, 0o600))

	simulate := func(args ...string) (string, string, int) {
		var out, errOut bytes.Buffer
		code := cli.Execute(t.Context(), append([]string{"sequence", "simulate", file}, args...), strings.NewReader("exitCodes: {inner: 7}"), &out, &errOut)
		return out.String(), errOut.String(), code
	}
	out, errs, code := simulate("--facts", "-")
	require.Zero(t, code, errs)
	require.Contains(t, out, "Sequence ABC00001, beginning in fullos")
	require.Contains(t, out, "1 x child/: failed")
	require.Contains(t, out, "2 x   inner: failed, exit code 7")
	out, errs, code = simulate("--id", "abc00002")
	require.Zero(t, code, errs)
	require.Contains(t, out, "0 + inner: run")
	_, errs, code = simulate("--id", "ABC00009")
	require.Equal(t, 2, code)
	require.Contains(t, errs, "ABC00001 Sequence ABC00001")
}
