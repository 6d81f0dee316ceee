package apply_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
)

func TestCheck(t *testing.T) {
	image := apply.Metadata{Bytes: 1 << 30, Files: 10000}
	require.NoError(t, apply.Check(image, "C:", 2<<30))
	require.NoError(t, apply.Check(apply.Metadata{}, "C:", 1), "nothing is known")
	err := apply.Check(image, "C: (/dev/vda2)", 1<<30)
	require.ErrorIs(t, err, apply.ErrTooSmall, "room for the files' last blocks is counted")
	assert.ErrorContains(t, err, "C: (/dev/vda2) has 1.0 GiB; nothing was written")
}

// What an image lacks is said before its disk is touched, with the package that
// helps.
func TestMakeBootableNeedsGRUB(t *testing.T) {
	esp := &disk.Volume{Device: "/dev/null", FileSystem: disk.FAT32}
	tools := map[string]string{"usr/sbin/grub-install": "x", "usr/sbin/grub-mkconfig": "x"}
	with := func(extra string) map[string]string {
		m := maps.Clone(tools)
		m[extra] = "x"
		return m
	}
	tests := map[string]struct {
		files    map[string]string
		firmware apply.Firmware
		esp      *disk.Volume
		want     string
	}{
		"no firmware":    {tools, "", nil, "neither bios nor uefi"},
		"no ESP":         {tools, apply.UEFI, nil, "no EFI partition"},
		"no GRUB":        {nil, apply.BIOS, nil, "grub2-common"},
		"GRUB of UEFI":   {with("usr/lib/grub/x86_64-efi/modinfo.sh"), apply.BIOS, esp, "grub-pc-bin"},
		"GRUB of BIOS":   {with("usr/lib/grub/i386-pc/modinfo.sh"), apply.UEFI, esp, "grub-efi-amd64-bin"},
		"quotes in args": {tools, apply.BIOS, nil, "quotes"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			root := tree(t, tc.files)
			target := apply.Target{Dir: root, Firmware: tc.firmware, ESP: tc.esp}
			if name == "quotes in args" {
				target.KernelArgs = []string{`a"$(reboot)`}
			}
			_, err := apply.MakeBootable(t.Context(), target)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// A failing tool leaves nothing mounted, and its output is in the error.
func TestMakeBootableCleansUp(t *testing.T) {
	needRoot(t)
	root := tree(t, map[string]string{"usr/sbin/grub-install": "x", "usr/sbin/grub-mkconfig": "no program", "usr/lib/grub/i386-pc/modinfo.sh": ""})
	require.NoError(t, os.Chmod(filepath.Join(root, "usr/sbin/grub-mkconfig"), 0o755))
	target := apply.Target{Dir: root, Firmware: apply.BIOS, Root: disk.Volume{Device: "/dev/null", DiskPath: "/dev/null", UUID: "u", FileSystem: disk.EXT4}}
	_, err := apply.MakeBootable(t.Context(), target)
	require.ErrorContains(t, err, "grub-mkconfig")
	b, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	assert.NotContains(t, string(b), root)
	for _, d := range []string{"proc", "dev", "run", "tmp"} {
		left, err := os.ReadDir(filepath.Join(root, d))
		require.NoError(t, err)
		assert.Empty(t, left, d)
	}

	// A folder of the image that is a link must not lead a mount elsewhere.
	require.NoError(t, os.Remove(filepath.Join(root, "dev")))
	require.NoError(t, os.Symlink("/dev", filepath.Join(root, "dev")))
	_, err = apply.MakeBootable(t.Context(), target)
	assert.ErrorContains(t, err, "/dev of the image is no folder")
}
