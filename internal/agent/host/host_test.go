//go:build linux

package host_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/host"
)

func TestParseArgs(t *testing.T) {
	require.Equal(t, map[string]string{"quiet": "", "bootyard.url": "https://10.0.0.1:8443", "a": "x y", "console": "ttyS0,115200"},
		host.ParseArgs("quiet bootyard.url=https://10.0.0.1:8443 a=\"x y\" console=tty0 console=ttyS0,115200\n"))
}

func FuzzParseArgs(f *testing.F) {
	f.Add(`a="b c" d`)
	f.Fuzz(func(t *testing.T, line string) {
		_, empty := host.ParseArgs(line)[""]
		if empty {
			// only a word such as =x has no name
			require.Contains(t, line, "=")
		}
	})
}

func TestCleanUUID(t *testing.T) {
	for in, want := range map[string]string{
		"4C4C4544-0042-3510-8052-B4C04F4D4E32\n": "4c4c4544-0042-3510-8052-b4c04f4d4e32",
		"00000000-0000-0000-0000-000000000000":   "",
		"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF":   "",
		"":                                       "",
		"Not Settable":                           "",
		"4c4c4544":                               "",
	} {
		require.Equal(t, want, host.CleanUUID(in), in)
	}
}

func TestIdentity(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads a made-up sysfs")
	}
	root := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	write("/sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4D4E32\n")
	write("/sys/class/dmi/id/sys_vendor", "QEMU\n")
	write("/sys/class/dmi/id/product_serial", "To Be Filled By O.E.M.\n")
	write("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\x06\x00\x00\x00\x01")
	write("/proc/meminfo", "MemTotal:        2048000 kB\n")
	for name, mac := range map[string]string{"eth0": "52:54:00:00:00:01", "eth1": "52:54:00:00:00:02", "eth2": "00:00:00:00:00:00"} {
		write("/sys/class/net/"+name+"/address", mac+"\n")
		write("/sys/class/net/"+name+"/type", "1\n")
		write("/sys/class/net/"+name+"/device/vendor", "x")
	}
	write("/sys/class/net/br0/address", "52:54:00:00:00:03\n")
	write("/sys/class/net/br0/type", "1\n")
	id, err := fakeRoot(root).Identity(context.Background(), "52:54:00:00:00:02")
	require.NoError(t, err)
	require.Equal(t, "4c4c4544-0042-3510-8052-b4c04f4d4e32", id.UUID)
	require.Equal(t, []string{"52:54:00:00:00:02", "52:54:00:00:00:01"}, id.MACs)
	require.Equal(t, "QEMU", id.Manufacturer)
	require.Empty(t, id.Serial)
	require.True(t, id.SecureBoot)
	require.EqualValues(t, "uefi", id.Firmware)
	require.Equal(t, 2000, id.MemoryMiB)
}
