package pxe

import (
	"cmp"
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
// GRUB only a MAC. It is a hint for records and for the policy; it proves nothing.
type recent struct {
	mu     sync.Mutex
	now    func() time.Time
	byMAC  map[string]sighting
	byAddr map[netip.Addr]string
}

type sighting struct {
	m    Machine
	addr netip.Addr // the last one it told
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
	old, ok := r.byMAC[key]
	if ok && now.Sub(old.when) < recentAge {
		m.UUID = cmp.Or(m.UUID, old.m.UUID)
	}
	addr := old.addr
	if m.Address.IsValid() {
		if addr != m.Address && r.byAddr[addr] == key {
			delete(r.byAddr, addr) // one address for each machine
		}
		addr = m.Address
		r.byAddr[addr] = key
	}
	r.byMAC[key] = sighting{m: m, addr: addr, when: now}
}

// purge makes room: it forgets what is old, and when a flood of invented machines has filled the table, the older half of
// it and so on. What came last stays: a machine that boots now asks for its script within the minute.
func (r *recent) purge(now time.Time) {
	for age := recentAge; ; age /= 2 {
		for k, s := range r.byMAC {
			if now.Sub(s.when) >= age {
				delete(r.byMAC, k)
			}
		}
		for a, k := range r.byAddr {
			if _, ok := r.byMAC[k]; !ok {
				delete(r.byAddr, a)
			}
		}
		if len(r.byMAC) < recentMax && len(r.byAddr) < recentMax || age == 0 {
			return
		}
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
