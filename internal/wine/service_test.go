package wine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	installed "github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/pki"
	"github.com/bootyard/bootyard/internal/wire"
)

// TestTS118Service is what comes after the boot environment: the files that it leaves on the volume of Windows make the
// agent a service, which waits for the end of Windows' setup and then goes on with the sequence, without a network.
func TestTS118Service(t *testing.T) {
	b := open(t)
	exe := filepath.Join(t.TempDir(), "agent.exe")
	require.NoError(t, b.Build(t.Context(), "github.com/bootyard/bootyard/cmd/bootyard-agent", exe, false))
	ca, err := pki.Open(t.TempDir())
	require.NoError(t, err)
	config, err := json.Marshal(installed.Settings{URL: "https://127.0.0.1:9", CASPKI: ca.SPKI(), CAFile: `C:\ProgramData\bootyard\ca.pem`})
	require.NoError(t, err)
	run, err := json.Marshal(wire.Run{ID: "0197aaaa-0000-7000-8000-000000000001", SequenceID: "BYD00001", SequenceName: "Deploy Windows", LaunchMode: wire.LaunchPXE, NextEvent: 1,
		SequenceXML: `<sequence version="3.10">` + command("in Windows", `cmd.exe /d /c echo on %_SMSTSInWinPE%&gt;&gt;C:\went-on.txt`, "") + `</sequence>`})
	require.NoError(t, err)
	require.NoError(t, apply.InstallWindowsAgent(t.Context(), b.C(), apply.Agent{Binary: exe, Config: config, CA: ca.PEM(), Token: []byte("resume"), State: map[string][]byte{"run.json": run}}))
	wine := func(args ...string) string {
		out, err := b.Output(b.Command(t.Context(), args[0], args[1:]...))
		assert.NoError(t, err, "%s: %s", args, out)
		return string(out)
	}
	// Wine ends its services with the last program that is none.
	stays := b.Command(t.Context(), "ping.exe", "-n", "900", "127.0.0.1")
	require.NoError(t, stays.Start())
	defer func() { _, _ = stays.Process.Kill(), stays.Wait() }()
	const setup = `HKLM\SYSTEM\Setup`
	wine("reg.exe", "add", setup, "/v", "SystemSetupInProgress", "/t", "REG_DWORD", "/d", "1", "/f")
	log := filepath.Join(b.C(), "ProgramData", "bootyard", "agent.log")
	said := func(text string) func() bool {
		return func() bool {
			data, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(data), text)
		}
	}
	for range 2 { // in the specialize pass, and in SetupComplete.cmd
		wine("cmd.exe", "/d", "/c", `C:\Windows\Setup\Scripts\SetupComplete.cmd`)
	}
	require.Eventually(t, said("waiting for the end of the system's setup"), time.Minute, 200*time.Millisecond)
	went := filepath.Join(b.C(), "went-on.txt")
	require.NoFileExists(t, went)
	wine("reg.exe", "add", setup, "/v", "SystemSetupInProgress", "/t", "REG_DWORD", "/d", "0", "/f")
	defer func() {
		if t.Failed() {
			data, _ := os.ReadFile(log)
			t.Logf("%s", data)
		}
	}()
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(went)
		return err == nil && string(data) == "on false\r\n"
	}, 2*time.Minute, 200*time.Millisecond)
	require.Contains(t, wine("sc.exe", "query", "bootyard-agent"), "RUNNING")
	wine("sc.exe", "stop", "bootyard-agent")
}
