package host_test

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/wire"
)

// tree writes files below a made-up root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	return root
}

func laptop() map[string]string {
	dimm := make([]byte, 0x28)
	binary.LittleEndian.PutUint16(dimm[0x0C:], 2048)
	big := make([]byte, 0x28)
	binary.LittleEndian.PutUint16(big[0x0C:], 0x7FFF)
	binary.LittleEndian.PutUint32(big[0x1C:], 32768)
	return map[string]string{
		"sys/firmware/dmi/entries/17-0/raw": string(dimm), "sys/firmware/dmi/entries/17-1/raw": string(big), "proc/meminfo": "MemTotal: 35000000 kB\n",
		"sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "3600000\n", "proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 800.021\n",
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n", "etc/systemd/system/display-manager.service": "", "etc/locale.conf": "LANG=de_DE.UTF-8\n",
		"sys/class/power_supply/AC/type": "Mains\n", "sys/class/power_supply/AC/online": "0\n", "sys/class/power_supply/BAT0/type": "Battery\n",
		"sys/class/net/wlan0/device/x": "", "sys/class/net/wlan0/type": "1\n", "sys/class/net/wlan0/address": "02:00:00:00:00:01\n", "sys/class/net/wlan0/carrier": "1\n", "sys/class/net/wlan0/phy80211/x": "",
		"sys/class/net/eth0/device/x": "", "sys/class/net/eth0/type": "1\n", "sys/class/net/eth0/address": "02:00:00:00:00:02\n", "sys/class/net/eth0/carrier": "0\n",
		"sys/firmware/efi/x": "", "sys/class/tpm/tpm0/tpm_version_major": "2\n", "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
	}
}

func TestReadinessFacts(t *testing.T) {
	files := laptop()
	r := &host.Readiness{Linux: host.Linux{Root: tree(t, files), Environment: wire.FullOS}, ClientVersion: "1.2.3"}
	f, err := r.Readiness(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2048+32768, *f.MemoryMB)
	require.EqualValues(t, 3600, *f.ProcessorMHz)
	require.Equal(t, "CLIENT", f.OSType)
	require.Equal(t, "12", f.OSVersion)
	require.Equal(t, 1031, f.LanguageID)
	require.False(t, *f.OnMains)
	require.True(t, *f.Connected)
	require.False(t, *f.Wired)
	require.True(t, *f.UEFI)
	require.True(t, *f.TPMEnabled)
	require.NotNil(t, f.FreeDiskMB)
	require.Equal(t, "1.2.3", f.ClientVersion)

	for _, gone := range []string{"sys/firmware/dmi/entries/17-0/raw", "sys/firmware/dmi/entries/17-1/raw", "etc/systemd/system/display-manager.service", "sys/firmware/efi/x"} {
		delete(files, gone)
	}
	files["sys/class/power_supply/AC/online"], files["sys/class/net/eth0/carrier"] = "1", "1"
	files["sys/class/tpm/tpm0/tpm_version_major"] = "1"
	files["sys/devices/system/memory/block_size_bytes"] = "8000000\n"
	files["sys/devices/system/memory/memory0/online"], files["sys/devices/system/memory/memory17/online"] = "1", "1"
	r.Root = tree(t, files)
	f, err = r.Readiness(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 256, *f.MemoryMB)
	require.Equal(t, "SERVER", f.OSType)
	require.True(t, *f.OnMains)
	require.True(t, *f.Wired)
	require.False(t, *f.UEFI)
	require.False(t, *f.TPMActivated)
}

// In the boot environment a disk without partitions is free as a whole.
func TestReadinessFreeDisk(t *testing.T) {
	files := laptop()
	files["sys/class/block/vda/device/x"], files["sys/class/block/vda/size"] = "", "2097152\n" // 1 GiB
	files["sys/class/block/sdb/device/x"], files["sys/class/block/sdb/size"], files["sys/class/block/sdb/removable"] = "", "99999999\n", "1\n"
	files["sys/class/block/vdb/device/x"], files["sys/class/block/vdb/size"] = "", "20971520\n"
	files["sys/class/block/vdb/vdb1/partition"] = "1\n"
	free := int64(3 << 30)
	r := &host.Readiness{Linux: host.Linux{Root: tree(t, files), Environment: wire.WinPE}, Free: func(_ context.Context, device string) (int64, bool) {
		return free, device == "/dev/vdb1"
	}}
	f, err := r.Readiness(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3072, *f.FreeDiskMB)
	require.Equal(t, "CLIENT", f.OSType)
	require.Equal(t, "6.1.0", f.OSVersion)
	free = 1 << 20
	f, err = r.Readiness(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1024, *f.FreeDiskMB, "the empty disk")
}

// This machine, whatever it is, answers.
func TestReadinessHere(t *testing.T) {
	r := &host.Readiness{Linux: host.Linux{Environment: wire.FullOS}}
	f, err := r.Readiness(t.Context())
	require.NoError(t, err)
	require.Greater(t, *f.MemoryMB, int64(100))
	require.Greater(t, *f.FreeDiskMB, int64(0))
}
