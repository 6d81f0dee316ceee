package pxe

import (
	"context"
	"net/netip"
	"time"
)

// BootPolicy decides what a machine may boot.
type BootPolicy interface {
	// Decide is called at every stage of a boot: the DHCP stages (only Action, Reason and Rule are used there) and the
	// script stage, where Files, Args and Menu are needed as well. It is called again on every retry and must give the
	// same answer to the same question (PXE-16a). It is safe for concurrent use and obeys ctx, which has a deadline of
	// a few seconds. An error means that no decision could be made: firmware gets no answer and may ask again, a
	// loader shows a message and asks again. The error is logged but never shown to the machine.
	Decide(ctx context.Context, m Machine) (Decision, error)
}

// Action is what a machine is given.
type Action string

// Actions. The zero Action is Ignore.
const (
	// Ignore gives no boot file. In server mode the machine still gets an address, so that its firmware goes on to the
	// next boot device at once, unless Decision.Silent is set.
	Ignore          Action = ""
	BootEnvironment Action = "boot environment"
	Menu            Action = "menu"
	LocalDisk       Action = "local disk"
)

// Decision is the answer of a BootPolicy.
type Decision struct {
	BootID  string // id of the record of this boot, copied to the Journal
	Action  Action
	Silent  bool   // with Ignore: no DHCP answer of any kind, also no address (PXE-4)
	Reason  string // always: logged, recorded, and shown on the machine's screen
	Rule    string // id of the rule that decided, such as PXE-16
	Files   []BootFile
	Args    string // kernel command line, at the script stage only; carries secrets and is never logged
	Entries []MenuEntry
	Timeout time.Duration // Menu: how long to wait for a key before the local disk is booted (PXE-20); 0 means 10 s
}

// BootFile is the kernel (the first of Decision.Files) or an initrd.
type BootFile struct {
	Name string // shown, and the name under which the kernel finds its initrd: letters, digits, . _ -
	URL  string // absolute http URL, signed and expiring; must not need quoting
}

// MenuEntry is a line of the boot menu. The chosen ID comes back as Machine.Choice.
type MenuEntry struct {
	ID    string // letters, digits, . _ -
	Title string // any text; what the screen cannot show is replaced
}

// Journal is told of every answer given or withheld.
type Journal interface {
	// Record must not block and is safe for concurrent use.
	Record(ctx context.Context, e Event)
}

// Event is one answer, or the reason why there was none.
type Event struct {
	Time     time.Time
	Machine  Machine
	Protocol string // dhcp, proxydhcp, tftp, http
	Message  string // DHCP message answered: discover, request ...; HTTP: ipxe, grub, loader
	Answer   string // offer, ack, nak, file, script; "" when withheld
	BootID   string
	Action   Action
	File     string // boot file offered or sent
	Bytes    int64  // sent and, with TFTP, acknowledged
	Took     time.Duration
	Offered  netip.Addr // address given
	Reason   string
	Rule     string
}
