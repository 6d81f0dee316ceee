package pxe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// Names of the loaders, as asked for by TFTP and below /boot/loader/. Those of GRUB differ for each address of ours,
// because the image has the address inside.
const (
	UndionlyName = "undionly.kpxe"
	SNPOnlyName  = "snponly.efi"
)

// GRUBName is the file name of the GRUB image for a processor (Arch.CPU) that fetches its script from server.
func GRUBName(cpu string, server netip.AddrPort) string {
	return fmt.Sprintf("grub-%s-%s-%d.efi", cpu, server.Addr(), server.Port())
}

// Loaders is the set of loader files: pxe/loader.Catalog. It is safe for concurrent use.
type Loaders interface {
	// File returns the content of the loader of that name, an untrusted key. The content must not be changed.
	File(name string) (data []byte, ok bool)
	// Prepare is called before an interface is served, with the address under which its machines reach the boot
	// handler, and makes the loaders that have this address inside. It may take seconds the first time.
	Prepare(ctx context.Context, server netip.AddrPort) error
}

var errNoLoader = errors.New("no loader for this firmware")

// boot is what a DHCP reply says about booting.
type boot struct {
	file   string // boot file: name for TFTP, or absolute URL
	class  string // option 60 of the reply, "" for none
	reason string
}

// chooseBoot finds the first loader for a machine (DESIGN.md, "loaders"): iPXE gets its script; a BIOS gets iPXE; UEFI
// gets the GRUB image by TFTP or HTTP, whichever the firmware asked for, so that a firmware whose first protocol failed
// is answered again on the next one.
func (s *Server) chooseBoot(m Machine, at endpoint) (boot, error) {
	if m.Arch == ArchUnknown && m.Loader != LoaderIPXE {
		return boot{}, fmt.Errorf("client architecture is unknown: %w", errNoLoader)
	}
	switch m.Loader {
	case LoaderIPXE:
		return boot{file: at.url("/boot/ipxe", scriptQuery(m)), reason: "script for iPXE"}, nil
	case LoaderHTTP:
		name, err := s.uefiLoader(m, at)
		return boot{file: at.url("/boot/loader/"+name, ""), class: classHTTP, reason: "loader by HTTP"}, err
	}
	if m.Firmware == BIOS {
		if _, ok := s.cfg.Loaders.File(UndionlyName); !ok {
			return boot{}, fmt.Errorf("%s is missing, install the Debian package ipxe: %w", UndionlyName, errNoLoader)
		}
		return boot{file: UndionlyName, reason: "iPXE by TFTP"}, nil
	}
	name, err := s.uefiLoader(m, at)
	return boot{file: name, reason: "loader by TFTP"}, err
}

func (s *Server) uefiLoader(m Machine, at endpoint) (string, error) {
	name := GRUBName(m.Arch.CPU(), at.http)
	if _, ok := s.cfg.Loaders.File(name); ok {
		return name, nil
	}
	if m.Arch.CPU() == "x64" {
		if _, ok := s.cfg.Loaders.File(SNPOnlyName); ok {
			return SNPOnlyName, nil
		}
	}
	return "", fmt.Errorf("no %s for %s UEFI, see the list of loaders: %w", name, m.Arch.CPU(), errNoLoader)
}

// scriptQuery tells the script stage who asks. The loader could fill it in itself, but then an old or odd loader
// would have to be trusted to do it well.
func scriptQuery(m Machine) string {
	q := "mac=" + m.MAC.String()
	if m.UUID != "" {
		q += "&uuid=" + m.UUID
	}
	return q + "&arch=" + strconv.Itoa(int(m.Arch))
}

// endpoint is where machines on one interface find us.
type endpoint struct {
	addr netip.Addr     // DHCP server identifier, siaddr, TFTP
	http netip.AddrPort // boot scripts and files
}

func (e endpoint) url(path, query string) string {
	u := url.URL{Scheme: "http", Host: hostPort(e.http), Path: path, RawQuery: query}
	return u.String()
}

// hostPort leaves out port 80.
func hostPort(a netip.AddrPort) string {
	if a.Port() == 80 {
		return a.Addr().String()
	}
	return net.JoinHostPort(a.Addr().String(), strconv.Itoa(int(a.Port())))
}
