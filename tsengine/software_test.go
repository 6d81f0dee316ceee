package tsengine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

// offer is a machine.Software.
type offer struct {
	programs map[string]wire.Program // PKGID:name in lower case
	apps     []wire.Application
	ran      map[string]bool
}

func (o *offer) Program(_ context.Context, id, name string) (wire.Program, error) {
	if p, ok := o.programs[id+":"+strings.ToLower(name)]; ok {
		return p, nil
	}
	return wire.Program{}, machine.ErrNoSoftware
}

func (o *offer) Application(_ context.Context, name string) (wire.Application, error) {
	for _, a := range o.apps {
		if a.ID == name || a.Name == name {
			return a, nil
		}
	}
	return wire.Application{}, machine.ErrNoSoftware
}

func (o *offer) HasRun(id, program string) bool { return o.ran[id+":"+program] }

func (o *offer) NoteRun(id, program string) error {
	if o.ran == nil {
		o.ran = map[string]bool{}
	}
	o.ran[id+":"+program] = true
	return nil
}

func offered(programs ...wire.Program) *offer {
	o := &offer{programs: map[string]wire.Program{}}
	for _, p := range programs {
		o.programs["BYD00005:"+strings.ToLower(p.Name)] = p
	}
	return o
}

// installing runs a body to its end, over the restarts that it asks for.
func installing(t *testing.T, o *offer, on func(string), body string) (run, string) {
	t.Helper()
	b, dir := &bench{}, t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	r := execute(t, parse(t, body), func(c *tsengine.Config) {
		c.Log, c.Machine.Content, c.Machine.Software = log, content{b}, o
		c.Machine.Commands.(*commands).on = on
	})
	for i := 0; r.result.Outcome == tsengine.RestartRequested; i++ {
		require.Less(t, i, 10)
		r.engine, err = r.engine.Resume(r.store.last(t), tsengine.FullOS)
		require.NoError(t, err)
		r.result, err = r.engine.Run(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	return r, string(text)
}

func packageStep(v ...string) string { return typed("InstallSoftwareAction", "Package", "", v...) }

// TS-90: PKGID:Program from 001, up to the first gap; none is no error; a bad entry fails.
func TestInstallPackageTS90(t *testing.T) {
	base := hidden("BaseVariableName", "AA")
	for name, c := range map[string]struct {
		list    []string
		onward  string
		want    []string
		failure string
	}{
		"in order, to the gap":    {[]string{"AA001=BYD00005:one", "AA002=BYD00005:Two", "AA004=BYD00005:one"}, "false", []string{"exit 0 one", "exit 0 two"}, ""},
		"nothing":                 {nil, "false", nil, ""},
		"begins at 002":           {[]string{"AA002=BYD00005:one"}, "false", nil, ""},
		"lower case id":           {[]string{"AA001=byd00005:one", "AA002=BYD00005:one"}, "false", nil, "upper case"},
		"no program":              {[]string{"AA001=BYD00005"}, "false", nil, "PACKAGEID:Program"},
		"unknown program":         {[]string{"AA001=BYD00005:three"}, "false", nil, "package program list BYD00005"},
		"failure ends the list":   {[]string{"AA001=BYD00005:bad", "AA002=BYD00005:one"}, "false", []string{"exit 7"}, "exit code 7"},
		"failure, list goes on":   {[]string{"AA001=BYD00005:bad", "AA002=BYD00005:one"}, "true", []string{"exit 7", "exit 0 one"}, ""},
		"restart within the list": {[]string{"AA001=BYD00005:one", "AA002=BYD00005:restart", "AA003=BYD00005:Two"}, "false", []string{"exit 0 one", "exit 3010", "exit 0 two"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := offered(wire.Program{Name: "One", Command: "exit 0 one"}, wire.Program{Name: "Two", Command: "exit 0 two"}, wire.Program{Name: "bad", Command: "exit 7"}, wire.Program{Name: "restart", Command: "exit 3010"})
			body := ""
			for _, l := range c.list {
				n, v, _ := strings.Cut(l, "=")
				body += setVariable(n, v)
			}
			r, _ := installing(t, o, nil, body+packageStep(base, hidden("ContinueOnInstallError", c.onward))+command("after", "exit 0 after", ""))
			if c.failure != "" {
				require.Equal(t, tsengine.Failed, r.result.Outcome)
				require.Contains(t, r.result.Error, c.failure)
				require.Equal(t, c.want, r.commands.lines)
				return
			}
			require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			require.Equal(t, append(c.want, "exit 0 after"), r.commands.lines)
			require.Empty(t, r.engine.Variables().Value("_BootyardListPosition"))
		})
	}
}

// folder is a machine.Content with one folder for all packages.
type folder string

func (f folder) Fetch(context.Context, machine.ContentRequest, machine.Progress) (machine.Fetched, error) {
	return machine.Fetched{Dir: string(f)}, nil
}

// A list that goes on after a restart does so whatever became of its condition and whoever asked for the restart too, and
// one that was interrupted leaves no position to the next list.
func TestListsGoOnAfterRestarts(t *testing.T) {
	list := setVariable("AA001", "BYD00005:restart") + setVariable("AA002", "BYD00005:one") + setVariable("AA003", "BYD00005:Two")
	packages := func(condition, attribute string) string {
		s := packageStep(hidden("BaseVariableName", "AA"))
		return strings.Replace(strings.Replace(s, "</step>", condition+"</step>", 1), "<step ", "<step "+attribute+" ", 1)
	}
	o := offered(wire.Program{Name: "One", Command: "exit 0 one"}, wire.Program{Name: "Two", Command: "exit 0 two"}, wire.Program{Name: "restart", Command: "exit 3010"})
	t.Run("a condition that no longer holds", func(t *testing.T) {
		r, _ := installing(t, o, nil, list+packages(variableCondition("_SMSTSLastActionName", "notEquals", "Package"), ""))
		require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
		require.Equal(t, []string{"exit 3010", "exit 0 one", "exit 0 two"}, r.commands.lines)
	})
	t.Run("TS-111 SMSTSRebootRequested as well", func(t *testing.T) {
		done := filepath.Join(t.TempDir(), "done")
		real := offered(wire.Program{Name: "restart", Command: "sh -c 'echo ask >> " + done + "; echo SMSTSRebootRequested=HD >> $BOOTYARD_TSENV; exit 194'"},
			wire.Program{Name: "One", Command: "sh -c 'echo one >> " + done + "'"}, wire.Program{Name: "Two", Command: "sh -c 'echo two >> " + done + "'"})
		r := execute(t, parse(t, list+packages("", "")), func(c *tsengine.Config) {
			c.Machine = machine.Capabilities{Commands: process.Runner{}, Content: folder(t.TempDir()), Software: real}
		})
		require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
		engine, err := r.engine.Resume(r.store.last(t), tsengine.FullOS)
		require.NoError(t, err)
		result, err := engine.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, tsengine.Succeeded, result.Outcome, result.Error)
		text, err := os.ReadFile(done)
		require.NoError(t, err)
		require.Equal(t, "ask\none\ntwo\n", string(text))
	})
	t.Run("TS-112a interrupted", func(t *testing.T) {
		r := execute(t, parse(t, list+packages("", `continueOnError="true"`)+packages("", "")), func(c *tsengine.Config) {
			c.Machine.Content, c.Machine.Software = content{&bench{}}, o
		})
		require.Equal(t, tsengine.RestartRequested, r.result.Outcome)
		engine, err := r.engine.Resume(r.store.last(t), tsengine.FullOS)
		require.NoError(t, err)
		ctx, kill := context.WithCancel(t.Context())
		r.commands.on = func(string) { kill() }
		result, err := engine.Run(ctx)
		require.NoError(t, err)
		require.Equal(t, tsengine.Cancelled, result.Outcome, "the rest of the list is not taken for installed")
		r.commands.on = nil
		engine, err = engine.Resume(r.store.last(t), tsengine.FullOS)
		require.NoError(t, err)
		result, err = engine.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, tsengine.RestartRequested, result.Outcome, "the second list begins at its first entry")
		require.Equal(t, []string{"exit 3010", "exit 0 one", "exit 3010"}, r.commands.lines)
		require.True(t, slices.ContainsFunc(r.recorder.events, func(e tsengine.Event) bool { return e.ExitCode == step.CodeInterrupted }))
	})
}

func TestInstallPackageProgram(t *testing.T) {
	one := packageStep(hidden("PackageID", "BYD00005"), item("_SMSSWDProgramName", "one"))
	for name, c := range map[string]struct {
		program wire.Program
		want    string
	}{
		"disabled":    {wire.Program{Name: "one", Command: "exit 0", Disabled: true}, "is disabled"},
		"signed in":   {wire.Program{Name: "one", Command: "exit 0", RunMode: "loggedOn"}, "signed in"},
		"not run yet": {wire.Program{Name: "one", Command: "exit 0", RunFirst: "BYD00005:two"}, "BYD00005:two"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := installing(t, offered(c.program), nil, one)
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Contains(t, r.result.Error, c.want)
			require.Empty(t, r.commands.lines)
		})
	}
	// Another program first, which an earlier step ran.
	o := offered(wire.Program{Name: "one", Command: "exit 0", RunFirst: "BYD00005:Two"}, wire.Program{Name: "Two", Command: "exit 0 two"})
	r, _ := installing(t, o, nil, packageStep(hidden("PackageID", "BYD00005"), item("_SMSSWDProgramName", "two"))+one)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, "/cache/BYD00005", r.engine.Variables().Value("_SMSTSBYD00005"))
	// A restart that a program asked for goes on with the next step.
	r, _ = installing(t, offered(wire.Program{Name: "one", Command: "exit 3010"}), nil, one+command("after", "exit 0", ""))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"exit 3010", "exit 0"}, r.commands.lines)
	// The action alone names the package too.
	r, _ = installing(t, offered(wire.Program{Name: "one", Command: "exit 0"}), nil, `<step type="SMS_TaskSequence_InstallSoftwareAction" name="p" successCodeList="0"><action>smsswd.exe /pkg:BYD00005 /install /basevar: /continueOnError:</action><defaultVarList><variable name="_SMSSWDProgramName" property="ProgramName">one</variable></defaultVarList></step>`)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
}

// TS-94: OSDDoNotLogCommand hides the program name of Install Package.
func TestInstallPackageTS94(t *testing.T) {
	for value, shown := range map[string]bool{"TRUE": false, "FALSE": true} {
		_, log := installing(t, offered(wire.Program{Name: "Quiet", Command: "exit 0 geheim"}), nil, setVariable("OSDDoNotLogCommand", value)+
			packageStep(hidden("PackageID", "BYD00005"), item("_SMSSWDProgramName", "Quiet")))
		require.Equal(t, shown, strings.Contains(log, "Executing command line: exit 0 geheim"), log)
		require.Equal(t, shown, strings.Contains(log, `program "Quiet"`))
	}
}

// app makes an application whose install command writes the file that detects it.
func app(dir, name, line string, change ...func(*wire.DeploymentType)) wire.Application {
	kind := wire.DeploymentType{Name: "script", Package: "BYD00006", Install: line, Detection: wire.Detection{File: filepath.Join(dir, name)}}
	for _, f := range change {
		f(&kind)
	}
	return wire.Application{ID: "ScopeId_1/Application_" + name, Name: name, Types: []wire.DeploymentType{kind}}
}

func requirement(name, value string) string { return variableCondition(name, "equals", value) }

func appStep(v ...string) string {
	return typed("InstallApplicationAction", "Apps", `retryCount="2"`, v...)
}

// touch makes the file that "exit N file" names as its last word, unless that is no.
func touch(dir string) func(string) {
	return func(line string) {
		f := strings.Fields(line)
		if len(f) == 3 {
			_ = os.WriteFile(filepath.Join(dir, f[2]), nil, 0o600)
		}
	}
}

func TestInstallApplication(t *testing.T) {
	for name, c := range map[string]struct {
		names, variables string
		inputs           []string
		apps             func(dir string) []wire.Application
		before           string // is there already
		want             []string
		status           string
		failure          string
	}{
		"two in order": {names: "ScopeId_1/Application_a,ScopeId_1/Application_b", want: []string{"exit 0 a", "exit 0 b"}, status: "Success"},
		"detected":     {names: "a,b", before: "a", want: []string{"exit 0 b"}, status: "Success"},
		"unknown":      {names: "a,zzz", want: []string{"exit 0 a"}, failure: "application list"},
		"not detected after": {names: "a", apps: func(dir string) []wire.Application { return []wire.Application{app(dir, "a", "exit 0")} },
			want: []string{"exit 0"}, failure: "is not detected", status: "Error"},
		"fails": {names: "bad,a", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "bad", "exit 9"), app(dir, "a", "exit 0 a")}
		},
			want: []string{"exit 9"}, failure: "exit code 9", status: "Error"},
		"fails, list goes on": {names: "bad,a", inputs: []string{hidden("ContinueOnInstallError", "true")},
			apps: func(dir string) []wire.Application {
				return []wire.Application{app(dir, "bad", "exit 9"), app(dir, "a", "exit 0 a")}
			},
			want: []string{"exit 9", "exit 0 a"}, status: "Error"},
		"code of its own": {names: "a", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "a", "exit 5 a", func(d *wire.DeploymentType) { d.SuccessCodes = []uint32{5} })}
		}, want: []string{"exit 5 a"}, status: "Success"},
		"restart": {names: "r,a", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "r", "exit 3010 r"), app(dir, "a", "exit 0 a")}
		},
			want: []string{"exit 3010 r", "exit 0 a"}, status: "Success"},
		"restart, not detected": {names: "r,a", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "r", "exit 3010"), app(dir, "a", "exit 0 a")}
		},
			want: []string{"exit 3010"}, failure: "restarted for it", status: "Error"},
		"dependency": {names: "b", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "a", "exit 3010 a"), app(dir, "b", "exit 0 b", func(d *wire.DeploymentType) { d.Dependencies = []string{"a"} })}
		}, want: []string{"exit 3010 a", "exit 0 b"}, status: "Success"},
		"dependency fails": {names: "b", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "a", "exit 8"), app(dir, "b", "exit 0 b", func(d *wire.DeploymentType) { d.Dependencies = []string{"a"} })}
		}, want: []string{"exit 8"}, failure: `needs "a"`, status: "Error"},
		"circle": {names: "b", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "b", "exit 0 b", func(d *wire.DeploymentType) { d.Dependencies = []string{"b"} })}
		}, failure: "in a circle", status: "Error"},
		"requirement": {names: "a", apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "a", "exit 0 a", func(d *wire.DeploymentType) { d.Requirement = requirement("Role", "desk") })}
		}, status: "Warning"},
		"requirement, strict": {names: "a", inputs: []string{item("TSErrorOnWarning", "true")}, apps: func(dir string) []wire.Application {
			return []wire.Application{app(dir, "a", "exit 0 a", func(d *wire.DeploymentType) { d.Requirement = requirement("Role", "desk") })}
		}, failure: "TSErrorOnWarning", status: "Warning"},
		"second type": {names: "a", variables: setVariable("Role", "lab"), apps: func(dir string) []wire.Application {
			a := app(dir, "a", "exit 0 a", func(d *wire.DeploymentType) { d.Requirement = requirement("Role", "desk") })
			a.Types = append(a.Types, app(dir, "a", "exit 0 a", func(d *wire.DeploymentType) { d.Requirement = requirement("Role", "lab") }).Types...)
			return []wire.Application{a}
		}, want: []string{"exit 0 a"}, status: "Success"},
		"tries again": {names: "bad", inputs: []string{item("OSDAppInstallRetries", "2"), item("OSDAppInstallRetryTimeout", "1")},
			apps: func(dir string) []wire.Application { return []wire.Application{app(dir, "bad", "exit 9")} },
			want: []string{"exit 9", "exit 9", "exit 9"}, failure: "exit code 9", status: "Error"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.before != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, c.before), nil, 0o600))
			}
			o := &offer{apps: []wire.Application{app(dir, "a", "exit 0 a"), app(dir, "b", "exit 0 b")}}
			if c.apps != nil {
				o.apps = c.apps(dir)
			}
			r, _ := installing(t, o, touch(dir), c.variables+appStep(append(c.inputs, hidden("ApplicationName", c.names))...))
			require.Equal(t, c.want, r.commands.lines)
			if c.failure != "" {
				require.Equal(t, tsengine.Failed, r.result.Outcome)
				require.Contains(t, r.result.Error, c.failure)
			} else {
				require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			}
			if c.status != "" {
				require.Equal(t, c.status, r.engine.Variables().Value("_TSAppInstallStatus"))
			}
			require.Empty(t, r.engine.Variables().Value("_SMSTSAppInstallNeedsRetry"))
		})
	}
}

// TS-90: a bad application entry of a base variable is skipped, case matters, and the list ends at a gap.
func TestInstallApplicationTS90(t *testing.T) {
	dir := t.TempDir()
	o := &offer{apps: []wire.Application{app(dir, "a", "exit 0 a"), app(dir, "b", "exit 0 b")}}
	r, _ := installing(t, o, touch(dir), setVariable("BB01", "A")+setVariable("BB02", "b")+setVariable("BB04", "a")+appStep(hidden("BaseVariableName", "BB")))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"exit 0 b"}, r.commands.lines)
	require.Equal(t, "Warning", r.engine.Variables().Value("_TSAppInstallStatus"))
}

// TS-113: an unexpected restart runs the step again, as often as the retry count says; detection keeps what is there from
// being installed twice.
func TestRetryCountTS113(t *testing.T) {
	for count, want := range map[int]int{0: 1, 1: 2, 5: 6} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			dir, started := t.TempDir(), 0
			o := &offer{apps: []wire.Application{app(dir, "a", "exit 0 a"), app(dir, "b", "exit 0")}}
			body := typed("InstallApplicationAction", "Apps", fmt.Sprintf(`retryCount="%d"`, count), hidden("ApplicationName", "a,b"))
			var config tsengine.Config
			r := run{commands: &commands{}, store: &store{}}
			down := func(ctx context.CancelFunc) func(string) {
				return func(line string) {
					touch(dir)(line)
					if line == "exit 0" {
						started++
						ctx()
					}
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			r.commands.on = down(cancel)
			sealer, err := tsengine.NewSealer(make([]byte, 32))
			require.NoError(t, err)
			config = tsengine.Config{Sequence: parse(t, body), Environment: tsengine.FullOS, Store: r.store, Sealer: sealer,
				Machine: machine.Capabilities{Commands: r.commands, Content: content{&bench{}}, Software: o}}
			for i := 0; ; i++ {
				require.Less(t, i, 10)
				engine, err := tsengine.New(config)
				require.NoError(t, err)
				r.result, err = engine.Run(ctx)
				require.NoError(t, err)
				if r.result.Outcome != tsengine.Cancelled {
					break
				}
				// The power comes back.
				config.Checkpoint = r.store.last(t)
				ctx, cancel = context.WithCancel(t.Context())
				r.commands.on = down(cancel)
			}
			cancel()
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, step.CodeInterrupted, r.result.ExitCode, r.result.Error)
			require.Equal(t, want, started)
			require.Equal(t, 1, strings.Count(strings.Join(r.commands.lines, "\n"), "exit 0 a"))
		})
	}
}
