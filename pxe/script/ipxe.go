package script

import (
	"fmt"
	"strings"
)

// IPXE writes the script for iPXE.
func IPXE(p Plan) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	w := &writer{}
	w.line("#!ipxe")
	w.line("echo bootyard: %s", show(p.Text))
	switch p.Kind {
	case Kernel:
		ipxeKernel(w, p)
	case Menu:
		ipxeMenu(w, p)
	case Message:
		ipxeRetry(w, p)
	}
	w.line(":local")
	w.line("echo bootyard: starting the local disk")
	switch {
	case !p.UEFI:
		// An empty first disk is refused, and the system may be on another: OSDDiskIndex chose it.
		w.line("sanboot --no-describe --drive 0x80 ||")
		w.line("sanboot --no-describe --drive 0x81 ||")
		w.line("sanboot --no-describe --drive 0x82 || exit")
	case p.Local != "":
		w.line("chain --autofree %s || exit 1", p.Local)
	default:
		w.line("exit 1") // EFI_SUCCESS would send some firmware to its menu
	}
	return []byte(w.String()), nil
}

type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.Builder, format+"\n", args...) }

func ipxeKernel(w *writer, p Plan) {
	args := strings.Join(strings.Fields(p.Args), " ")
	for _, f := range p.Files[1:] {
		args += " initrd=" + f.Name // how Linux finds its initrd under UEFI; a BIOS machine does not mind
	}
	w.line("kernel --name %s %s %s || goto failed", p.Files[0].Name, p.Files[0].URL, strings.TrimSpace(args))
	for _, f := range p.Files[1:] {
		w.line("initrd --name %s %s || goto failed", f.Name, f.URL)
	}
	w.line("boot || goto failed")
	w.line(":failed")
	w.line("echo bootyard: the boot files could not be loaded or started")
	for _, f := range p.Files { // or the next try would load them twice
		w.line("imgfree %s ||", f.Name)
	}
	ipxeRetry(w, p)
}

// ipxeRetry waits and asks again, or falls through to the local disk.
func ipxeRetry(w *writer, p Plan) {
	if p.Self == "" || p.Try >= MaxTries {
		w.line("echo bootyard: giving up after %d tries", p.Try)
		w.line("sleep 5")
		return
	}
	w.line("echo bootyard: trying again in %d seconds, try %d of %d", pause(p.Try), p.Try+1, MaxTries)
	w.line("sleep %d", pause(p.Try))
	w.line("chain --replace --autofree %s ||", with(p.Self, "try", fmt.Sprint(p.Try+1)))
	// The appliance did not answer at all: wait once more, longer than it takes to restart.
	w.line("sleep 30")
	w.line("chain --replace --autofree %s ||", with(p.Self, "try", fmt.Sprint(p.Try+1)))
}

func ipxeMenu(w *writer, p Plan) {
	w.line("menu bootyard: press a key to choose, or wait for the local disk")
	w.line("item local Boot from the local disk")
	for i, it := range p.Items {
		w.line("item m%d %s", i, show("- "+it.Title))
	}
	w.line("choose --default local --timeout %d chosen || goto local", p.timeout().Milliseconds())
	w.line("goto ${chosen}")
	for i, it := range p.Items {
		w.line(":m%d", i)
		w.line("chain --replace --autofree %s || goto nothing", with(p.Self, "choice", it.ID))
	}
	w.line(":nothing")
	w.line("echo bootyard: the appliance did not answer")
	ipxeRetry(w, p)
}

func with(u, key, value string) string {
	sep := "?"
	if strings.Contains(u, "?") {
		sep = "&"
	}
	return u + sep + key + "=" + value
}
