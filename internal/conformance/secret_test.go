package conformance_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/lint"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/simulate"
)

// Distinctive secrets, one for each place where a person can put one.
const (
	secretCollection = "c0llection-s3cret-A"
	secretDevice     = "d3vice-s3cret-B"
	secretStep       = "st3p-passw0rd-C"
	secretHidden     = "h1dden-valu3-D"
	secretFolder     = "f0lder-passw0rd-E"
)

var secrets = []string{secretCollection, secretDevice, secretStep, secretHidden, secretFolder}

// secretive uses all of them in every way that could show them: command lines, names, conditions, values, output, errors.
func secretive() []string {
	variable := func(name, value string) string { return `<variable name="` + name + `">` + value + `</variable>` }
	hidden := func(name, value string) string {
		return `<variable name="` + name + `" hidden="true">` + value + `</variable>`
	}
	ignored := func(kind, name, list string) string {
		return `<step type="SMS_TaskSequence_` + kind + `" name="` + name + `" successCodeList="0" continueOnError="true"><action>x</action><defaultVarList>` + list + `</defaultVarList></step>`
	}
	condition := `<condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">equals</variable><variable name="Value">` + secretHidden + `</variable><variable name="Variable">Hidden</variable></expression></condition>`
	return []string{
		ignored("SetVariableAction", "hide", hidden("VariableName", "Hidden")+hidden("DoNotShowVariableValue", "true")+hidden("HiddenVariableValue", secretHidden)),
		ignored("RunCommandLineAction", "as another", hidden("CommandLine", "echo %SiteKey% %DeviceKey% %Hidden%")+variable("_SMSTSRunCommandLineAsUser", "true")+
			variable("SMSTSRunCommandLineUserName", "worker")+variable("SMSTSRunCommandLineUserPassword", secretStep)+variable("SMSTSRunCommandLineOutputVariableName", "Printed")),
		ignored("ConnectNetworkFolderAction", "connect", variable("SMSConnectNetworkFolderPath", `\\files.invalid\share`)+variable("SMSConnectNetworkFolderDriveLetter", "Z:")+
			variable("SMSConnectNetworkFolderAccount", "worker")+variable("SMSConnectNetworkFolderPassword", secretFolder)),
		command("copy", "echo %Printed%"),
		command("fail with %SiteKey%", "exit 9 %SiteKey%"),
		`<group name="only with %Hidden%">` + condition + command("inside "+secretHidden, "echo "+secretHidden) + `</group>`,
		`<group name="never">` + strings.Replace(condition, "equals", "notEquals", 1) + `</group>`,
	}
}

// TS-93: a secret can be used and is shown nowhere.
func TestTS93SecretsAreNowhere(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	b.set("/devices/pc-1", wire.Variable{Name: "DeviceKey", Value: secretDevice, Hidden: true})
	call[wire.Device](b, "POST", "/devices/pc-1/approve", nil)
	collection := ""
	d := b.debug(c, func(s *wire.DeploymentSpec) {
		collection = s.Collection
		b.set("/collections/"+collection, wire.Variable{Name: "SiteKey", Value: secretCollection, Hidden: true})
	}, secretive()...)
	shown := map[string]string{}
	ask := func(path string) {
		status, data := b.ask("GET", path, nil)
		require.Equal(t, 200, status, "%s: %s", path, data)
		shown["GET "+path] += string(data)
	}
	d.goes()
	d.stands(0)
	for pointer := 1; pointer <= 4; pointer++ {
		d.do("step", 0)
		d.stands(pointer)
		ask("/runs/pc-1/debug")
	}
	shown["files of the agent in the middle"] = filesBelow(t, c.config.Dir)
	d.do("run", 0)
	view := d.until("the failure", func(v wire.DebugView) bool { return v.Paused && v.Failed != nil })
	require.EqualValues(t, 9, view.Failed.Code)
	ask("/runs/pc-1/debug")
	d.do("skip", 0)
	d.do("run", 0)
	require.NoError(t, d.ends())
	lines := strings.Join(c.commands.All(), "\n")
	for _, s := range []string{secretCollection, secretDevice, secretHidden} {
		require.Contains(t, lines, s, "the steps get the real values")
	}
	run := b.runs("")[0]
	for _, path := range []string{"/runs", "/runs/" + run.ID, "/runs/" + run.ID + "/events", "/runs/" + run.ID + "/log", "/status", "/messages", "/alerts", "/devices", "/devices/pc-1",
		"/devices/pc-1/variables", "/collections/" + collection, "/collections/" + collection + "/variables", "/deployments", "/explain?device=pc-1", "/sequences", "/sequences/" + run.Sequence} {
		ask(path)
	}
	shown["screen"] = c.screen.String()
	shown["files of the agent"] = filesBelow(t, c.config.Dir)

	s, err := sequence.Parse([]byte(xmlOf(secretive()...)))
	require.NoError(t, err)
	findings, err := json.Marshal(lint.Run(s, lint.Options{}))
	require.NoError(t, err)
	shown["lint"] = string(findings)
	trace, err := simulate.Walk(t.Context(), simulate.Options{Sequence: s})
	require.NoError(t, err)
	simulated, err := json.Marshal(trace)
	require.NoError(t, err)
	shown["simulate"] = string(simulated)

	require.Contains(t, shown["GET /runs/"+run.ID+"/log"], "********")
	require.Contains(t, shown["GET /runs/"+run.ID+"/events"], "********")
	for place, text := range shown {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				i := strings.Index(text, secret)
				t.Errorf("%s shows %s: ...%q", place, secret, text[max(0, i-200):min(len(text), i+60)])
			}
		}
	}
}

// filesBelow is what a folder holds, names and contents.
func filesBelow(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if d.Name() == "run.json" || d.Name() == "key" { // what the run needs, for root alone and only while it goes on (docs/agent.md)
			info, err := d.Info()
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
			return nil
		}
		all.WriteString("\n" + path + "\n" + string(data))
		return err
	}))
	return all.String()
}
