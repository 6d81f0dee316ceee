package script

import (
	"fmt"
	"net/url"
	"strings"
)

// GRUB writes the configuration that the GRUB image of pxe/loader runs. It sets byd_ok=1 when nothing is left to try, so
// that the image's own loop does not ask again.
func GRUB(p Plan) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	w := &writer{}
	w.line("echo 'bootyard: %s'", show(p.Text))
	switch p.Kind {
	case Local:
		w.line("%s", GRUBLocal)
		w.line("set byd_ok=1")
	case Kernel:
		if err := grubKernel(w, p); err != nil {
			return nil, err
		}
	case Menu:
		if err := grubMenu(w, p); err != nil {
			return nil, err
		}
	case Message:
		// byd_ok stays unset: the image asks again
	}
	return []byte(w.String()), nil
}

// GRUBLocal starts the local disk of a UEFI machine: the one that bootyard deployed (it has the file DeployedMark), else
// the first with a boot program. root must be set, or the disk's shim does not find its own loader (netboot-facts section
// 8). When there is none the machine restarts after a minute and asks again: leaving GRUB sends edk2 to its menu for ever.
const GRUBLocal = `echo 'bootyard: starting the local disk'
if search --no-floppy --file --set=root ` + DeployedMark + `; then
  if chainloader /EFI/BOOT/BOOTX64.EFI; then boot; fi
fi
for byd_file in /EFI/BOOT/BOOTX64.EFI /EFI/debian/shimx64.efi /EFI/Microsoft/Boot/bootmgfw.efi; do
  if search --no-floppy --file --set=root $byd_file; then
    if chainloader $byd_file; then boot; fi
  fi
done
echo 'bootyard: no disk that the firmware shows has a boot program, restarting in 60 seconds (ESC: firmware menu)'
if sleep --interruptible 60; then reboot; fi
exit`

// DeployedMark is a file on the EFI system partition by which the disk that bootyard deployed is told from a USB stick
// that the firmware counts first. It may be missing.
const DeployedMark = "/EFI/bootyard/deployed"

// GRUBName turns an http URL into GRUB's name for it.
func GRUBName(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || checkURL(s) != nil || u.Scheme != "http" {
		return "", fmt.Errorf("URL for GRUB: %w", ErrUnsafe)
	}
	return fmt.Sprintf("(http,%s)%s", u.Host, u.RequestURI()), nil
}

func grubKernel(w *writer, p Plan) error {
	kernel, err := GRUBName(p.Files[0].URL)
	if err != nil {
		return err
	}
	line := "linux '" + kernel + "'"
	for _, a := range strings.Fields(p.Args) {
		line += " '" + a + "'"
	}
	w.line("if %s; then", line)
	initrds := ""
	for _, f := range p.Files[1:] {
		n, err := GRUBName(f.URL)
		if err != nil {
			return err
		}
		initrds += " '" + n + "'"
	}
	if initrds == "" {
		w.line("  boot")
	} else {
		w.line("  if initrd%s; then boot; fi", initrds)
	}
	w.line("fi")
	w.line("echo 'bootyard: the boot files could not be loaded or started'")
	return nil
}

func grubMenu(w *writer, p Plan) error {
	self, err := GRUBName(p.Self)
	if err != nil {
		return err
	}
	w.line("set timeout=%d", int(p.timeout().Seconds()))
	w.line("set timeout_style=menu")
	w.line("set default=local")
	w.line("menuentry 'Boot from the local disk' --id local {")
	w.line("%s", GRUBLocal)
	w.line("}")
	for i, it := range p.Items {
		w.line("menuentry '%s' --id m%d {", show("- "+it.Title), i)
		for range 3 {
			w.line("  source '%s/choice/%s'", strings.TrimSuffix(self, "/"), it.ID)
			w.line("  sleep 5")
		}
		w.line("}")
	}
	w.line("set byd_ok=1")
	return nil
}
