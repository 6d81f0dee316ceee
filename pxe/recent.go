package pxe

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// recentMax bounds the memory that invented machines can take: about 1 MB.
	recentMax = 4096
	// recentAge is longer than any machine takes from its first DISCOVER to its script.
	recentAge = 15 * time.Minute
)

// recent remembers what machines told of themselves in DHCP, for the stages that know less: TFTP has only an address,
// GRUB only a MAC. It is a hint for records and for the policy, never a proof.
type recent struct {
	mu     sync.Mutex
	now    func() time.Time
	byMAC  map[string]sighting
	byAddr map[netip.Addr]string
}

type sighting struct {
	m    Machine
	when time.Time
}

func newRecent(now func() time.Time) *recent {
	return &recent{now: now, byMAC: map[string]sighting{}, byAddr: map[netip.Addr]string{}}
}

// seen keeps m. A later packet of the same machine that tells less does not erase its UUID.
func (r *recent) seen(m Machine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, key := r.now(), string(m.MAC)
	if len(r.byMAC) >= recentMax || len(r.byAddr) >= recentMax {
		r.purge(now)
	}
	if old, ok := r.byMAC[key]; ok && m.UUID == "" && now.Sub(old.when) < recentAge {
		m.UUID = old.m.UUID
	}
	r.byMAC[key] = sighting{m, now}
	if m.Address.IsValid() {
		r.byAddr[m.Address] = key
	}
}

// purge forgets what is old, and everything when that does not help: the table is a convenience.
func (r *recent) purge(now time.Time) {
	for k, s := range r.byMAC {
		if now.Sub(s.when) > recentAge {
			delete(r.byMAC, k)
		}
	}
	for a, k := range r.byAddr {
		if _, ok := r.byMAC[k]; !ok {
			delete(r.byAddr, a)
		}
	}
	if len(r.byMAC) >= recentMax || len(r.byAddr) >= recentMax {
		clear(r.byMAC)
		clear(r.byAddr)
	}
}

func (r *recent) machine(mac net.HardwareAddr) (Machine, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.byMAC[string(mac)]
	if !ok || r.now().Sub(s.when) > recentAge {
		return Machine{}, false
	}
	return s.m, true
}

func (r *recent) macAt(a netip.Addr) (net.HardwareAddr, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, ok := r.byAddr[a]
	return net.HardwareAddr(key), ok
}
