package tsengine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/process"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// TS-93, TS-94: a secret is usable at run time and appears nowhere: log, events, result, checkpoints, service log.
func TestTS93SecretsAppearNowhere(t *testing.T) {
	const device, hiddenValue, password, hard = "dev1ce-s3cret", "h1dden-s3cret", "p4ssw0rd-s3cret", `q"uo\te-s3cret`
	marks := []string{device, hiddenValue, password, hard, `q\"uo\\te-s3cret`}
	env := variable.New()
	require.Empty(t, env.Load("device", []variable.Assignment{{Name: "DeviceToken", Value: device, Secret: true}, {Name: "Hard", Value: hard, Secret: true}}))
	proof := filepath.Join(t.TempDir(), "proof")
	s := parse(t,
		typed("SetVariableAction", "hide", "", hidden("VariableName", "Hidden"), hidden("VariableValue", ""), hidden("DoNotShowVariableValue", "true"), hidden("HiddenVariableValue", hiddenValue))+
			setVariable("OSDJoinPassword", password)+
			setVariable("Url", "https://user:%DeviceToken%@host/")+
			fmt.Sprintf(`<group name="leak %%DeviceToken%% %s">`, device)+variableCondition("DeviceToken", "equals", device)+
			command("use "+device, "sh -c 'echo %DeviceToken% %Hidden% %OSDJoinPassword% %Url% | tee "+proof+"; exit 4'", `continueOnError="true"`)+`</group>`+
			`<group name="skip">`+variableCondition("Hard", "equals", "x")+`</group>`+
			typed("RunCommandLineAction", "output", "", hidden("CommandLine", "echo "+password), item("SMSTSRunCommandLineOutputVariableName", "Copy"))+
			command("not found", "/no/such/%OSDJoinPassword%", ""))
	dir := t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	var service bytes.Buffer
	r := execute(t, s, func(c *tsengine.Config) {
		c.Variables, c.Log, c.Machine.Commands = env, log, process.Runner{}
		c.Logger = slog.New(slog.NewJSONHandler(&service, nil))
	})
	require.NoError(t, log.Close())
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	used, err := os.ReadFile(proof)
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{device, hiddenValue, password, "https://user:" + device + "@host/"}, " ")+"\n", string(used))
	require.Equal(t, password, r.engine.Variables().Value("Copy"))

	events, err := json.Marshal(r.recorder.events)
	require.NoError(t, err)
	result, err := json.Marshal(r.result)
	require.NoError(t, err)
	list, err := json.Marshal(r.engine.Variables().List())
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	places := map[string]string{"smsts.log": string(text), "events": string(events), "result": string(result), "variables": string(list),
		"service log": service.String(), "checkpoints": string(bytes.Join(r.store.saves, nil))}
	for place, content := range places {
		for _, mark := range marks {
			require.NotContains(t, content, mark, place)
		}
	}
	require.Contains(t, places["smsts.log"], variable.Mask)
	require.Contains(t, places["events"], "leak")
}

// TS-93: a value that a later step says not to show is masked from the start, and half of one at the cut of an output too.
func TestTS93FromTheStartAndAtTheCut(t *testing.T) {
	const hiddenValue, ruleValue = "later-hidden-value", "later-rule-value"
	dir := t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	rules := `&lt;Rules&gt;&lt;Rule&gt;&lt;Variables&gt;&lt;Variable Name="R" IsSecret="true"&gt;` + ruleValue + `&lt;/Variable&gt;&lt;/Variables&gt;&lt;/Rule&gt;&lt;/Rules&gt;`
	// The output's last 1000 characters begin in the middle of the secret.
	print := "sh -c 'echo " + hiddenValue + strings.Repeat("x", 990) + "'"
	r := execute(t, parse(t, command("early "+hiddenValue+" "+ruleValue, "true", "")+
		typed("RunCommandLineAction", "print", "", hidden("CommandLine", print), item("SMSTSRunCommandLineOutputVariableName", "Copy"))+
		typed("SetVariableAction", "hide", "", hidden("VariableName", "Hidden"), hidden("VariableValue", hiddenValue), hidden("DoNotShowVariableValue", "true"))+
		typed("SetDynamicVariablesAction", "rules", "", item("OSDSetDynamicVariablesRules", rules))), func(c *tsengine.Config) {
		c.Log, c.Machine.Commands = log, process.Runner{}
	})
	require.NoError(t, log.Close())
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, hiddenValue[len(hiddenValue)-10:]+strings.Repeat("x", 990), r.engine.Variables().Value("Copy"), "TS-102")
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	events, err := json.Marshal(r.recorder.events)
	require.NoError(t, err)
	list, err := json.Marshal(r.engine.Variables().List())
	require.NoError(t, err)
	for place, content := range map[string]string{"log": string(text), "events": string(events), "variables": string(list), "checkpoints": string(bytes.Join(r.store.saves, nil))} {
		for _, mark := range []string{hiddenValue, ruleValue, hiddenValue[len(hiddenValue)-10:]} {
			require.NotContains(t, content, mark, place)
		}
	}
}

// TS-94.
func TestTS94DoNotLogCommand(t *testing.T) {
	dir := t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	execute(t, parse(t, setVariable("OSDDoNotLogCommand", "TRUE")+command("quiet", "run-quietly now", "")), func(c *tsengine.Config) { c.Log = log })
	require.NoError(t, log.Close())
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	require.NotContains(t, string(text), "run-quietly now")
}

// A checkpoint never holds a secret in clear, not even when nobody configured a sealer.
func TestSecretsNeedASealer(t *testing.T) {
	e, err := tsengine.New(tsengine.Config{Sequence: parse(t, setVariable("OSDJoinPassword", "abcdef")+command("a", "exit 0", "")), Environment: tsengine.FullOS, Store: &store{}})
	require.NoError(t, err)
	_, err = e.Run(t.Context())
	require.ErrorContains(t, err, "sealer")
	sealer, err := tsengine.NewSealer(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	sealed, err := sealer.Seal([]byte("abc"))
	require.NoError(t, err)
	plain, err := sealer.Open(sealed)
	require.NoError(t, err)
	require.Equal(t, "abc", string(plain))
	sealed[len(sealed)-1] ^= 1
	_, err = sealer.Open(sealed)
	require.Error(t, err)
	_, err = sealer.Open(nil)
	require.Error(t, err)
	_, err = tsengine.NewSealer([]byte("short"))
	require.Error(t, err)
}
