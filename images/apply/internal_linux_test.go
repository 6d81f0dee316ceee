package apply

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

const efibootmgrOutput = "BootNext: 0003\nBootCurrent: 0004\nTimeout: 0 seconds\nBootOrder: 0004,0009,0001,0002\n" +
	"Boot0000* UiApp\tFvVol(7cb8bdc9)/FvFile(462caa21)\n" +
	"Boot0001* UEFI QEMU DVD-ROM QM00003 \tPciRoot(0x0)/Pci(0x1f,0x2)\n" +
	"Boot0002* bootyard pc-7\tHD(2,GPT,aa)/File(\\EFI\\BOOT\\BOOTX64.EFI)\n" +
	"Boot0003  bootyard pc-7\n" +
	"Boot0004* UEFI PXEv4 (MAC:525400123456)\tPciRoot(0x0)\r\n" +
	"MirroredPercentageAbove4G: 0.00\nBoot00 nonsense\n"

func TestParseEntries(t *testing.T) {
	e := parseEntries(efibootmgrOutput)
	assert.Equal(t, []string{"0004", "0009", "0001", "0002"}, e.order)
	assert.Len(t, e.labels, 5)
	assert.Equal(t, []string{"0002", "0003"}, e.labelled("bootyard pc-7"))
	assert.Empty(t, e.labelled("bootyard"))
	assert.Equal(t, []string{"0003", "0004", "0001", "0002"}, e.withEntry("0003", true), "a number without entry is left out")
	assert.Equal(t, []string{"0004", "0001", "0002"}, e.withEntry("0002", false))
	assert.Equal(t, []string{"0002", "0004", "0001"}, e.withEntry("0002", true))
}

func TestSetFirmwareBootRefusesLabels(t *testing.T) {
	for _, bad := range []string{"", "a\tb", "ä"} {
		_, err := SetFirmwareBoot(t.Context(), disk.Volume{}, bad, FirmwareOrder{})
		assert.Error(t, err)
	}
}

func TestFstab(t *testing.T) {
	target := Target{
		Root:  disk.Volume{UUID: "r", FileSystem: disk.EXT4},
		ESP:   &disk.Volume{UUID: "E-1", FileSystem: disk.FAT32},
		Swaps: []disk.Volume{{UUID: "s", FileSystem: disk.Swap}},
	}
	assert.Equal(t, "# written by bootyard when the image was applied\n"+
		"UUID=r\t/\text4\terrors=remount-ro\t0\t1\n"+
		"UUID=E-1\t/boot/efi\tvfat\tumask=0077,nofail\t0\t2\n"+
		"UUID=s\tnone\tswap\tsw,nofail\t0\t0\n", fstab(target))
	target = Target{Root: disk.Volume{UUID: "b", FileSystem: disk.BTRFS}}
	assert.Contains(t, fstab(target), "UUID=b\t/\tbtrfs\tdefaults\t0\t0\n")
}

func TestParseACL(t *testing.T) {
	b, err := parseACL("user::rw-\nuser:1000:r-x,mask::r--\nother::---\n")
	require.NoError(t, err)
	assert.Equal(t, []byte{2, 0, 0, 0,
		1, 0, 6, 0, 255, 255, 255, 255,
		2, 0, 5, 0, 0xe8, 3, 0, 0,
		0x10, 0, 4, 0, 255, 255, 255, 255,
		0x20, 0, 0, 0, 255, 255, 255, 255}, b)
	star, err := parseACL("user:lisa:r-x:1000")
	require.NoError(t, err)
	assert.Equal(t, b[12:20], star[4:])
	for _, bad := range []string{"user", "user:lisa:rwx", "user::rwz", "nobody::r--", "user:-1:r--", "user:4294967296:r--"} {
		_, err := parseACL(bad)
		assert.Error(t, err, bad)
	}
}

func FuzzParseACL(f *testing.F) {
	f.Add("user::rw-\ngroup:24:r-x\nmask::r--\nother::---\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseACL(text)
		if err == nil {
			assert.Zero(t, (len(b)-4)%8)
		}
	})
}
