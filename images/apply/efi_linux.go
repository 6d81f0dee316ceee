package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// installEFI lets the image's GRUB install itself in the folder of its
// distribution, where later updates of the system will look for it, and then
// copies that to the fallback path which any firmware starts without an entry.
// Shim's own fallback program stays out: it would write entries and restart.
func (g grub) installEFI(ctx context.Context, c *chroot, t Target) error {
	n := efiFor(t.Arch)
	vendor := vendorName(t.Dir)
	// A GRUB that does not know Secure Boot refuses the option; then it has
	// nothing signed to leave out either.
	_, err := c.run(ctx, g.installer, "--target="+n.target, "--efi-directory=/boot/efi", "--bootloader-id="+vendor, "--no-nvram", "--recheck")
	if err != nil {
		return err
	}
	esp, err := os.OpenRoot(filepath.Join(t.Dir, "boot/efi"))
	if err != nil {
		return err
	}
	defer func() { _ = esp.Close() }() // a folder, each file was synced
	from := path.Join("EFI", vendor)
	if err := placeFallback(esp, from, n); err != nil {
		return err
	}
	// A network loader tells the disk that bootyard deployed from a USB stick
	// that the firmware counts first by this file (PXE-15a).
	if err := writeFile(esp, DeployedMark, nil, 0o644); err != nil {
		return err
	}
	// Debian's signed GRUB looks for its menu in a folder that was fixed when it
	// was signed; grub-install wrote it there when that is also the vendor's.
	stub, err := readFile(esp, path.Join(from, "grub.cfg"), 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an unsigned GRUB carries its place inside
	}
	if err != nil {
		return err
	}
	for _, dir := range []string{"EFI/BOOT", "EFI/debian", "EFI/ubuntu"} {
		if dir != "EFI/BOOT" && !strings.EqualFold(dir, "EFI/"+vendor) && !signedFor(t.Dir, n.target, path.Base(dir)) {
			continue
		}
		if strings.EqualFold(dir, from) {
			continue
		}
		if err := writeFile(esp, path.Join(dir, "grub.cfg"), stub, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// placeFallback copies the loader in a folder of the ESP to the path that any
// firmware starts without an entry, with what it loads beside itself.
func placeFallback(esp *os.Root, from string, n efiNames) error {
	first := n.grub
	if _, err := esp.Stat(path.Join(from, n.shim)); err == nil {
		first = n.shim
	}
	copies := [][2]string{{first, n.fallback}}
	if first == n.shim {
		copies = append(copies, [2]string{n.grub, n.grub}, [2]string{n.mok, n.mok})
	}
	for _, name := range copies {
		source, target := path.Join(from, name[0]), path.Join("EFI/BOOT", name[1])
		if err := copyInside(esp, source, target); errors.Is(err, fs.ErrNotExist) && name[0] == n.mok {
			continue // only needed to enrol keys
		} else if err != nil {
			return fmt.Errorf("write the fallback loader: %w", err)
		}
	}
	return nil
}

// signedFor says whether the image's signed GRUB was built by the distribution.
// The folder is inside the signed file as text.
func signedFor(dir, target, distribution string) bool {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer func() { _ = root.Close() }() // only read from
	for _, name := range glob(root, "usr/lib/grub/"+target+"-signed/grub*.efi.signed") {
		b, err := readFile(root, name, 16<<20)
		if err == nil && strings.Contains(string(b), "/EFI/"+distribution+"\x00") {
			return true
		}
	}
	return false
}

// vendorName is what Debian's and most other packages use: ID of os-release.
func vendorName(dir string) string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "linux"
	}
	defer func() { _ = root.Close() }() // only read from
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		b, err := readFile(root, name, 64<<10)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID=")
			id = strings.Trim(id, `"'`)
			if ok && id != "" && !strings.ContainsFunc(id, func(r rune) bool {
				return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
			}) && !strings.EqualFold(id, "boot") && len(id) <= 32 {
				return id
			}
		}
	}
	return "linux"
}

func copyInside(root *os.Root, source, target string) error {
	src, err := root.Open(source)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read from
	return writeFrom(root, target, 0o644, func(f *os.File) error {
		_, err := io.Copy(f, src)
		return err
	})
}
