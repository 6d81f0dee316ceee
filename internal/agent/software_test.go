package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/process"
)

// installStep is a step whose hidden inputs are name=value.
func installStep(kind, name string, inputs ...string) string {
	out := `<step type="SMS_TaskSequence_` + kind + `" name="` + name + `" successCodeList="0" continueOnError="false"><action/><defaultVarList>`
	for _, i := range inputs {
		n, v, _ := strings.Cut(i, "=")
		out += `<variable name="` + n + `" property="` + n + `" hidden="true">` + v + `</variable>`
	}
	return out + `</defaultVarList></step>`
}

func setVariable(name, value string) string {
	return installStep("SetVariableAction", "set "+name, "VariableName="+name, "VariableValue="+value)
}

// A run installs a program of a package and applications with their content, by name and by base variables, with real
// programs, and gets only what it may have.
func TestSoftwareFromTheRealAppliance(t *testing.T) {
	r := newRealSite(t, func(files *appliance) site.ContentLibrary { return library{files} })
	s, dir := r.site, t.TempDir()
	touch := func(name string) string { return "sh -c 'cp image.tar " + filepath.Join(dir, name) + "'" }
	for _, id := range []string{"BYD00015", "BYD00016"} {
		_, err := s.ImportPackage(s.Ctx, wire.Package{ID: id, Name: "Tools " + id}, "/nowhere")
		require.NoError(t, err)
	}
	_, err := s.PutProgram(s.Ctx, "BYD00015", wire.Program{Name: "setup", Command: touch("program")})
	require.NoError(t, err)
	_, err = s.PutProgram(s.Ctx, "BYD00016", wire.Program{Name: "Setup", Command: touch("secret")}) // neither named nor dynamic
	require.NoError(t, err)
	app := func(id, name string, dynamic bool, change ...func(*wire.DeploymentType)) {
		d := wire.DeploymentType{Name: "sh", Package: "BYD00015", Install: touch(name), Detection: wire.Detection{File: filepath.Join(dir, name)}}
		for _, f := range change {
			f(&d)
		}
		_, err := s.PutApplication(s.Ctx, wire.Application{ID: id, Name: name, Dynamic: dynamic, Types: []wire.DeploymentType{d}})
		require.NoError(t, err)
	}
	app("ScopeId_1/Application_runtime", "Runtime", false, func(d *wire.DeploymentType) { d.Package = "BYD00016" }) // content only by being needed
	app("ScopeId_1/Application_editor", "Editor", false, func(d *wire.DeploymentType) {
		d.Dependencies = []string{"Runtime"}
		d.Requirement = `<condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">equals</variable><variable name="Value">false</variable><variable name="Variable">_SMSTSInWinPE</variable></expression></condition>`
	})
	app("", "Viewer", true)
	app("", "Private", false)

	r.deploy(t, "Software",
		installStep("InstallSoftwareAction", "package", "PackageID=BYD00015", "_SMSSWDProgramName=Setup"),
		installStep("InstallApplicationAction", "by name", "ApplicationName=ScopeId_1/Application_editor"),
		setVariable("AA01", "Viewer"), setVariable("AA02", "Private"),
		installStep("InstallApplicationAction", "by list", "BaseVariableName=AA"),
		setVariable("PP001", "BYD00016:Setup"),
		installStep("InstallSoftwareAction", "package by list", "BaseVariableName=PP"))
	a := r.client(t, func(c *agent.Config) { c.Commands = process.Runner{} })
	require.NoError(t, a.RunOnce(context.Background()))
	r.advance(time.Hour)
	require.NoError(t, a.RunOnce(context.Background()))
	runs, err := s.Runs(s.Ctx, r.device.ID, "", 10)
	require.NoError(t, err)
	require.Equal(t, "Software", runs[0].SequenceName)
	require.Equal(t, wire.RunFailed, runs[0].State)
	require.Contains(t, runs[0].Message, "may not have a program")
	for name, there := range map[string]bool{"program": true, "Runtime": true, "Editor": true, "Viewer": true, "Private": false, "secret": false} {
		_, err := os.Stat(filepath.Join(dir, name))
		require.Equal(t, there, err == nil, name)
	}
	require.Equal(t, `["BYD00015:setup"]`, readFile(t, filepath.Join(r.state, "programs.json")))
}

// TS-46, OSDAppClearCache: with the real appliance the application that is superseded and its content come to a run that names
// only the new one, the old one goes first, and the content does not stay in the run's cache.
func TestSupersedenceFromTheRealAppliance(t *testing.T) {
	r := newRealSite(t, func(files *appliance) site.ContentLibrary { return library{files} })
	s, dir := r.site, t.TempDir()
	old, next, mark := filepath.Join(dir, "old"), filepath.Join(dir, "next"), filepath.Join(dir, "cached")
	require.NoError(t, os.WriteFile(old, nil, 0o600))
	for _, id := range []string{"BYD00015", "BYD00016"} {
		_, err := s.ImportPackage(s.Ctx, wire.Package{ID: id, Name: "Tools " + id}, "/nowhere")
		require.NoError(t, err)
	}
	put := func(name, pack, install, uninstall, file string, supersedes ...wire.Supersedence) {
		_, err := s.PutApplication(s.Ctx, wire.Application{ID: "ScopeId_1/Application_" + name, Name: name, Supersedes: supersedes,
			Types: []wire.DeploymentType{{Name: "sh", Package: pack, Install: install, Uninstall: uninstall, Detection: wire.Detection{File: file}}}})
		require.NoError(t, err)
	}
	put("old", "BYD00016", "never", "sh -c 'test -e image.tar && rm "+old+"'", old)
	put("next", "BYD00015", "sh -c 'test ! -e "+old+" && cp image.tar "+next+"'", "", next, wire.Supersedence{Application: "old", Uninstall: true})
	r.deploy(t, "Software", setVariable("OSDAppClearCache", "true"), installStep("InstallApplicationAction", "by name", "ApplicationName=ScopeId_1/Application_next"),
		command("look", "sh -c 'ls "+filepath.Join(r.state, "Packages")+" &gt; "+mark+"'"))
	a := r.client(t, func(c *agent.Config) { c.Commands = process.Runner{} })
	require.NoError(t, a.RunOnce(context.Background()))
	r.advance(time.Hour)
	require.NoError(t, a.RunOnce(context.Background()))
	runs, err := s.Runs(s.Ctx, r.device.ID, "", 10)
	require.NoError(t, err)
	require.Equal(t, wire.RunSucceeded, runs[0].State, runs[0].Message)
	require.NoFileExists(t, old)
	require.FileExists(t, next)
	require.NotContains(t, readFile(t, mark), "BYD00015", "OSDAppClearCache")
}
