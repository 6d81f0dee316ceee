package tsengine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

// migrates is a recorded machine.StateStore and machine.UserState.
type migrates struct {
	calls   []string
	fail    int // requests that fail
	none    bool
	content string
	capture machine.CaptureOptions
	restore machine.RestoreOptions
	err     error

	complete bool // the store holds a state
}

func (m *migrates) Request(_ context.Context, restore bool) (string, error) {
	m.calls = append(m.calls, map[bool]string{true: "request restore", false: "request capture"}[restore])
	if m.fail--; m.fail >= 0 {
		return "", errors.New("busy")
	}
	if m.none {
		return "", machine.ErrNoState
	}
	return "store:1", nil
}
func (m *migrates) Is(path string) bool { return strings.HasPrefix(path, "store:") }
func (m *migrates) Save(_ context.Context, path string, write func(io.Writer) error) error {
	m.calls = append(m.calls, "save "+path)
	if m.complete {
		return machine.ErrStateComplete
	}
	var b strings.Builder
	err := write(&b)
	m.content = b.String()
	return err
}
func (m *migrates) Load(_ context.Context, path string, read func(io.Reader) error) error {
	m.calls = append(m.calls, "load "+path)
	return read(strings.NewReader(m.content))
}
func (m *migrates) Release(_ context.Context, path string) error {
	m.calls = append(m.calls, "release "+path)
	return nil
}
func (m *migrates) Capture(_ context.Context, w io.Writer, o machine.CaptureOptions, _ machine.Progress) ([]string, error) {
	m.capture = o
	_, err := io.WriteString(w, "homes")
	return []string{"a note"}, errors.Join(err, m.err)
}
func (m *migrates) Restore(_ context.Context, r io.Reader, o machine.RestoreOptions, _ machine.Progress) ([]string, error) {
	m.restore = o
	b, err := io.ReadAll(r)
	m.calls = append(m.calls, "restore "+string(b))
	return nil, err
}
func (m *migrates) Pack(_ context.Context, dir string, w io.Writer) error {
	_, err := io.WriteString(w, "packed "+filepath.Base(dir))
	return err
}
func (m *migrates) Unpack(_ context.Context, r io.Reader, dir string) error {
	b, err := io.ReadAll(r)
	m.calls = append(m.calls, "unpack "+string(b)+" to "+filepath.Base(dir))
	return err
}

func request(kind string, more ...string) string {
	return typed("RequestStateStoreAction", "Request "+kind, "", append(more, hidden("OSDStateRequestType", kind))...)
}

func migrating(t *testing.T, m *migrates, p *programs, change func(*tsengine.Config), body string) run {
	t.Helper()
	return execute(t, parse(t, body), func(c *tsengine.Config) {
		c.Machine.StateStore, c.Machine.UserState, c.Machine.Programs, c.Machine.Content = m, m, p, content{&bench{}}
		if change != nil {
			change(c)
		}
	})
}

const release = `<step type="SMS_TaskSequence_ReleaseStateStoreAction" name="Release" successCodeList="0"><action>osdsmpclient.exe /release</action></step>`

func TestUserStateOnLinux(t *testing.T) {
	linux := &programs{linux: true}
	m := &migrates{}
	r := migrating(t, m, linux, nil, request("Capture")+typed("CaptureUserStateAction", "Capture", "", item("OSDMigrateContinueOnLockedFiles", "true"), item("OSDMigrateSkipEncryptedFiles", "true"), item("OSDMigrateMode", "Simple"))+release+
		request("Restore")+typed("RestoreUserStateAction", "Restore", "", item("OSDMigrateContinueOnRestore", "false"), item("OSDMigrateLocalAccounts", "true"), item("OSDMigrateLocalAccountPassword", "Geheim-99"))+release)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"request capture", "save store:1", "release store:1", "request restore", "load store:1", "restore homes", "release store:1"}, m.calls)
	require.Equal(t, machine.CaptureOptions{SkipUnreadable: true, SkipUserEncoded: true}, m.capture)
	require.Equal(t, machine.RestoreOptions{Accounts: true, Password: "Geheim-99"}, m.restore)
	for _, save := range r.store.saves {
		require.NotContains(t, string(save), "Geheim-99")
	}
	// A folder of the user's own choice, with a list of what else to take.
	dir, m := t.TempDir(), &migrates{}
	list := filepath.Join(dir, "more.conf")
	require.NoError(t, os.WriteFile(list, []byte("# more\n/etc/app.conf\n- *.tmp\n"), 0o600))
	r = migrating(t, m, linux, nil, setVariable("OSDStateStorePath", dir)+typed("CaptureUserStateAction", "Capture", "", item("OSDMigrateMode", "Advanced"), item("OSDMigrateConfigFiles", list))+typed("RestoreUserStateAction", "Restore", ""))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"restore homes"}, m.calls)
	require.Equal(t, machine.CaptureOptions{SkipUnreadable: true, Include: []string{"/etc/app.conf"}, Exclude: []string{"*.tmp"}}, m.capture)
}

func TestUserStateFailures(t *testing.T) {
	capture := func(v ...string) string { return typed("CaptureUserStateAction", "Capture", "", v...) }
	for name, c := range map[string]struct {
		m    *migrates
		body string
		code uint32
		want string
	}{
		"kind":            {&migrates{}, request("Borrow"), step.CodeInvalid, "Borrow"},
		"busy":            {&migrates{fail: 9}, request("Capture", item("OSDStateSMPRetryCount", "2"), item("OSDStateSMPRetryTime", "0")), step.CodeFailed, "after 3 tries"},
		"busy, then not":  {&migrates{fail: 2}, request("Capture", item("OSDStateSMPRetryCount", "2"), item("OSDStateSMPRetryTime", "0")), 0, ""},
		"nothing":         {&migrates{none: true}, request("Restore"), step.CodeNotFound, "no user state"},
		"not requested":   {&migrates{}, capture(), step.CodeInvalid, "Request State Store"},
		"USM-4":           {&migrates{}, request("Capture") + capture(hidden("_OSDMigrateUseHardlinks", "true")), step.CodeInvalid, "USM-4"},
		"Linux hard link": {&migrates{}, setVariable("OSDStateStorePath", "/tmp/x") + capture(hidden("_OSDMigrateUseHardlinks", "true")), step.CodeEnvironment, "Windows only"},
		"running offline": {&migrates{}, request("Capture") + capture(hidden("_OSDMigrateOfflineUserState", "true")), step.CodeEnvironment, "in the boot environment"},
		"mode":            {&migrates{}, request("Capture") + capture(item("OSDMigrateMode", "Advanced")), step.CodeInvalid, "OSDMigrateConfigFiles"},
		"unreadable":      {&migrates{err: errors.New("locked")}, request("Capture") + capture(), step.CodeFailed, "locked"},
		"release":         {&migrates{}, release, step.CodeInvalid, "nothing was requested"},
		"release folder":  {&migrates{}, setVariable("OSDStateStorePath", "/tmp/x") + release, step.CodeInvalid, "is not a store"},
	} {
		t.Run(name, func(t *testing.T) {
			r := migrating(t, c.m, &programs{linux: true}, nil, c.body)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
			require.Contains(t, r.result.Error, c.want)
		})
	}
}

// The arguments of scanstate and loadstate; exit code 3 after /c is success.
func TestUserStateOnWindows(t *testing.T) {
	p := &programs{answers: map[string]machine.Exit{"scanstate.exe": {Code: 3}}}
	m := &migrates{}
	data := t.TempDir()
	r := migrating(t, m, p, func(c *tsengine.Config) { c.Identity.MDataPath = data }, request("Capture")+
		typed("CaptureUserStateAction", "Capture", "", item("_OSDMigrateUsmtPackageID", "BYD00009"), item("OSDMigrateAdditionalCaptureOptions", "/ue:*\\old /ui:*\\x"))+
		request("Restore")+typed("RestoreUserStateAction", "Restore", "", item("_OSDMigrateUsmtRestorePackageID", "BYD00009"), item("OSDMigrateLocalAccounts", "true"), item("OSDMigrateLocalAccountPassword", "Geheim-99"), item("OSDMigrateContinueOnRestore", "false")))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	store := filepath.Join(data, "UserState")
	require.Equal(t, []string{
		"scanstate.exe " + store + " /o /localonly /i:/cache/BYD00009/MigApp.xml /i:/cache/BYD00009/MigDocs.xml /v:5 /l:scanstate.log /c /efs:copyraw /ue:*\\old /ui:*\\x",
		"loadstate.exe " + store + " /i:/cache/BYD00009/MigApp.xml /i:/cache/BYD00009/MigDocs.xml /v:5 /l:loadstate.log /lac:Geheim-99 /lae",
	}, p.started)
	require.Equal(t, []string{"request capture", "save store:1", "request restore", "load store:1", "unpack packed UserState to UserState"}, m.calls)
	require.NoDirExists(t, store)
	// Hard links stay on the disk, whose store is no business of the site.
	p = &programs{answers: map[string]machine.Exit{"scanstate.exe": {Code: 61}}}
	r = migrating(t, &migrates{}, p, nil, setVariable("OSDStateStorePath", "C:\\Store")+typed("CaptureUserStateAction", "Capture", "", item("_OSDMigrateUsmtPackageID", "BYD00009"),
		item("_OSDMigrateUseHardlinks", "true"), item("OSDMigrateMode", "Advanced"), item("OSDMigrateConfigFiles", "Mine.xml"), item("OSDMigrateContinueOnLockedFiles", "false"), item("OSDMigrateSkipEncryptedFiles", "true"), item("OSDMigrateEnableVerboseLogging", "true"), item("OSDMigrateFileAccess", "VSS")))
	require.EqualValues(t, 61, r.result.ExitCode)
	require.Equal(t, []string{"scanstate.exe C:\\Store /o /localonly /i:/cache/BYD00009/Mine.xml /v:13 /l:scanstate.log /efs:skip /hardlink /nocompress /vsc"}, p.started)
}

// A capture that was interrupted is repeated: it only reads. When the store was complete already, the repetition finds that
// and is content; another capture into the same store is not.
func TestTS112aInterruptedCapture(t *testing.T) {
	power := errors.New("power cut")
	for name, complete := range map[string]bool{"incomplete": false, "complete": true} {
		t.Run(name, func(t *testing.T) {
			m, s := &migrates{err: power}, parse(t, setVariable("OSDStateStorePath", "store:1")+typed("CaptureUserStateAction", "Capture", ""))
			r := migrating(t, m, &programs{linux: true}, nil, setVariable("OSDStateStorePath", "store:1")+typed("CaptureUserStateAction", "Capture", ""))
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			started := &tsengine.Checkpoint{}
			for _, save := range r.store.saves {
				var at tsengine.Checkpoint
				require.NoError(t, json.Unmarshal(save, &at))
				if at.Started {
					*started = at
				}
			}
			require.True(t, started.Started)
			m.err, m.calls, m.complete = nil, nil, complete
			again := func(p *tsengine.Checkpoint) run {
				return execute(t, s, func(g *tsengine.Config) {
					g.Machine.StateStore, g.Machine.UserState, g.Machine.Programs, g.Checkpoint = m, m, &programs{linux: true}, p
				})
			}
			r = again(started)
			require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			require.Equal(t, []string{"save store:1"}, m.calls)
			if complete {
				r = again(nil)
				require.Contains(t, r.result.Error, "holds a captured state already")
			}
		})
	}
}
