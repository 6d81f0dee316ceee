package media

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"text/template"
)

var (
	safeArgs   = regexp.MustCompile(`^[A-Za-z0-9 ._:/=,+%@-]*$`)
	safeLabel  = regexp.MustCompile(`^[A-Za-z0-9 ._-]{1,64}$`)
	safeMarker = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
)

// errUnsafe says that a value would mean something to the loader.
var errUnsafe = errors.New("may hold only letters, digits, blanks and plain punctuation")

// The loader looks for a marked disk before it starts the medium (MED-25). A
// disk is started as its firmware would: by the EFI fallback path of the system
// partition, where UEFI machines have the marker, or by the disk's own boot
// sector: search gives hdN,gptM and regexp cuts the partition off. A medium on a
// USB stick is hd0 itself.
var grubTemplate = template.Must(template.New("grub.cfg").Parse(`set timeout=1
set default=deploy
if serial --unit=0 --speed=115200; then
	terminal_input console serial
	terminal_output console serial
fi
set medium=$root
set marked=""
{{- range .Markers}}
if [ -z "$marked" ]; then search --no-floppy --set=marked --file {{.}}; fi
{{- end}}
if [ -n "$marked" ]; then
	echo "bootyard: this medium has deployed this machine; its disk ($marked) is started"
	set default=disk
	set timeout={{.Wait}}
	menuentry "Start the deployed disk" --id disk {
		if [ "$grub_platform" = efi ]; then
			set root=$marked
			chainloader /EFI/BOOT/BOOTX64.EFI
		else
			regexp --set=1:disk '^([^,]+)' $marked
			set root=$disk
			chainloader +1
		fi
	}
fi
menuentry "{{.Label}}: deploy this machine" --id deploy {
	set root=$medium
	echo "bootyard: starting from medium"
	linux /bootyard/vmlinuz {{.Args}}
	initrd{{range .Initrd}} {{.}}{{end}}
}
menuentry "Start the local disk" --id local {
	if [ "$grub_platform" = efi ]; then
		search --no-floppy --set=esp --hint=hd0 --file /EFI/BOOT/BOOTX64.EFI
		set root=$esp
		chainloader /EFI/BOOT/BOOTX64.EFI
	else
		set root=hd0
		if regexp '^hd0' $medium; then set root=hd1; fi
		chainloader +1
	fi
}
`))

func (s Spec) grubConfig() ([]byte, error) {
	if !safeArgs.MatchString(s.Args) {
		return nil, fmt.Errorf("kernel arguments %q: %w", s.Args, errUnsafe)
	}
	if !safeLabel.MatchString(s.label()) {
		return nil, fmt.Errorf("label %q: %w", s.label(), errUnsafe)
	}
	for _, m := range s.Markers {
		if !safeMarker.MatchString(m) || strings.Contains(m, "..") {
			return nil, fmt.Errorf("marker %q: %w", m, errUnsafe)
		}
	}
	var initrd []string
	for i := range s.Initrd {
		initrd = append(initrd, path.Join("/", initrdName(i)))
	}
	wait := s.MarkerWait
	if wait <= 0 {
		wait = 5
	}
	var out bytes.Buffer
	err := grubTemplate.Execute(&out, map[string]any{
		"Args": s.Args, "Label": s.label(), "Markers": s.Markers, "Wait": wait,
		"Initrd": append(initrd, path.Join("/", siteArchive)),
	})
	return out.Bytes(), err
}
