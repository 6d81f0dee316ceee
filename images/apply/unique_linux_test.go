package apply_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
)

// tree makes a small system below a folder; a value that begins with "->" is a
// link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.Mkdir(root, 0o755))
	for name, content := range files {
		p := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		if target, ok := strings.CutPrefix(content, "->"); ok {
			require.NoError(t, os.Symlink(target, p))
			continue
		}
		require.NoError(t, os.WriteFile(p, []byte(content), 0o644))
	}
	return root
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(b)
}

var debian = map[string]string{
	"etc/machine-id":                               "0123456789abcdef0123456789abcdef\n",
	"var/lib/dbus/machine-id":                      "->/etc/machine-id",
	"etc/hostname":                                 "template\n",
	"etc/hosts":                                    "127.0.0.1\tlocalhost\n127.0.1.1\ttemplate.example template\n10.0.0.1 server\n",
	"etc/ssh/ssh_host_ed25519_key":                 "secret",
	"etc/ssh/ssh_host_ed25519_key.pub":             "public",
	"etc/ssh/ssh_host_rsa_key":                     "secret",
	"etc/ssh/sshd_config":                          "Port 22\n",
	"usr/bin/ssh-keygen":                           "ELF",
	"usr/lib/systemd/systemd":                      "ELF",
	"lib":                                          "->usr/lib",
	"var/lib/systemd/random-seed":                  "seed",
	"var/lib/dhcp/dhclient.eth0.leases":            "lease",
	"var/lib/NetworkManager/secret_key":            "key",
	"etc/udev/rules.d/70-persistent-net.rules":     "eth0",
	"etc/udev/rules.d/60-administrators-own.rules": "kept",
	"var/lib/bootyard/token":                       "of another machine",
	"var/lib/bootyard/run/checkpoint.json":         "of another run",
	"boot/bootyard/pending.run":                    "of another run",
	"etc/bootyard/agent.json":                      "kept",
}

func TestTS118bMakeUnique(t *testing.T) {
	root := tree(t, debian)
	for range 2 { // safe to repeat
		require.NoError(t, apply.MakeUnique(t.Context(), root, apply.Identity{HostName: "pc-7.lab.example"}))
		assert.Equal(t, "of another run", read(t, root, "var/lib/bootyard/run/checkpoint.json"), "a run prepares the system for capture")
	}
	for range 2 {
		require.NoError(t, apply.ForgetAgent(root))
	}
	assert.Empty(t, read(t, root, "etc/machine-id"))
	assert.Equal(t, "pc-7.lab.example\n", read(t, root, "etc/hostname"))
	assert.Equal(t, "127.0.0.1\tlocalhost\n127.0.1.1\tpc-7.lab.example pc-7\n10.0.0.1 server\n", read(t, root, "etc/hosts"))
	for _, gone := range []string{"etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "etc/ssh/ssh_host_rsa_key",
		"var/lib/systemd/random-seed", "var/lib/dhcp/dhclient.eth0.leases", "var/lib/NetworkManager/secret_key", "etc/udev/rules.d/70-persistent-net.rules",
		"var/lib/bootyard", "boot/bootyard/pending.run"} {
		_, err := os.Lstat(filepath.Join(root, gone))
		assert.ErrorIs(t, err, fs.ErrNotExist, gone)
	}
	assert.Equal(t, "kept", read(t, root, "etc/udev/rules.d/60-administrators-own.rules"))
	assert.Equal(t, "kept", read(t, root, "etc/bootyard/agent.json"), "who the appliance is, is no secret and of no machine")
	assert.Equal(t, "Port 22\n", read(t, root, "etc/ssh/sshd_config"))
	assert.Contains(t, read(t, root, "etc/systemd/system/bootyard-ssh-keys.service"), "ssh-keygen -A")
	target, err := os.Readlink(filepath.Join(root, "etc/systemd/system/multi-user.target.wants/bootyard-ssh-keys.service"))
	require.NoError(t, err)
	assert.Equal(t, "/etc/systemd/system/bootyard-ssh-keys.service", target)
}

func TestMakeUniqueHostName(t *testing.T) {
	for _, bad := range []string{"a b", "-a", "a-", "a..b", "ä", "a\nb", strings.Repeat("a", 65), "a_b", "."} {
		root := tree(t, debian)
		assert.ErrorContains(t, apply.MakeUnique(t.Context(), root, apply.Identity{HostName: bad}), "host name", bad)
		assert.Equal(t, "template\n", read(t, root, "etc/hostname"))
	}
	root := tree(t, map[string]string{"etc/hostname": "own\n"})
	require.NoError(t, apply.MakeUnique(t.Context(), root, apply.Identity{}))
	assert.Equal(t, "own\n", read(t, root, "etc/hostname"), "no name was given")
	require.NoError(t, apply.MakeUnique(t.Context(), root, apply.Identity{HostName: "x"}))
	assert.Equal(t, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tx\n", read(t, root, "etc/hosts"))
}

// An image whose links lead out of it must not make bootyard write there: these
// run as root in the boot environment.
func TestLinksOfTheImageLeadNowhere(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "agent")
	require.NoError(t, os.WriteFile(binary, []byte("agent"), 0o755))
	agent := apply.Agent{Binary: binary, Config: []byte("{}"), CA: []byte("x"), State: map[string][]byte{"s": nil}, Token: []byte("t")}
	for name, links := range map[string]map[string]string{
		"etc":             {"etc": "->../outside"},
		"absolute etc":    {"etc": "->OUTSIDE"},
		"files":           {"etc/machine-id": "->../../outside/victim", "etc/hostname": "->OUTSIDE/victim", "etc/hosts": "->OUTSIDE/victim"},
		"ssh folder":      {"etc/ssh": "->OUTSIDE"},
		"systemd folder":  {"etc/systemd": "->../../outside"},
		"wants":           {"etc/systemd/system/multi-user.target.wants": "->OUTSIDE"},
		"binary":          {"usr/bin/bootyard-agent": "->OUTSIDE/victim"},
		"state":           {"var/lib/bootyard": "->OUTSIDE"},
		"token":           {"var/lib/bootyard/run/token": "->OUTSIDE/victim"},
		"leases":          {"var/lib/dhcp": "->OUTSIDE"},
		"temporary name":  {"etc/.bootyard-new-hostname": "->OUTSIDE/victim"},
		"marker":          {"boot/bootyard": "->OUTSIDE"},
		"fstab, defaults": {"etc/fstab": "->OUTSIDE/victim", "etc/default": "->OUTSIDE"},
	} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			for _, f := range []string{"victim", "x.leases", "ssh_host_rsa_key"} {
				require.NoError(t, os.WriteFile(filepath.Join(outside, f), []byte("whole"), 0o600))
			}
			files := map[string]string{"usr/bin/ssh-keygen": "ELF", "usr/lib/systemd/systemd": "ELF"}
			for k, v := range links {
				files[k] = strings.ReplaceAll(v, "OUTSIDE", outside)
			}
			root := tree(t, files)
			beside := filepath.Join(filepath.Dir(root), "outside")
			require.NoError(t, os.Mkdir(beside, 0o755))

			for _, err := range []error{
				apply.ForgetAgent(root),
				apply.MakeUnique(t.Context(), root, apply.Identity{HostName: "h"}),
				apply.InstallAgent(t.Context(), root, agent),
				apply.WriteMarker(t.Context(), apply.Target{Dir: root}, "run-1"),
				apply.RemoveMarker(root),
			} {
				if err != nil {
					t.Log(err)
				}
			}
			_, err := apply.MakeBootable(t.Context(), apply.Target{Dir: root, Firmware: apply.BIOS, KernelArgs: []string{"quiet"}})
			assert.Error(t, err)

			left, err := os.ReadDir(outside)
			require.NoError(t, err)
			assert.Len(t, left, 3)
			for _, f := range left {
				assert.Equal(t, "whole", read(t, outside, f.Name()))
			}
			left, err = os.ReadDir(beside)
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestTS118aInstallAgent(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "agent")
	require.NoError(t, os.WriteFile(binary, []byte("agent"), 0o600))
	root := tree(t, debian)
	has, err := apply.HasAgent(root)
	require.NoError(t, err)
	assert.False(t, has)
	a := apply.Agent{Binary: binary, Config: []byte(`{"urls":["https://10.0.0.1"]}`), CA: []byte("PEM"),
		State: map[string][]byte{"checkpoint.json": []byte("{}"), "logs/smsts.log": []byte("l")}, Token: []byte("secret")}
	for range 2 {
		require.NoError(t, apply.InstallAgent(t.Context(), root, a))
	}
	has, err = apply.HasAgent(root)
	require.NoError(t, err)
	assert.True(t, has)
	for name, want := range map[string]struct {
		mode    os.FileMode
		content string
	}{
		apply.AgentBinary:                      {0o755, "agent"},
		apply.AgentConfig:                      {0o644, `{"urls":["https://10.0.0.1"]}`},
		apply.AgentCA:                          {0o644, "PEM"},
		apply.RunStateDir + "/checkpoint.json": {0o600, "{}"},
		apply.RunStateDir + "/logs/smsts.log":  {0o600, "l"},
		apply.ResumeToken:                      {0o600, "secret"},
	} {
		info, err := os.Lstat(filepath.Join(root, name))
		require.NoError(t, err)
		assert.Equal(t, want.mode, info.Mode().Perm(), name)
		assert.Equal(t, want.content, read(t, root, name))
	}
	for _, d := range []string{apply.StateDir, apply.RunStateDir} {
		info, err := os.Lstat(filepath.Join(root, d))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o700), info.Mode().Perm(), d)
	}
	assert.NotContains(t, read(t, root, apply.AgentUnit), "network-online", "TS-118a: resuming needs no network")
	assert.Contains(t, read(t, root, apply.RunDropIn), "console")

	a.State, a.Token = nil, nil
	require.NoError(t, apply.InstallAgent(t.Context(), root, a))
	assert.NoFileExists(t, filepath.Join(root, apply.RunDropIn))
	for name, bad := range map[string]apply.Agent{
		"state leads out": {Binary: binary, State: map[string][]byte{"../../../etc/shadow": nil}},
		"config":          {Binary: binary, Config: []byte("{")},
		"no binary":       {Binary: "/does/not/exist"},
	} {
		assert.Error(t, apply.InstallAgent(t.Context(), root, bad), name)
	}
	assert.ErrorContains(t, apply.InstallAgent(t.Context(), t.TempDir(), a), "no systemd")
}

func TestMarker(t *testing.T) {
	root := tree(t, debian)
	require.NoError(t, apply.WriteMarker(t.Context(), apply.Target{Dir: root}, "0190-abc"))
	assert.Equal(t, "0190-abc\n", read(t, root, apply.MarkerOnRoot))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "boot/efi/bootyard"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "boot/efi", apply.MarkerOnESP), nil, 0o644))
	for range 2 {
		require.NoError(t, apply.RemoveMarker(root))
		assert.NoFileExists(t, filepath.Join(root, apply.MarkerOnRoot))
		assert.NoFileExists(t, filepath.Join(root, "boot/efi", apply.MarkerOnESP))
	}
	for _, bad := range []string{"", "a/b", "a\nb", strings.Repeat("a", 65)} {
		assert.Error(t, apply.WriteMarker(t.Context(), apply.Target{Dir: root}, bad))
	}
}

// Two machines from one image get two ids even where their firmware tells the
// same UUID or none: the real systemd takes the one that it is offered.
func TestMachineIDIsNotTheFirmwares(t *testing.T) {
	tool, err := exec.LookPath("systemd-machine-id-setup")
	if err != nil {
		t.Skip("needs systemd-machine-id-setup")
	}
	seen := map[string]bool{}
	for range 2 {
		root := tree(t, debian)
		for range 2 { // an apply step that is repeated
			require.NoError(t, apply.MakeUnique(t.Context(), root, apply.Identity{}))
			require.Empty(t, read(t, root, "etc/machine-id"))
			offered := read(t, root, "var/lib/dbus/machine-id")
			assert.Regexp(t, "^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}\n$", offered)
			assert.False(t, seen[offered])
			seen[offered] = true
		}
		out, err := exec.CommandContext(t.Context(), tool, "--root="+root).CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Equal(t, read(t, root, "var/lib/dbus/machine-id"), read(t, root, "etc/machine-id"), string(out))
	}
	plain := tree(t, map[string]string{"etc/machine-id": "x"})
	require.NoError(t, apply.MakeUnique(t.Context(), plain, apply.Identity{}))
	assert.NoDirExists(t, filepath.Join(plain, "var"), "no systemd, no id for it")
}
