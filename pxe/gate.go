package pxe

import (
	"net/http"
	"net/netip"
	"strconv"

	"github.com/bootyard/bootyard/pxe/script"
)

// Gate says who may ask for boot scripts. A script of a machine that has something to boot carries its boot token, so it
// is for the segment that the machine is on and not for everybody who reaches the HTTP port. Both methods are safe for
// concurrent use.
type Gate interface {
	// Admits tells whether a machine that asks from an address is served. What DHCP heard of a machine, on the wire or by a
	// relay, is no reason: whoever reaches port 67 can send that in its name, and ask from elsewhere.
	Admits(a netip.Addr) bool
	// Allow is told of each script request. False means too many from this address.
	Allow(a netip.Addr) bool
}

// What a loader shows of a script that was withheld. It is the same for every machine, known or not.
const (
	textOutside = "this appliance has no boot script for this network"
	textBusy    = "too many requests from this address"
)

// admit asks the gate. When the answer is no it has written a script that tells nothing: a loader runs only what comes
// with status 200, so it shows a line and starts the disk, or asks again after a while when it came too often. Nothing is
// put on the record of the machine that was named.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, kind string, m Machine, plan script.Plan, render renderer) bool {
	if s.cfg.Gate == nil {
		return true
	}
	var from netip.Addr
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from = ap.Addr().Unmap().WithZone("")
	}
	var reason string
	switch {
	case !s.cfg.Gate.Allow(from):
		plan.Kind, plan.Text, reason = script.Message, textBusy, "too many script requests from this address"
	case !s.cfg.Gate.Admits(from):
		plan.Kind, plan.Text = script.Local, textOutside
		reason = "the address is in no served network; when machines boot there, also behind a DHCP relay, name their network in pxe.networks"
	default:
		return true
	}
	s.metrics.answers.WithLabelValues("http", kind, "withheld").Inc()
	s.log.Info("boot script withheld", "mac", m.MAC.String(), "addr", from.String(), "reason", reason)
	if m.MAC == nil {
		http.Error(w, textMisfit, http.StatusForbidden)
		return false
	}
	body, err := render(m, plan)
	if err != nil {
		http.Error(w, textOutside, http.StatusForbidden)
		return false
	}
	writeScript(w, r, body)
	return false
}

func writeScript(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
