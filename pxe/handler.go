package pxe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/pxe/script"
)

// CleanPath goes in front of any mux: shim asks for "<dir>//grubx64.efi", and http.ServeMux answers such paths with a
// redirect that shim does not follow (netboot-facts section 6).
func CleanPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := path.Clean("/" + r.URL.Path); c != r.URL.Path {
			q := r.Clone(r.Context())
			if strings.HasSuffix(r.URL.Path, "/") && c != "/" {
				c += "/"
			}
			q.URL.Path, q.URL.RawPath = c, ""
			r = q
		}
		next.ServeHTTP(w, r)
	})
}

// Handler serves boot scripts and loaders below /boot/. It answers GET and HEAD with a Content-Length. A script request
// names the machine by MAC and UUID; where a lease says that its source address belongs to another machine it is
// refused.
//
//	/boot/ipxe?mac=MAC&uuid=UUID&arch=N[&choice=ID][&try=N]   iPXE script
//	/boot/grub/MAC[/UUID][/choice/ID]                         GRUB configuration
//	/boot/loader/NAME                                         a file of Loaders
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boot/ipxe", s.serveIPXE)
	mux.HandleFunc("GET /boot/grub/{rest...}", s.serveGRUB)
	mux.HandleFunc("GET /boot/loader/{name}", s.serveLoader)
	return CleanPath(mux)
}

func (s *Server) serveIPXE(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	m := Machine{Loader: LoaderIPXE, MAC: canonicalMAC(q.Get("mac")), UUID: canonicalUUID(q.Get("uuid")), Arch: ArchBIOS, Firmware: BIOS}
	if n, err := strconv.ParseUint(q.Get("arch"), 10, 16); err == nil {
		m.Arch = Arch(n)
	}
	if m.Arch != ArchBIOS && m.Arch != ArchUnknown {
		m.Firmware = UEFI
	}
	m.Choice = choiceID(q.Get("choice"))
	try, err := strconv.Atoi(q.Get("try"))
	if err != nil || try < 0 {
		try = 0
	}
	s.serveScript(w, r, "ipxe", m, min(try, script.MaxTries), func(m Machine, p script.Plan) ([]byte, error) {
		p.Self = "http://" + s.hostFor(r) + "/boot/ipxe?" + scriptQuery(m)
		if p.UEFI {
			if name, ok := s.localLoader(r, m); ok {
				p.Local = "http://" + s.hostFor(r) + "/boot/loader/" + name
			}
		}
		return script.IPXE(p)
	})
}

func (s *Server) serveGRUB(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.PathValue("rest"), "/"), "/")
	m := Machine{Loader: LoaderGRUB, Firmware: UEFI, Arch: ArchX64, MAC: canonicalMAC(parts[0])}
	if parts = parts[1:]; len(parts) > 0 && parts[0] != "choice" {
		m.UUID, parts = canonicalUUID(parts[0]), parts[1:]
	}
	if len(parts) == 2 && parts[0] == "choice" {
		m.Choice = choiceID(parts[1])
	}
	if seen, ok := s.recent.machine(m.MAC); ok && seen.Firmware == UEFI && seen.Arch != ArchUnknown {
		m.Arch = seen.Arch
	}
	s.serveScript(w, r, "grub", m, 0, func(m Machine, p script.Plan) ([]byte, error) {
		p.Self = "http://" + s.hostFor(r) + "/boot/grub/" + m.MAC.String()
		if m.UUID != "" {
			p.Self += "/" + m.UUID
		}
		return script.GRUB(p)
	})
}

// localLoader is the GRUB image that boots the disk for an iPXE that runs under UEFI, which cannot.
func (s *Server) localLoader(r *http.Request, m Machine) (string, bool) {
	at, ok := s.selfAddr(r)
	if !ok {
		return "", false
	}
	name := GRUBName(m.Arch.CPU(), at)
	_, ok = s.cfg.Loaders.File(name)
	return name, ok
}

// selfAddr is where the client reached us. The Host header is not used: GRUB leaves the port out of it.
func (s *Server) selfAddr(r *http.Request) (netip.AddrPort, bool) {
	if s.cfg.HTTPAddr.Is4() {
		return netip.AddrPortFrom(s.cfg.HTTPAddr, s.cfg.HTTPPort), true
	}
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap, err := netip.ParseAddrPort(at.String())
	return netip.AddrPortFrom(ap.Addr().Unmap(), s.cfg.HTTPPort), err == nil
}

func (s *Server) hostFor(r *http.Request) string {
	if at, ok := s.selfAddr(r); ok {
		return hostPort(at)
	}
	return r.Host
}

func choiceID(v string) string {
	if len(v) > 64 || strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return ""
	}
	return v
}

var errUnnamed = errors.New("the request names no machine: MAC address is missing or wrong")

// identify checks who asks against what DHCP knows.
func (s *Server) identify(r *http.Request, m *Machine) error {
	m.Stage = StageScript
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil {
		m.Address = ap.Addr().Unmap()
	}
	if m.MAC == nil {
		return errUnnamed
	}
	if hw, ok := s.leases.MACFor(m.Address); ok && hw.String() != m.MAC.String() {
		return fmt.Errorf("the request names %s but comes from %s, which belongs to %s", m.MAC, m.Address, hw)
	}
	// Beside another DHCP server (Force) the machine may have taken that one's address while ours still runs.
	if at := s.leases.AddrsOf(m.MAC); len(at) > 0 && m.Address.Is4() && !slices.Contains(at, m.Address) && !s.cfg.Force {
		return fmt.Errorf("the request names %s but comes from %s, while that machine has %s", m.MAC, m.Address, at[0])
	}
	if seen, ok := s.recent.machine(m.MAC); ok {
		switch {
		case m.UUID == "":
			m.UUID = seen.UUID
		case seen.UUID != "" && seen.UUID != m.UUID:
			return fmt.Errorf("the request names UUID %s, but this machine sent %s in DHCP", m.UUID, seen.UUID)
		}
		m.Interface = seen.Interface
	}
	return nil
}

// renderer writes a plan in a loader's own language.
type renderer func(Machine, script.Plan) ([]byte, error)

// textMisfit is all that is said of a request that is refused.
const textMisfit = "this request does not fit the machine it comes from"

// serveScript asks the policy and writes the script. A loader runs only what comes with status 200, so every outcome is
// a script: a failure shows why, waits, asks again and ends at the local disk.
func (s *Server) serveScript(w http.ResponseWriter, r *http.Request, kind string, m Machine, try int, render renderer) {
	start := time.Now()
	e := Event{Time: s.cfg.Now(), Protocol: "http", Message: kind}
	s.log.Debug("boot script asked", "path", r.URL.Path, "client", r.RemoteAddr)
	plan := script.Plan{Kind: script.Local, UEFI: m.Firmware == UEFI, Try: try}
	if !s.admit(w, r, kind, m, plan, render) {
		return
	}
	err := s.identify(r, &m)
	e.Machine = m
	if err != nil {
		s.metrics.malformed.WithLabelValues("http").Inc()
		e.Reason = err.Error()
		s.record(r.Context(), e)
		http.Error(w, textMisfit, http.StatusForbidden)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*decideTimeout)
	defer cancel()
	d, err := s.cfg.Policy.Decide(ctx, m)
	e.BootID, e.Action, e.Reason, e.Rule = d.BootID, d.Action, d.Reason, d.Rule
	if err == nil {
		fill(&plan, d)
	} else {
		e.Reason = fmt.Sprintf("no decision: %v", err)
		plan.Kind, plan.Text = script.Message, "the appliance cannot decide now, see its log"
	}
	body, err := render(m, plan)
	if err != nil {
		s.log.Error("boot script cannot be written", "mac", m.MAC.String(), "err", err)
		e.Reason = fmt.Sprintf("script not written: %v", err)
		plan.Kind, plan.Text = script.Message, "the appliance cannot write the boot script, see its log"
		if body, err = render(m, plan); err != nil {
			http.Error(w, "the boot script cannot be written", http.StatusInternalServerError)
			s.record(r.Context(), e)
			return
		}
	}
	e.Answer, e.Bytes, e.Took = "script", int64(len(body)), time.Since(start)
	if plan.Kind == script.Message {
		e.Answer = "retry"
	}
	writeScript(w, r, body)
	s.record(r.Context(), e)
}

// fill turns a decision into a plan. Ignore means local disk here: the loader has asked already (PXE-15a).
func fill(p *script.Plan, d Decision) {
	p.Text = d.Reason
	switch d.Action {
	case BootEnvironment:
		p.Kind, p.Args = script.Kernel, d.Args
		for _, f := range d.Files {
			p.Files = append(p.Files, script.File{Name: f.Name, URL: f.URL})
		}
	case Menu:
		p.Kind, p.Timeout = script.Menu, d.Timeout
		for _, m := range d.Entries {
			p.Items = append(p.Items, script.Item{ID: m.ID, Title: m.Title})
		}
	default:
		p.Kind = script.Local
	}
}

func (s *Server) serveLoader(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, ok := s.cfg.Loaders.File(name)
	e := Event{Time: s.cfg.Now(), Protocol: "http", Message: "loader", File: name}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		a := ap.Addr().Unmap()
		if hw, ok := s.MACFor(a); ok {
			e.Machine, _ = s.recent.machine(canonicalMAC(hw))
			e.Machine.MAC = canonicalMAC(hw)
		}
		e.Machine.Address = a
	}
	e.Machine.Stage = StageLoader
	if !ok {
		e.Reason = "no loader of this name"
		s.record(r.Context(), e)
		http.Error(w, "no such loader", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/efi")
	start := time.Now()
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	if r.Method == http.MethodHead {
		return
	}
	e.Answer, e.Reason, e.Bytes, e.Took = "file", "loader sent", int64(len(data)), time.Since(start)
	s.record(r.Context(), e)
}
