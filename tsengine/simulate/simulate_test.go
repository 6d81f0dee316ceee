package simulate_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/simulate"
	"github.com/bootyard/bootyard/tsengine/variable"
)

func parse(t testing.TB, body string) *sequence.Sequence {
	t.Helper()
	s, err := sequence.Parse([]byte(`<sequence version="3.10">` + body + `</sequence>`))
	require.NoError(t, err)
	return s
}

func step(name, attributes string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_RunCommandLineAction" name="%s" successCodeList="0 3010" %s><action>smsswd.exe /run: x</action></step>`, name, attributes)
}

func typed(kind, name, attributes string, variables ...string) string {
	var list strings.Builder
	for i := 0; i < len(variables); i += 2 {
		fmt.Fprintf(&list, `<variable name="%s" hidden="true">%s</variable>`, variables[i], variables[i+1])
	}
	return fmt.Sprintf(`<step type="SMS_TaskSequence_%s" name="%s" %s><action>x</action><defaultVarList>%s</defaultVarList></step>`, kind, name, attributes, list.String())
}

func set(name, value string) string {
	return typed("SetVariableAction", "set "+name, `successCodeList="0"`, "VariableName", name, "VariableValue", value)
}

func group(name, attributes, body string) string {
	return fmt.Sprintf(`<group name="%s" %s>%s</group>`, name, attributes, body)
}

func when(name, operator, value string) string {
	return fmt.Sprintf(`<condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Operator">%s</variable><variable name="Value">%s</variable><variable name="Variable">%s</variable></expression></condition>`, operator, value, name)
}

func restart(target string) string {
	return typed("RebootAction", "restart "+target, `successCodeList="0"`, "SMSRebootTarget", target)
}

func child(id, attributes string) string {
	return `<subtasksequence type="SMS_TaskSequence_SubTasksequence" name="run ` + id + `" successCodeList="0" ` + attributes + `><action>SubTasksequence.exe</action><defaultVarList><variable name="OSDSubTasksequencePackageID">` + id + `</variable></defaultVarList></subtasksequence>`
}

func walk(t testing.TB, o simulate.Options) *simulate.Trace {
	t.Helper()
	trace, err := simulate.Walk(t.Context(), o)
	require.NoError(t, err)
	for i, n := range trace.Nodes {
		require.Equal(t, i, n.Pointer)
		require.NotEmpty(t, n.Result, n.Name)
		if n.Result != simulate.Run {
			require.NotEmpty(t, n.Reason, "%s is %s", n.Name, n.Result)
		}
		if n.Kind == "step" && (n.Result == simulate.Run || n.Result == simulate.Failed || n.Result == simulate.Ignored) {
			require.NotNil(t, n.ExitCode, n.Name)
		}
	}
	return trace
}

// results is one word per node: r run, s skipped, F failed, i failed-ignored, n not reached; exit codes that are not 0
// follow.
func results(trace *simulate.Trace) string {
	letters := map[simulate.Result]string{simulate.Run: "r", simulate.Skipped: "s", simulate.Failed: "F", simulate.Ignored: "i", simulate.NotReached: "n"}
	var out []string
	for _, n := range trace.Nodes {
		word := letters[n.Result]
		if n.ExitCode != nil && *n.ExitCode != 0 {
			word += fmt.Sprint(*n.ExitCode)
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

func TestTraces(t *testing.T) {
	for name, c := range map[string]struct {
		body        string
		environment tsengine.Environment
		codes       map[string]uint32
		want        string
		failure     string // of the sequence; empty is success
		variables   map[string]string
	}{
		"empty": {want: ""},
		"TS-45": {
			body: group("group 1", `continueOnError="true"`, step("1", `continueOnError="true"`)+step("2", "")+step("3", "")) +
				group("group 2", "", step("4", "")+step("5", "")+step("6", "")),
			codes: map[string]uint32{"1": 1, "2": 2, "4": 4}, // names come before pointers
			want:  "i i1 F2 n F F4 n n", failure: `"4" (pointer 5): exit code 4`,
			variables: map[string]string{"_SMSTSLastActionName": "4", "_SMSTSLastActionRetCode": "4", "_SMSTSLastActionSucceeded": "false"},
		},
		"TS-20: a disabled group is skipped with all it contains": {
			body: group("g", `disable="true"`, step("a", "")+group("h", "", step("b", `disable="true"`)+step("c", ""))) + step("d", `disable="true"`) + step("e", ""),
			want: "s s s s s s r",
		},
		"TS-22: a group whose condition is false is skipped with all it contains": {
			body: group("g", "", when("X", "equals", "1")+step("a", "")+group("h", "", step("b", ""))) + group("k", "", when("X", "notEquals", "1")+step("c", "")),
			want: "s s s s r r",
		},
		"TS-21: a step of the other environment fails": {
			body: step("a", `runIn="WinPE" continueOnError="true"`) + step("b", `runIn="WinPE"`) + step("c", ""), environment: tsengine.FullOS,
			want: "i2147942450 F2147942450 n", failure: "runs only in WinPE",
		},
		"TS-43: the failure goes outwards until a group ignores it": {
			body:  group("a", `continueOnError="true"`, group("b", "", group("c", "", step("x", "")+step("y", ""))+step("z", ""))+group("d", "", step("w", ""))) + step("last", ""),
			codes: map[string]uint32{"x": 3}, want: "i F F F3 n n n n r",
		},
		"TS-44: groups whose last failure was ignored, empty and wholly skipped groups run": {
			body:  group("a", "", step("x", `continueOnError="true"`)) + group("b", "", "") + group("c", "", step("y", `disable="true"`)),
			codes: map[string]uint32{"x": 3}, want: "r i3 r r s",
		},
		"TS-48: try and catch": {
			body: group("try", `continueOnError="true"`, step("work", "")+step("never", "")) +
				group("catch", "", when("_SMSTSLastActionSucceeded", "equals", "false")+step("rescue", "")+step("raise", "")),
			codes: map[string]uint32{"work": 7, "raise": 9}, want: "i F7 n F r F9", failure: "exit code 9",
		},
		"TS-46: continue on error does not help Setup Windows": {
			body:        group("g", `continueOnError="true"`, typed("SetupWindowsAndSMSAction", "setup", `successCodeList="0" continueOnError="true"`)) + step("after", ""),
			environment: tsengine.WinPE, codes: map[string]uint32{"setup": 1}, want: "F F1 n", failure: "exit code 1",
		},
		"TS-23: a condition that cannot be evaluated": {
			body: group("g", `continueOnError="true"`, `<condition><moon/></condition>`+step("a", "")) + step("b", ""),
			want: "i n r",
		},
		"TS-23: what such a group contains is not reached, not skipped": {
			body: group("g", "", when("V", "resembles", "x")+step("a", "")+group("inner", "", "")) + step("b", ""), want: "F n n n", failure: "cannot be evaluated",
		},
		"codes by pointer": {body: group("g", "", step("a", "")) + step("b", ""), codes: map[string]uint32{"1": 5}, want: "F F5 n", failure: "exit code 5"},
		"TS-29: success codes of the step": {
			body: `<step name="untyped" successCodeList="7 8"><action>x</action></step>` + step("b", ""), codes: map[string]uint32{"b": 3010}, want: "r7 r3010",
		},
		"TS-86, TS-91: variables": {
			body:      set("A", "one") + set("B", "%A% %Gone%") + set("A", "") + set("C", "%C%x"),
			want:      "r r r r",
			variables: map[string]string{"B": "one %Gone%", "C": "%C%x"},
		},
		"TS-88: a read-only variable": {body: set("_SMSTSInWinPE", "x"), want: "F2147942487", failure: "read-only"},
		"a step whose code fails sets nothing": {
			body: strings.ReplaceAll(set("A", "one"), "<step ", `<step continueOnError="true" `), codes: map[string]uint32{"set A": 1}, want: "i1",
			variables: map[string]string{"_SMSTSLastActionRetCode": "1"},
		},
		"TS-118: Setup Windows leads into the full system": {
			body: typed("PartitionDiskAction", "disk", `runIn="WinPE"`, "OSDPartitions", "1", "OSDPartitionStyle", "MBR", "OSDPartitions0Type", "Primary", "OSDPartitions0FileSystem", "NTFS", "OSDPartitions0Size", "100", "OSDPartitions0SizeUnits", "Percent", "OSDPartitions0VolumeLetterVariable", "OSPART") +
				typed("ApplyOperatingSystemAction", "apply", `runIn="WinPE"`) + typed("SetupWindowsAndSMSAction", "setup", "") + step("pe", `runIn="WinPE" continueOnError="true"`) + step("os", `runIn="FullOS"`),
			want: "r r r i2147942450 r", variables: map[string]string{"_SMSTSInWinPE": "false"},
		},
		"TS-110: restarts change the environment": {
			body:        step("pe", `runIn="WinPE"`) + restart("HD") + step("os", `runIn="FullOS"`) + restart("WinPE") + step("pe again", `runIn="WinPE"`),
			environment: tsengine.WinPE, want: "r r r r r", variables: map[string]string{"_SMSTSInWinPE": "true"},
		},
		"TS-46: nothing to restart into": {
			body:        typed("PartitionDiskAction", "disk", "") + strings.ReplaceAll(restart("HD"), "<step ", `<step continueOnError="true" `),
			environment: tsengine.WinPE, want: "r F2147943568", failure: "nothing to restart into",
		},
		"TS-30: 3010 stays in its environment": {
			body:        group("g", "", step("a", "")+step("b", `runIn="WinPE"`)) + step("c", ""),
			environment: tsengine.WinPE, codes: map[string]uint32{"a": 3010}, want: "r r3010 r r",
		},
		"TS-30: 3010 outside the list": {body: `<step name="a" successCodeList="0"><action>x</action></step>`, codes: map[string]uint32{"a": 3010}, want: "F3010", failure: "3010"},
		"TS-111: a restart asked for by a variable": {
			body:        set("SMSTSRebootRequested", "HD") + step("os", `runIn="FullOS"`),
			environment: tsengine.WinPE, want: "r r",
		},
		"TS-112: the same step again": {
			body:        set("SMSTSRetryRequested", "true") + set("SMSTSRebootRequested", "HD") + step("os", `runIn="FullOS"`),
			environment: tsengine.WinPE, want: "r r r", variables: map[string]string{"_SMSTSLastActionName": "os"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			trace := walk(t, simulate.Options{Sequence: parse(t, c.body), Machine: simulate.Machine{Environment: c.environment, ExitCodes: c.codes}})
			require.Equal(t, c.want, results(trace), "%+v", trace.Nodes)
			if c.failure == "" {
				require.Equal(t, simulate.Success, trace.Outcome)
				require.Nil(t, trace.Error)
			} else {
				require.Equal(t, simulate.Failure, trace.Outcome)
				require.Contains(t, *trace.Error, c.failure)
			}
			for n, v := range c.variables {
				require.Equal(t, v, trace.Variables[n], n)
			}
			require.NotContains(t, trace.Variables, "A")
		})
	}
}

// Reasons name the values that decided.
func TestReasons(t *testing.T) {
	trace := walk(t, simulate.Options{
		Sequence: parse(t, group("g", "", when("Model", "like", "Latitude*")+step("a", "")+restart("HD"))+
			group("skip", "", when("Model", "equals", "x")+step("b", ""))+set("Out", "%Model%!")+step("fails", "")+step("never", "")),
		Machine: simulate.Machine{Environment: tsengine.WinPE, Variables: map[string]string{"Model": "Latitude 5400"}, ExitCodes: map[string]uint32{"fails": 87, "nobody": 1}},
	})
	for i, want := range []string{
		0: `Model like "Latitude*": true, it is "Latitude 5400"`,
		1: "exit code 0, its first success code",
		2: "fullos from here on",
		3: `it is "Latitude 5400"`,
		4: `group "skip" (pointer 3) is skipped with all it contains: Model equals "x": false`,
		5: "sets Out to 'Latitude 5400!'",
		6: "exit code 87 is not in the success codes 0 3010",
		7: `failed at "fails" (pointer 6)`,
	} {
		require.Contains(t, trace.Nodes[i].Reason, want)
	}
	require.Contains(t, strings.Join(trace.Warnings, "\n"), `"nobody"`)
	require.Contains(t, strings.Join(trace.Warnings, "\n"), "taken to hold an operating system")
}

// TS-21: the step's own runIn decides; that its type needs the other environment is a warning.
func TestTS21TypeOfTheOtherEnvironment(t *testing.T) {
	trace := walk(t, simulate.Options{Sequence: parse(t, typed("PartitionDiskAction", "disk", "")), Machine: simulate.Machine{Environment: tsengine.FullOS}})
	require.Equal(t, "r", results(trace))
	require.Contains(t, trace.Nodes[0].Reason, "on a machine it would fail")
	require.Len(t, trace.Warnings, 1)
	require.Contains(t, trace.Warnings[0], "only in WinPE")
}

// TS-120, TS-121: child sequences in place, missing, failing, disabled and going round in circles.
func TestChildren(t *testing.T) {
	inner := parse(t, set("FromChild", "%In%")+group("g", "", step("deep", "")))
	o := simulate.Options{Sequence: parse(t, set("In", "parent")+child("BYD00001", `continueOnError="true"`)+child("BYD00002", "")+step("after", "")),
		Children: map[string]*sequence.Sequence{"BYD00001": inner}}
	trace := walk(t, o)
	require.Equal(t, "r r r r r r r", results(trace))
	require.Equal(t, "parent", trace.Variables["FromChild"])
	require.Equal(t, "BYD00001", trace.Nodes[4].Sequence)
	require.Equal(t, 2, trace.Nodes[4].Depth)
	require.Contains(t, trace.Nodes[5].Reason, "BYD00002 is not at hand")
	require.Equal(t, "subtasksequence", trace.Nodes[5].Kind)
	require.Len(t, trace.Warnings, 1)

	o.Machine.ExitCodes = map[string]uint32{"deep": 4}
	require.Equal(t, "r i r F F4 r r", results(walk(t, o)))
	o.Machine.ExitCodes = map[string]uint32{"run BYD00002": 4}
	trace = walk(t, o)
	require.Equal(t, "r r r r r F4 n", results(trace))
	require.Contains(t, *trace.Error, "exit code 4 is not in the success codes 0")

	o.Children["BYD00002"] = parse(t, `<step type="SMS_TaskSequence_PartitionDiskAction" name="p" runIn="WinPE"><action>osddiskpart.exe</action></step>`)
	require.Equal(t, "winpe", walk(t, o).Environment, "a child that partitions begins in the boot environment")
	o.Sequence = parse(t, child("BYD00002", `disable="true"`))
	require.Equal(t, "fullos", walk(t, o).Environment)

	circle := parse(t, child("BYD00001", ""))
	trace = walk(t, simulate.Options{Sequence: circle, Children: map[string]*sequence.Sequence{"BYD00001": circle}})
	require.Equal(t, "n", results(trace))
	require.Contains(t, *trace.Error, "runs itself")
}

// TS-93: a trace shows no secret.
func TestSecrets(t *testing.T) {
	const secret = "s3cr3t-v4lue"
	trace := walk(t, simulate.Options{
		Sequence: parse(t, set("OSDJoinPassword", secret)+set("Copy", "x"+secret)+group("named %Hidden% "+secret, "", when("OSDJoinPassword", "equals", secret)+step("a "+secret, ""))+
			group("skipped", "", when("Hidden", "equals", "an-older-one")+step("b", ""))+group("unset", "", when("OSDLocalAdminPassword", "equals", "an-older-one"))+strings.Replace(child("BYD00009", ""), `name="`, `name="`+secret, 1)),
		Set: []variable.Assignment{{Name: "Hidden", Value: secret + "2", Secret: true}},
	})
	b, err := json.Marshal(trace)
	require.NoError(t, err)
	require.NotContains(t, string(b), secret)
	require.NotContains(t, string(b), "an-older-one", "what a secret is compared with")
	require.Equal(t, variable.Mask, trace.Variables["Hidden"])
	require.Len(t, trace.Warnings, 1)
}

// TS-76: what the facts do not speak of is said once for each class and kind.
func TestTS76UnknownIsWarned(t *testing.T) {
	wmi := func(query string) string {
		return `<condition><expression type="SMS_TaskSequence_WMIConditionExpression"><variable name="Query">` + query + `</variable></expression></condition>`
	}
	file := `<condition><expression type="SMS_TaskSequence_FileConditionExpression"><variable name="Path">C:\a</variable></expression></condition>`
	sheet, err := fact.Parse([]byte("wmi: {Win32_Battery: []}"))
	require.NoError(t, err)
	trace := walk(t, simulate.Options{Sequence: parse(t, group("a", "", wmi("SELECT * FROM Moon WHERE A = 1"))+group("b", "", wmi("SELECT * FROM Moon WHERE A = 2"))+
		group("c", "", wmi("SELECT * FROM Win32_Battery"))+group("d", "", file)), Machine: simulate.Describe(sheet)})
	require.Equal(t, "s s s s", results(trace))
	require.Len(t, trace.Warnings, 2)
	require.Contains(t, trace.Warnings[0], "no class Moon")
	require.Contains(t, trace.Warnings[1], "no list of files")
}

// What a machine's variables say beats what the engine knows; the environment decides _SMSTSInWinPE.
func TestMachine(t *testing.T) {
	o := simulate.Options{Sequence: parse(t, ""), Machine: simulate.Machine{
		Variables: map[string]string{"_SMSTSMake": "Dell Inc.", "_SMSTSBootUEFI": "TRUE", "_SMSTSPackageID": "ABC00001", "_SMSTSInWinPE": "true"},
		Hardware:  tsengine.Hardware{Make: "Other", Model: "Model"},
	}}
	trace := walk(t, o)
	require.Equal(t, "winpe", trace.Environment)
	for name, want := range map[string]string{"_SMSTSMake": "Dell Inc.", "_SMSTSModel": "Model", "_SMSTSBootUEFI": "true", "_SMSTSPackageID": "ABC00001", "_SMSTSInWinPE": "true"} {
		require.Equal(t, want, trace.Variables[name], name)
	}
	o.Machine.Environment = tsengine.FullOS
	require.Equal(t, "false", walk(t, o).Variables["_SMSTSInWinPE"])
	o.Machine.Variables = map[string]string{"not a name": "x"}
	_, err := simulate.Walk(t.Context(), o)
	require.ErrorContains(t, err, "not a name")
	_, err = simulate.Walk(t.Context(), simulate.Options{})
	require.Error(t, err)
}

// A step that wants to run again after every restart does not keep the simulation for ever.
func TestEndlessRetry(t *testing.T) {
	rules := `&lt;Rules&gt;&lt;Rule&gt;&lt;Variables&gt;&lt;Variable Name="SMSTSRebootRequested"&gt;HD&lt;/Variable&gt;&lt;Variable Name="SMSTSRetryRequested"&gt;1&lt;/Variable&gt;&lt;/Variables&gt;&lt;/Rule&gt;&lt;/Rules&gt;`
	trace := walk(t, simulate.Options{Sequence: parse(t, typed("SetDynamicVariablesAction", "again", "", "OSDSetDynamicVariablesRules", rules)+step("after", ""))})
	require.Equal(t, simulate.Failure, trace.Outcome, "%+v", trace.Nodes)
	require.Equal(t, "F n", results(trace))
	require.Contains(t, *trace.Error, "TS-112")
}

// The time of a simulation does not grow with the square of the variables: 10,000 of them took minutes.
func TestManyVariables(t *testing.T) {
	var body strings.Builder
	for i := range 10_000 {
		body.WriteString(set(fmt.Sprintf("V%d", i), strconv.Itoa(i)))
	}
	began := time.Now()
	trace := walk(t, simulate.Options{Sequence: parse(t, body.String())})
	require.Less(t, time.Since(began), 30*time.Second, "the race detector and a busy machine are allowed for")
	require.Equal(t, "9999", trace.Variables["V9999"])
	require.Contains(t, trace.Nodes[5].Reason, "sets V5 to '5'")
}
