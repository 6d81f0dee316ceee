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

// GRUBLocal starts the local disk of a UEFI machine. root must be set, or the disk's shim does not find its own loader
// (netboot-facts section 8).
const GRUBLocal = `echo 'bootyard: starting the local disk'
if search --no-floppy --file --set=root /EFI/BOOT/BOOTX64.EFI; then
  if chainloader /EFI/BOOT/BOOTX64.EFI; then boot; fi
fi
echo 'bootyard: no disk here has /EFI/BOOT/BOOTX64.EFI'
sleep 5
exit`

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
