package tsengine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

type shares struct {
	asked []machine.FolderRequest
	err   error
}

func (s *shares) Disconnect(context.Context, machine.FolderRequest) error { return nil }

func (s *shares) Connect(_ context.Context, r machine.FolderRequest) (string, error) {
	s.asked = append(s.asked, r)
	return "/drives/" + r.Letter[:1], s.err
}

func connect(path, letter, account, password string) string {
	return typed("ConnectNetworkFolderAction", "Connect", "", item("SMSConnectNetworkFolderPath", path), item("SMSConnectNetworkFolderDriveLetter", letter),
		item("SMSConnectNetworkFolderAccount", account), item("SMSConnectNetworkFolderPassword", password))
}

// TS-91 expands inputs; TS-93 keeps the password out of the log.
func TestConnectFolder(t *testing.T) {
	s := &shares{}
	dir := t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	body := setVariable("Server", "files") + connect(`\\%Server%\images`, "Z:", `LAB\deploy`, "top secret,1")
	r := execute(t, parse(t, body), func(c *tsengine.Config) { c.Environment, c.Machine.Folders, c.Log = tsengine.WinPE, s, log })
	require.NoError(t, log.Close())
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []machine.FolderRequest{{Path: `\\files\images`, Letter: "Z:", Account: `LAB\deploy`, Password: "top secret,1"}}, s.asked)
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	require.Contains(t, string(text), `\\files\images is at /drives/Z`)
	require.NotContains(t, string(text), "top secret")
	for _, save := range r.store.saves {
		require.NotContains(t, string(save), "top secret")
		require.NotContains(t, string(save), "/drives/Z", "a restart ends the connection")
	}
}

func TestConnectFolderErrors(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		fail error
		code uint32
		want string
	}{
		"no share":       {connect(`\\server`, "Z:", "u", "p"), nil, step.CodeInvalid, `\\server\share`},
		"local path":     {connect(`C:\images`, "Z:", "u", "p"), nil, step.CodeInvalid, `\\server\share`},
		"leads out":      {connect(`\\server\share\..\other`, "Z:", "u", "p"), nil, step.CodeInvalid, `\\server\share`},
		"option":         {connect(`\\server\a,sec=none`, "Z:", "u", "p"), nil, step.CodeInvalid, `\\server\share`},
		"letter X":       {connect(`\\server\share`, "X:", "u", "p"), nil, step.CodeInvalid, "without X:"},
		"letter C":       {connect(`\\server\share`, "C", "u", "p"), nil, step.CodeInvalid, "D: to Z:"},
		"no account":     {connect(`\\server\share`, "Z:", "", "p"), nil, step.CodeInvalid, "Account"},
		"no password":    {connect(`\\server\share`, "Z:", "u", ""), nil, step.CodeInvalid, "TS-93"},
		"letter taken":   {partitionStep(item("OSDPartitions1VolumeLetterVariable", "OSDisk")) + connect(`\\server\share`, "D", "u", "p"), errors.New("refused"), step.CodeFailed, "refused"},
		"server says no": {connect(`\\server\share`, "Z:", "u", "hunter22"), errors.New("the server refuses the account"), step.CodeFailed, "refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{}
			r := execute(t, parse(t, c.body), func(cfg *tsengine.Config) {
				cfg.Environment, cfg.Machine = tsengine.WinPE, b.capabilities(&commands{})
				cfg.Machine.Folders = &shares{err: c.fail}
			})
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, c.code, r.result.ExitCode)
			require.Contains(t, r.result.Error, c.want)
		})
	}
	r := execute(t, parse(t, connect(`\\server\share`, "Z:", "u", "p")), nil)
	require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
}

func TestNetworkPath(t *testing.T) {
	var table machine.Table
	table.Volumes = []machine.Volume{{Letter: "C:"}}
	table.Connected(machine.NetworkFolder{Path: `\\files\images`, Letter: "D:", Dir: "/drives/D"})
	table.Connected(machine.NetworkFolder{Path: `\\files\drivers\hp`, Dir: "/drives/net"})
	require.Equal(t, "E:", table.FreeLetter())
	require.Equal(t, `\\files\images`, table.Folder(`d:\`).Path)
	for in, want := range map[string]string{
		`D:\a\b.wim`: "/drives/D/a/b.wim", `d:`: "/drives/D", `\\FILES\images\x.wim`: "/drives/D/x.wim", `\\files\drivers\hp\nic`: "/drives/net/nic",
		`C:\x`: "", `\\files\imagesX\y`: "", `D:\..\etc`: "", `\\other\share`: "", "": "",
	} {
		require.Equal(t, want, table.NetworkPath(in), in)
	}
	table.Connected(machine.NetworkFolder{Path: `\\new\share`, Letter: "D:", Dir: "/drives/D"})
	require.Empty(t, table.NetworkPath(`\\files\images\x`))
}
