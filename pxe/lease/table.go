package lease

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Errors that callers may react to.
var (
	// ErrExhausted means that every address of the range is given out, held or known to be used by somebody else.
	ErrExhausted = errors.New("no free address in the range: make dhcp.range larger or dhcp.lease shorter")
	// ErrTaken means that the address belongs to another machine or is outside the range.
	ErrTaken = errors.New("address is not available to this machine")
)

const (
	// HoldOffer is how long an offered address is kept for the client that has not asked for it yet.
	HoldOffer = 30 * time.Second
	// HoldConflict is how long an address stays out of use after somebody else was seen to have it.
	HoldConflict = 10 * time.Minute
)

// Range is a run of IPv4 addresses, both ends included. The zero Range is empty.
type Range struct{ First, Last netip.Addr }

// Valid tells whether both ends are IPv4 and in order.
func (r Range) Valid() bool {
	return r.First.Is4() && r.Last.Is4() && r.First.Compare(r.Last) <= 0
}

// Contains tells whether a lies in the range.
func (r Range) Contains(a netip.Addr) bool {
	return r.Valid() && a.Is4() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

// Size is the number of addresses in the range.
func (r Range) Size() int {
	if !r.Valid() {
		return 0
	}
	return int(toUint(r.Last)-toUint(r.First)) + 1
}

func (r Range) at(i int) netip.Addr {
	v := toUint(r.First) + uint32(i)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func toUint(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// Lease is one address and the machine it belongs to.
type Lease struct {
	MAC     string     `json:"mac"` // lower case with colons; empty for an address that a stranger uses
	Addr    netip.Addr `json:"addr"`
	Expires time.Time  `json:"expires"`
}

type entry struct {
	Lease
	held time.Time // an offer not yet taken, or a conflict, keeps the address out of use until then
}

func (e *entry) busy(now time.Time) bool { return e.Expires.After(now) || e.held.After(now) }

// Table is the set of leases. All methods are safe for concurrent use.
type Table struct {
	mu     sync.Mutex
	now    func() time.Time
	byAddr map[netip.Addr]*entry
	byMAC  map[string][]netip.Addr
	log    *log
}

// NewTable makes a table that lives in memory only; now is the clock, nil means time.Now.
func NewTable(now func() time.Time) *Table {
	if now == nil {
		now = time.Now
	}
	return &Table{now: now, byAddr: map[netip.Addr]*entry{}, byMAC: map[string][]netip.Addr{}}
}

// Offer chooses the address for mac in r and holds it for HoldOffer. The address that mac had before is kept, else want
// when it is free, else one that nobody had, else the one that expired longest ago. fresh tells that mac did not hold a
// running lease of it, so the caller may want to look whether a stranger uses it. It fails with ErrExhausted.
func (t *Table) Offer(mac net.HardwareAddr, r Range, want netip.Addr) (addr netip.Addr, fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, key := t.now(), mac.String()
	if e := t.own(key, r, now); e != nil {
		fresh = !e.busy(now)
		e.held = now.Add(HoldOffer)
		return e.Addr, fresh, nil
	}
	addr, ok := t.free(key, r, want, now)
	if !ok {
		return netip.Addr{}, false, fmt.Errorf("offer to %s from %s-%s: %w", key, r.First, r.Last, ErrExhausted)
	}
	e := t.bind(key, addr)
	e.held = now.Add(HoldOffer)
	return addr, true, nil
}

// own finds the binding of key inside r.
func (t *Table) own(key string, r Range, now time.Time) *entry {
	for _, a := range t.byMAC[key] {
		if e := t.byAddr[a]; e != nil && e.MAC == key && r.Contains(a) {
			return e
		}
	}
	return nil
}

// free looks for an address that may be given to key.
func (t *Table) free(key string, r Range, want netip.Addr, now time.Time) (netip.Addr, bool) {
	if r.Contains(want) {
		if e := t.byAddr[want]; e == nil || !e.busy(now) {
			return want, true
		}
	}
	// Start at a place that depends on the machine, so that a machine whose lease file was lost tends to get the
	// same address again and two machines do not race for the first free one.
	size := r.Size()
	if size == 0 {
		return netip.Addr{}, false
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	start := int(h.Sum32() % uint32(size))
	var oldest *entry
	for i := range size {
		a := r.at((start + i) % size)
		e := t.byAddr[a]
		if e == nil {
			return a, true
		}
		if !e.busy(now) && (oldest == nil || e.Expires.Before(oldest.Expires)) {
			oldest = e
		}
	}
	if oldest == nil {
		return netip.Addr{}, false
	}
	return oldest.Addr, true
}

// bind makes addr belong to key, taking it from whoever had it.
func (t *Table) bind(key string, addr netip.Addr) *entry {
	e := t.byAddr[addr]
	if e == nil {
		e = &entry{Lease: Lease{Addr: addr}}
		t.byAddr[addr] = e
	}
	if e.MAC != key {
		t.unlink(e)
		e.MAC, e.Expires = key, time.Time{}
		if key != "" {
			t.byMAC[key] = append(t.byMAC[key], addr)
		}
	}
	return e
}

func (t *Table) unlink(e *entry) {
	if e.MAC == "" {
		return
	}
	left := slices.DeleteFunc(t.byMAC[e.MAC], func(a netip.Addr) bool { return a == e.Addr })
	if len(left) == 0 {
		delete(t.byMAC, e.MAC)
	} else {
		t.byMAC[e.MAC] = left
	}
}

// Commit makes addr the lease of mac for d and returns when that is on disk. It fails with ErrTaken when the address
// is outside r or belongs to another machine. An address that nobody has may be committed without an offer: a client
// that comes back after the lease file was lost keeps its address.
func (t *Table) Commit(mac net.HardwareAddr, r Range, addr netip.Addr, d time.Duration) error {
	t.mu.Lock()
	now, key := t.now(), mac.String()
	if !r.Contains(addr) {
		t.mu.Unlock()
		return fmt.Errorf("commit %s to %s: %w", addr, key, ErrTaken)
	}
	if e := t.byAddr[addr]; e != nil && e.MAC != key && e.busy(now) {
		t.mu.Unlock()
		return fmt.Errorf("commit %s to %s: %w", addr, key, ErrTaken)
	}
	e := t.bind(key, addr)
	e.held = time.Time{}
	e.Expires = now.Add(d)
	l := e.Lease
	t.mu.Unlock()
	return t.save(l)
}

// Release ends the lease of mac on addr. The binding is remembered, so the machine gets the same address again.
func (t *Table) Release(mac net.HardwareAddr, addr netip.Addr) error {
	t.mu.Lock()
	e := t.byAddr[addr]
	if e == nil || e.MAC != mac.String() {
		t.mu.Unlock()
		return fmt.Errorf("release %s by %s: %w", addr, mac, ErrTaken)
	}
	e.Expires, e.held = t.now(), time.Time{}
	l := e.Lease
	t.mu.Unlock()
	return t.save(l)
}

// Withdraw drops the offer that mac did not take because it chose another server.
func (t *Table) Withdraw(mac net.HardwareAddr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.byMAC[mac.String()] {
		if e := t.byAddr[a]; e != nil {
			e.held = time.Time{}
		}
	}
}

// Conflict takes addr out of use for HoldConflict, because a stranger answered for it or the client mac declined it.
// Only the machine that the address is bound to can decline it; nil means that we saw the stranger ourselves.
func (t *Table) Conflict(mac net.HardwareAddr, addr netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byAddr[addr]
	if mac != nil && (e == nil || e.MAC != mac.String()) {
		return false
	}
	e = t.bind("", addr)
	e.held = t.now().Add(HoldConflict)
	return true
}

// MACFor tells which machine has addr now, by lease or by an offer that is still held.
func (t *Table) MACFor(addr netip.Addr) (net.HardwareAddr, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byAddr[addr.Unmap()]
	if e == nil || e.MAC == "" || !e.busy(t.now()) {
		return nil, false
	}
	mac, err := net.ParseMAC(e.MAC)
	return mac, err == nil
}

// AddrsOf lists the addresses that a machine has a running lease of: none while it has only an offer, several when it moved
// between subnets.
func (t *Table) AddrsOf(mac net.HardwareAddr) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []netip.Addr
	for _, a := range t.byMAC[mac.String()] {
		if e := t.byAddr[a]; e != nil && e.Expires.After(t.now()) {
			out = append(out, a)
		}
	}
	return out
}

// Leases lists the running leases in the order of their addresses.
func (t *Table) Leases() []Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var out []Lease
	for _, e := range t.byAddr {
		if e.MAC != "" && e.Expires.After(now) {
			out = append(out, e.Lease)
		}
	}
	slices.SortFunc(out, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
	return out
}
