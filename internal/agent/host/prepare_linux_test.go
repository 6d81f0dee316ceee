package host_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

type realm struct{ lists string }

func (realm) Windows() bool    { return false }
func (realm) Find(string) bool { return true }
func (r realm) Start(context.Context, machine.Program) (machine.Exit, error) {
	return machine.Exit{Output: r.lists}, nil
}

func TestPrepareOSLinux(t *testing.T) {
	files := map[string]string{
		"etc/machine-id": "0123456789abcdef0123456789abcdef\n", "etc/ssh/ssh_host_ed25519_key": "key", "etc/ssh/ssh_host_ed25519_key.pub": "key", "usr/bin/ssh-keygen": "",
		"var/lib/systemd/random-seed": "x", "var/log/syslog.log": "x", "var/log/journal/0123/system.journal": "x", "root/.bash_history": "secret", "home/a/.bash_history": "secret", "home/a/work.txt": "keep",
		"etc/systemd/system/multi-user.target.wants/bootyard-agent.service": "", "etc/systemd/system/multi-user.target.wants/ssh.service": "", "etc/hostname": "ref\n",
	}
	root := tree(t, files)
	outside := filepath.Join(t.TempDir(), "x.log")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(root, "var/log/link.log")))
	p := host.Preparation{Linux: host.Linux{Root: root, Environment: wire.FullOS}, Programs: realm{}}
	for range 2 {
		notes, err := p.PrepareOS(t.Context())
		require.NoError(t, err)
		require.Len(t, notes, 2)
	}
	for _, gone := range []string{"etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "var/lib/systemd/random-seed", "var/log/syslog.log", "var/log/link.log",
		"var/log/journal/0123/system.journal", "root/.bash_history", "home/a/.bash_history", "etc/systemd/system/multi-user.target.wants/bootyard-agent.service"} {
		_, err := os.Lstat(filepath.Join(root, gone))
		require.ErrorIs(t, err, os.ErrNotExist, gone)
	}
	id, err := os.ReadFile(filepath.Join(root, "etc/machine-id"))
	require.NoError(t, err)
	require.Empty(t, id)
	for _, kept := range []string{"home/a/work.txt", "etc/systemd/system/multi-user.target.wants/ssh.service", "etc/hostname", "var/log/journal/0123"} {
		require.True(t, exists(filepath.Join(root, kept)), kept)
	}
	require.FileExists(t, outside)
}

func TestPrepareOSMember(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		lists string
	}{
		"realm":  {map[string]string{"etc/machine-id": "id"}, "lab.example\n"},
		"sssd":   {map[string]string{"etc/machine-id": "id", "etc/sssd/sssd.conf": "ad_domain = lab.example\n"}, ""},
		"keytab": {map[string]string{"etc/machine-id": "id", "etc/krb5.keytab": "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, c.files)
			_, err := host.Preparation{Linux: host.Linux{Root: root}, Programs: realm{c.lists}}.PrepareOS(t.Context())
			require.ErrorContains(t, err, "domain")
			id, _ := os.ReadFile(filepath.Join(root, "etc/machine-id"))
			require.Equal(t, "id", string(id), "nothing was touched")
		})
	}
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }
