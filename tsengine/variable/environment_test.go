package variable_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/variable"
)

func TestTS83Scopes(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Assign(variable.Assignment{Name: "Site", Value: "North"}))
	e.EnterStep([]variable.Assignment{{Name: "SITE", Value: "default"}, {Name: "Only", Value: "here"}, {Name: "_SMSTSRunCommandLineAsUser", Value: "false"}})
	require.Equal(t, "North", e.Value("site"), "a global beats the step's default (TS-84)")
	require.Equal(t, "here", e.Value("only"))
	require.Equal(t, "false", e.Value("_SMSTSRunCommandLineAsUser")) // the exception of TS-88
	e.LeaveStep()
	_, set := e.Lookup("Only")
	require.False(t, set, "TS-34")
	require.NoError(t, e.Assign(variable.Assignment{Name: "site", Value: "South"}))
	require.Equal(t, []variable.Assignment{{Name: "Site", Value: "South"}}, e.List(), "the first setter's spelling is kept (TS-80)")
	require.NoError(t, e.Assign(variable.Assignment{Name: "Site"}))
	_, set = e.Lookup("Site")
	require.False(t, set, "the empty value deletes (TS-86)")
}

func TestTS80Names(t *testing.T) {
	e := variable.New()
	for _, bad := range []string{"", " ", "1abc", "-x", "a b", "a.b", "ä", strings.Repeat("a", 257)} {
		require.ErrorIs(t, e.Assign(variable.Assignment{Name: bad, Value: "x"}), variable.ErrName, bad)
	}
	require.ErrorIs(t, e.Assign(variable.Assignment{Name: "_SMSTSType", Value: "x"}), variable.ErrReadOnly) // TS-88
	require.NoError(t, e.Assign(variable.Assignment{Name: " a-b_1 ", Value: "x"}))
	require.Equal(t, "x", e.Value("A-B_1"))
	t.Run("TS-17: an empty value asks and sets nothing", func(t *testing.T) {
		require.Len(t, e.Load("device", []variable.Assignment{{Name: "ok", Value: "1"}, {Name: "_no", Value: "1"}, {Name: "ask", Value: ""}}), 1)
		_, set := e.Lookup("ask")
		require.False(t, set)
	})
	big := strings.Repeat("x", 20<<20)
	require.NoError(t, e.Set("big1", big))
	require.ErrorIs(t, e.Set("big2", big), variable.ErrTooLarge) // TS-81
	require.NoError(t, e.Set("big1", ""))
	require.NoError(t, e.Set("big2", big))
}

// TS-91.
func TestTS91Expand(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Set("Name", "value"))
	require.NoError(t, e.Set("A-b_1", "dash"))
	require.NoError(t, e.Set("Loop", "%Name%"))
	for in, want := range map[string]string{
		"":                         "",
		"plain":                    "plain",
		"%Name%":                   "value",
		"a%NAME%b":                 "avalueb",
		"%A-b_1%":                  "dash",
		"%Gone%":                   "%Gone%",
		"%Gone%Name%":              "%Gonevalue",
		"100% of %Name%":           "100% of value",
		"%%":                       "%%",
		"%%Name%%":                 "%value%",
		"%Loop%":                   "%Name%", // one pass
		"%Na me%":                  "%Na me%",
		"%":                        "%",
		"%Name":                    "%Name",
		"LIKE '%Latitude%' %Name%": "LIKE '%Latitude%' value",
		"% Name%":                  "% Name%",
	} {
		require.Equal(t, want, e.Expand(in), in)
	}
}

func TestTS93Secrets(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Assign(variable.Assignment{Name: "Token", Value: "s3cr3t-token", Secret: true}))
	require.NoError(t, e.Assign(variable.Assignment{Name: "OSDJoinPassword", Value: "hunter22"}))
	require.NoError(t, e.Assign(variable.Assignment{Name: "Carrier", Value: "user:s3cr3t-token@host"}))
	for _, a := range e.List() {
		require.True(t, a.Secret, a.Name)
		require.Equal(t, variable.Mask, a.Value)
	}
	require.Equal(t, "join ******** with ********", e.Mask("join s3cr3t-token with hunter22"))
	expanded, secret := e.ExpandSecret("x %Token%")
	require.True(t, secret)
	require.Equal(t, "x s3cr3t-token", expanded)
	require.Equal(t, "x ********", e.ExpandMasked("x %Token%"))
	// A changed or deleted secret is still one.
	require.NoError(t, e.Assign(variable.Assignment{Name: "Token", Value: "newer-token"}))
	require.NoError(t, e.Assign(variable.Assignment{Name: "OSDJoinPassword"}))
	require.Equal(t, "******** ******** ********", e.Mask("s3cr3t-token hunter22 newer-token"))
	require.True(t, e.Secret("token"))
	require.True(t, variable.IsSecretName("SMSTSRunCommandLineUserPassword"))
	require.False(t, variable.IsSecretName("OSDRandomAdminPassword"))
}

// TS-93: a secret too short to be searched for is masked where it stands alone.
func TestTS93ShortSecrets(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Assign(variable.Assignment{Name: "OSDBitLockerPIN", Value: "12"}))
	require.NoError(t, e.Assign(variable.Assignment{Name: "Copy", Value: "12"}))
	for _, a := range e.List() {
		require.Equal(t, variable.Mask, a.Value, a.Name)
	}
	for in, want := range map[string]string{
		"12": variable.Mask, "it is \"12\"": "it is \"" + variable.Mask + "\"", "to '12'": "to '" + variable.Mask + "'", "121 of 12": "121 of 12",
	} {
		require.Equal(t, want, e.Mask(in))
	}
}

func TestSnapshot(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Set("Plain", "p"))
	require.NoError(t, e.SetSecret("Hidden", "very-secret"))
	sealed := 0
	seal := func(b []byte) ([]byte, error) { sealed++; return bytes.ToUpper(b), nil }
	entries, err := e.Snapshot(seal)
	require.NoError(t, err)
	_, err = e.Snapshot(seal)
	require.NoError(t, err)
	require.Equal(t, 2, sealed, "the value and the list of known secrets, each once")
	text, err := json.Marshal(entries)
	require.NoError(t, err)
	require.NotContains(t, string(text), "very-secret")

	other := variable.New()
	require.NoError(t, other.Restore(entries, func(b []byte) ([]byte, error) { return bytes.ToLower(b), nil }))
	require.Equal(t, "very-secret", other.Value("Hidden"))
	require.Equal(t, "p", other.Value("plain"))
	require.Equal(t, variable.Mask, other.Mask("very-secret"))
	broken := errors.New("broken")
	require.ErrorIs(t, other.Restore(entries, func([]byte) ([]byte, error) { return nil, broken }), broken)
	require.Equal(t, "p", other.Value("plain"))
	_, err = variable.New().Snapshot(nil)
	require.NoError(t, err)
}

// TS-93: what a variable held before a restart is still a secret after it, and so is what no variable ever held.
func TestTS93ForgottenSecretsSurviveARestart(t *testing.T) {
	same := func(b []byte) ([]byte, error) { return bytes.Clone(b), nil }
	e := variable.New()
	require.NoError(t, e.SetSecret("Hidden", "first-secret"))
	_, err := e.Snapshot(same)
	require.NoError(t, err)
	require.NoError(t, e.Set("Hidden", ""))
	e.AddSecret("only-seen")
	entries, err := e.Snapshot(same)
	require.NoError(t, err)
	other := variable.New()
	require.NoError(t, other.Restore(entries, same))
	require.Empty(t, other.List())
	require.Equal(t, variable.Mask+" "+variable.Mask, other.Mask("first-secret only-seen"))
	require.ErrorContains(t, other.Restore(entries, func([]byte) ([]byte, error) { return []byte("x"), nil }), "known secrets")
}

// A hidden switch does not mask each "true" of the log and of the engine's own variables.
func TestTS93SwitchesAreNotSearchedFor(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Set("_SMSTSInWinPE", "true"))
	require.NoError(t, e.Assign(variable.Assignment{Name: "Hidden", Value: "TRUE", Secret: true}))
	require.Equal(t, "it is true", e.Mask("it is true"))
	require.Equal(t, []variable.Assignment{{Name: "Hidden", Value: variable.Mask, Secret: true}, {Name: "_SMSTSInWinPE", Value: "true"}}, e.List())
}

func FuzzExpand(f *testing.F) {
	f.Add("%Name% %%Name%% 100%")
	f.Fuzz(func(t *testing.T, text string) {
		e := variable.New()
		require.Equal(t, text, e.Expand(text), "nothing is defined, nothing changes")
		require.NoError(t, e.SetSecret("Name", "quite secret"))
		require.Equal(t, strings.Contains(e.ExpandMasked(text), "quite secret"), false)
	})
}

// A value that was set before it was known to be a secret is none to show and none to store in clear (TS-93, TS-115).
func TestTS93LearntLater(t *testing.T) {
	for name, learn := range map[string]func(*variable.Environment){
		"a password": func(e *variable.Environment) { require.NoError(t, e.Set("OSDJoinPassword", "hunter2pw")) },
		"a default": func(e *variable.Environment) {
			e.EnterStep([]variable.Assignment{{Name: "P", Value: "hunter2pw", Secret: true}})
		},
		"expanded": func(e *variable.Environment) { e.AddSecret("hunter2pw") },
	} {
		t.Run(name, func(t *testing.T) {
			e := variable.New()
			require.NoError(t, e.Set("Earlier", "hunter2pw"))
			require.NoError(t, e.Set("Around", "net use /user:x hunter2pw"))
			require.NoError(t, e.Set("Other", "hunter"))
			learn(e)
			shown := map[string]string{}
			for _, a := range e.List() {
				shown[a.Name] = a.Value
			}
			require.Equal(t, variable.Mask, shown["Earlier"])
			require.Equal(t, variable.Mask, shown["Around"])
			require.Equal(t, "hunter", shown["Other"])
			require.Equal(t, "hunter2pw", e.Value("Earlier"))
			entries, err := e.Snapshot(func([]byte) ([]byte, error) { return []byte("sealed"), nil })
			require.NoError(t, err)
			stored, err := json.Marshal(entries)
			require.NoError(t, err)
			require.NotContains(t, string(stored), "hunter2pw")
		})
	}
}
