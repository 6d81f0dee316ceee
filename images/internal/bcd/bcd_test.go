package bcd_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/bcd"
	"github.com/bootyard/bootyard/images/internal/hive"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func gpt(disk, id byte) bcd.Partition {
	p := bcd.Partition{GPT: true}
	for i := range 16 {
		p.Disk[i], p.ID[i] = disk+byte(i), id+byte(i)
	}
	return p
}

// element is the value of an element of an object.
func element(t *testing.T, root *hive.Key, object string, kind uint32) hive.Value {
	t.Helper()
	k := root.Find("Objects", object, "Elements", fmt.Sprintf("%08x", kind))
	require.NotNil(t, k, "%s has no %08x", object, kind)
	v, ok := k.Value("Element")
	require.True(t, ok)
	return v
}

func TestStore(t *testing.T) {
	mbr := bcd.Partition{Disk: [16]byte{0xf1, 0xa8, 0xeb, 0xb3}, Start: 368050176}
	for name, c := range map[string]struct {
		system       bcd.System
		path, loader string
		device       string
	}{
		"UEFI": {bcd.System{UEFI: true, Boot: gpt(0x10, 0x30), Windows: gpt(0x10, 0x70), Name: "Windows 11"}, `\EFI\Microsoft\Boot\bootmgfw.efi`, `\Windows\system32\winload.efi`,
			"00000000000000000000000000000000" + "0600000000000000" + "4800000000000000" + "707172737475767778797a7b7c7d7e7f" + "00000000" + "00000000" + "101112131415161718191a1b1c1d1e1f" + "00000000000000000000000000000000"},
		// As a published example of a real store has it: a disk with the signature b3eba8f1, sector 718848.
		"BIOS": {bcd.System{Boot: mbr, Windows: mbr, Name: "Windows 11"}, "", `\Windows\system32\winload.exe`,
			"00000000000000000000000000000000" + "0600000000000000" + "4800000000000000" + "0000f015000000000000000000000000" + "00000000" + "01000000" + "f1a8ebb3000000000000000000000000" + "00000000000000000000000000000000"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := bcd.Store(c.system, noon)
			require.NoError(t, err)
			root, err := hive.Read(data)
			require.NoError(t, err)
			loader := element(t, root, bcd.BootManager, bcd.Default).Text()
			assert.Equal(t, []string{loader}, element(t, root, bcd.BootManager, bcd.DisplayOrder).List())
			if c.path != "" {
				assert.Equal(t, c.path, element(t, root, bcd.BootManager, bcd.Path).Text())
			}
			assert.Equal(t, c.loader, element(t, root, loader, bcd.Path).Text())
			assert.Equal(t, `\Windows`, element(t, root, loader, bcd.SystemRoot).Text())
			assert.Equal(t, "Windows 11", element(t, root, loader, bcd.Description).Text())
			assert.Equal(t, c.device, hex.EncodeToString(element(t, root, loader, bcd.OSDevice).Data))
			assert.Equal(t, c.device, hex.EncodeToString(element(t, root, loader, bcd.Device).Data))
			v, _ := root.Find("Description").Value("KeyName")
			assert.Equal(t, "BCD00000000", v.Text())
			everythingIsThere(t, root)
		})
	}
}

// everythingIsThere follows what objects say of one another, and looks at the form of each element.
func everythingIsThere(t *testing.T, root *hive.Key) {
	t.Helper()
	for _, o := range root.Find("Objects").Keys {
		kind, ok := o.Find("Description").Value("Type")
		require.True(t, ok, o.Name)
		require.Len(t, kind.Data, 4)
		for _, e := range o.Find("Elements").Keys {
			require.Regexp(t, regexp.MustCompile(`^[123][1-7][0-9a-f]{6}$`), e.Name)
			v, ok := e.Value("Element")
			require.True(t, ok)
			switch e.Name[1] {
			case '1':
				assert.Len(t, v.Data, 88)
			case '2':
				assert.Equal(t, hive.Text, v.Kind)
			case '3':
				assert.NotNil(t, root.Find("Objects", v.Text()), "%s %s", o.Name, e.Name)
			case '4':
				assert.Equal(t, hive.List, v.Kind)
				for _, id := range v.List() {
					assert.NotNil(t, root.Find("Objects", id), "%s %s %s", o.Name, e.Name, id)
				}
			case '5', '7':
				assert.Len(t, v.Data, 8)
			case '6':
				assert.Len(t, v.Data, 1)
			}
		}
	}
}

// hivexsh, which knows nothing of this package, walks to the system's partition.
func TestIndependentReader(t *testing.T) {
	if _, err := exec.LookPath("hivexsh"); err != nil {
		t.Skip("needs hivexsh (Debian package libhivex-bin, scripts/install-packages)")
	}
	data, err := bcd.Store(bcd.System{UEFI: true, Boot: gpt(0x10, 0x30), Windows: gpt(0x10, 0x70)}, noon)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "BCD")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	ask := func(script string) string {
		cmd := exec.CommandContext(t.Context(), "hivexsh", name)
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	loader := ask(`cd \Objects\` + bcd.BootManager + `\Elements\23000003` + "\nlsval Element\n")
	require.Len(t, loader, 38)
	require.Equal(t, `\Windows\system32\winload.efi`, ask(`cd \Objects\`+loader+`\Elements\12000002`+"\nlsval Element\n"))
	require.Contains(t, strings.ReplaceAll(ask(`cd \Objects\`+loader+`\Elements\21000001`+"\nlsval\n"), ",", ""), "707172737475767778797a7b7c7d7e7f")
	require.Contains(t, ask("cd \\Description\nlsval\n"), `"KeyName"="BCD00000000"`)
}

func TestStoreRefuses(t *testing.T) {
	for name, s := range map[string]bcd.System{
		"no disk":      {Boot: gpt(1, 1)},
		"no boot":      {Windows: gpt(1, 1)},
		"no signature": {Boot: bcd.Partition{Start: 1 << 20}, Windows: bcd.Partition{Start: 1 << 20}},
		"no start":     {Boot: bcd.Partition{Disk: [16]byte{1}}, Windows: bcd.Partition{Disk: [16]byte{1}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bcd.Store(s, noon)
			require.Error(t, err)
		})
	}
}
