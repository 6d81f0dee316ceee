package bootimage_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/bootimage"
)

func TestParseModuleList(t *testing.T) {
	got, err := bootimage.ParseModuleList("# c\n\n fs/ext4/ # why\n!fs/ext4/bad\ndrivers/ata/sata_*\n")
	require.NoError(t, err)
	require.Equal(t, []bootimage.Pattern{{Glob: "fs/ext4/"}, {Glob: "fs/ext4/bad", Exclude: true}, {Glob: "drivers/ata/sata_*"}}, got)
	for _, bad := range []string{"two words", "/abs", "../up", "a//b", "!", "[", strings.Repeat("x\n", 1<<20)} {
		_, err := bootimage.ParseModuleList(bad)
		require.Error(t, err, "%.20q", bad)
	}
}

func TestParseToolList(t *testing.T) {
	got, err := bootimage.ParseToolList("kmod /bin/kmod /sbin/modprobe\nlibstdc++6 /usr/lib/*\n")
	require.NoError(t, err)
	require.Equal(t, []bootimage.Tool{
		{Package: "kmod", Paths: []string{"/bin/kmod", "/sbin/modprobe"}}, {Package: "libstdc++6", Paths: []string{"/usr/lib/*"}},
	}, got)
	for _, bad := range []string{"kmod", "kmod bin/kmod", "--option /x", "Kmod /x", "kmod /../etc/shadow", "kmod=1 /x"} {
		_, err := bootimage.ParseToolList(bad)
		require.Error(t, err, bad)
	}
}

func TestShippedLists(t *testing.T) {
	modules, err := os.ReadFile("modules.list")
	require.NoError(t, err)
	patterns, err := bootimage.ParseModuleList(string(modules))
	require.NoError(t, err)
	covered := func(m string) bool {
		in := false
		for _, p := range patterns {
			if p.Match(m) {
				in = !p.Exclude
			}
		}
		return in
	}
	// issue 2 part 3: the common cards and disks
	for _, m := range []string{
		"drivers/net/virtio_net", "drivers/net/ethernet/intel/e1000/e1000", "drivers/net/ethernet/intel/e1000e/e1000e",
		"drivers/net/ethernet/intel/ice/ice", "drivers/net/ethernet/broadcom/tg3", "drivers/net/ethernet/broadcom/bnxt/bnxt_en",
		"drivers/net/ethernet/realtek/r8169", "drivers/net/ethernet/mellanox/mlx5/core/mlx5_core", "drivers/ata/ahci",
		"drivers/nvme/host/nvme", "drivers/block/virtio_blk", "drivers/scsi/virtio_scsi", "drivers/scsi/megaraid/megaraid_sas",
		"drivers/scsi/mpt3sas/mpt3sas", "drivers/usb/storage/uas", "drivers/usb/host/xhci-pci", "fs/ext4/ext4", "fs/efivarfs/efivarfs",
	} {
		require.True(t, covered(m), m)
	}
	require.False(t, covered("drivers/gpu/drm/i915/i915"))
	tools, err := os.ReadFile("tools.list")
	require.NoError(t, err)
	_, err = bootimage.ParseToolList(string(tools))
	require.NoError(t, err)
}

func TestChoose(t *testing.T) {
	deps, err := bootimage.ParseDeps(strings.NewReader(`kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko
kernel/fs/jbd2/jbd2.ko: kernel/lib/crc.ko
kernel/lib/crc.ko:
kernel/lib/crc16.ko.xz:
kernel/lib/crc16.ko:
kernel/fs/xfs/xfs.ko: kernel/lib/crc.ko
kernel/fs/fat/vfat.ko:
kernel/fs/fat/msdos.ko:
`))
	require.NoError(t, err)
	patterns, err := bootimage.ParseModuleList("fs/ext4/\nfs/fat/*\n!fs/fat/msdos\nlib/builtin\nfs/none/\n")
	require.NoError(t, err)
	chosen, unmatched, err := deps.Choose(patterns, []string{"kernel/lib/builtin.ko"})
	require.NoError(t, err)
	require.Equal(t, []string{"kernel/fs/ext4/ext4.ko", "kernel/fs/fat/vfat.ko", "kernel/fs/jbd2/jbd2.ko", "kernel/lib/crc.ko", "kernel/lib/crc16.ko"}, chosen)
	require.Equal(t, []string{"fs/none/"}, unmatched)

	broken, err := bootimage.ParseDeps(strings.NewReader("kernel/fs/ext4/ext4.ko: kernel/gone.ko\n"))
	require.NoError(t, err)
	_, _, err = broken.Choose(patterns[:1], nil)
	require.ErrorContains(t, err, "kernel/gone.ko")
	_, err = bootimage.ParseDeps(strings.NewReader("no colon\n"))
	require.Error(t, err)
}

func FuzzParseLists(f *testing.F) {
	f.Add("fs/ext4/\n!a*b # c", "kmod /bin/kmod")
	f.Fuzz(func(t *testing.T, modules, tools string) {
		patterns, _ := bootimage.ParseModuleList(modules)
		for _, p := range patterns {
			require.NotContains(t, "/"+p.Glob, "/../")
			p.Match("fs/ext4/ext4")
		}
		list, _ := bootimage.ParseToolList(tools)
		for _, l := range list {
			require.NotEqual(t, byte('-'), l.Package[0])
		}
	})
}
