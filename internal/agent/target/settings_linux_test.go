package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/unattend"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func TestLinuxSystem(t *testing.T) {
	out, notes, err := linuxSystem(machine.SystemSettings{ComputerName: "pc1", TimeZone: "W. Europe Standard Time", UILanguage: "en-US", UserLocale: "0407", InputLocale: "0409:00000807",
		Administrator: machine.AdministratorDisabled, ProductKey: "AAAAA-BBBBB", RegisteredUser: "somebody"})
	require.NoError(t, err)
	require.Equal(t, apply.System{HostName: "pc1", Zone: "Europe/Berlin", Language: "en_US.UTF-8", Formats: "de_DE.UTF-8", KeyboardLayout: "ch", Root: apply.RootLocked}, out)
	require.Equal(t, []string{"Linux has no registered user: not written", "Linux has no product key: not written"}, notes)
	for _, bad := range []machine.SystemSettings{{TimeZone: "Mars Standard Time"}, {SystemLocale: "../../x"}, {InputLocale: "xx-YY"}} {
		_, _, err := linuxSystem(bad)
		require.Error(t, err)
	}
}

func TestLinuxNetworkJoin(t *testing.T) {
	_, _, err := linuxNetwork(machine.NetworkSettings{Join: machine.JoinDomain, Domain: "lab.example"})
	require.ErrorContains(t, err, "Join Domain or Workgroup")
	_, notes, err := linuxNetwork(machine.NetworkSettings{Join: machine.JoinWorkgroup, Workgroup: "LAB"})
	require.NoError(t, err)
	require.Len(t, notes, 1)
}

// The answer file of an applied Windows is found whatever the case of its folders, changed, and nobody else can read it.
func TestAnswerFile(t *testing.T) {
	dir := t.TempDir()
	panther := filepath.Join(dir, "WINDOWS", "panther")
	require.NoError(t, os.MkdirAll(panther, 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "WINDOWS", "system32"), 0o755))
	require.True(t, apply.HoldsWindowsSystem(dir))
	require.False(t, apply.HoldsWindowsSystem(t.TempDir()))
	name := filepath.Join(panther, "Unattend.XML")
	require.NoError(t, os.WriteFile(name, []byte(`<unattend xmlns="urn:schemas-microsoft-com:unattend"><!--mine--></unattend>`), 0o644))
	target := New(Options{Arch: "amd64"})
	_, err := target.windowsSystem(dir, machine.SystemSettings{ComputerName: "PC%Nr%", TimeZone: "Europe/Vienna", Administrator: machine.AdministratorPassword, AdminPassword: "Top-Secret-1"})
	require.NoError(t, err)
	_, err = target.windowsNetwork(dir, machine.NetworkSettings{Join: machine.JoinDomain, Domain: "lab.example", JoinAccount: `LAB\join`, JoinPassword: "p"})
	require.NoError(t, err)
	require.NoError(t, target.answer(dir, func(f *unattend.File) { f.Expand(func(s string) string { return strings.ReplaceAll(s, "%Nr%", "42") }) }))
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	text := string(data)
	for _, want := range []string{"<!--mine-->", "<ComputerName>PC42</ComputerName>", "<TimeZone>W. Europe Standard Time</TimeZone>", "| Enable-LocalUser", "<Domain>LAB</Domain><Username>join</Username>"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "Top-Secret-1")
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(panther)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// Without an answer file there is a new one; a link in the image leads nowhere else.
func TestAnswerFileNew(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "Windows", "System32"), 0o755))
	_, err := New(Options{}).windowsSystem(dir, machine.SystemSettings{ComputerName: "PC1"})
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "Windows", "Panther", "unattend.xml"))

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "Windows", "Panther")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "Windows", "Panther")))
	_, err = New(Options{}).windowsSystem(dir, machine.SystemSettings{ComputerName: "PC1"})
	require.Error(t, err)
	entries, _ := os.ReadDir(outside)
	require.Empty(t, entries)
}
