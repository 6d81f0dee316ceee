package apply

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Network are the network settings of an applied Linux system. Names and addresses were checked by the caller.
type Network struct {
	DNSDomain    string   // of the computer's full name
	SuffixSearch []string // of DNS names
	Adapters     []Adapter
}

// Adapter is one network card, found by its MAC address.
type Adapter struct {
	MAC        string // lower case with colons
	DHCP       bool
	Addresses  []netip.Prefix
	Gateways   []netip.Addr
	DNSServers []netip.Addr
	DNSDomain  string
}

// ErrNoNetworkManager says that an image has none of the programs that this package can give settings to.
var ErrNoNetworkManager = errors.New("the image has neither systemd-networkd nor NetworkManager, netplan or ifupdown")

// own is the beginning of the names of all files that SetNetwork writes.
const own = "bootyard"

// SetNetwork writes the adapters' settings for the program that manages the network of the image, in place of those it
// wrote before: netplan, NetworkManager, systemd-networkd or ifupdown, whichever starts with the system. Repeating it is
// safe.
func SetNetwork(ctx context.Context, dir string, n Network) (notes []string, err error) {
	fail := func(err error) ([]string, error) { return notes, fmt.Errorf("network settings: %w", err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if n.DNSDomain != "" {
		if err := qualify(root, n.DNSDomain, note); err != nil {
			return fail(err)
		}
	}
	if len(n.Adapters) > 0 {
		name, write := networkManager(root)
		if write == nil {
			return fail(ErrNoNetworkManager)
		}
		if err := write(root, n, note); err != nil {
			return fail(err)
		}
		note("Settings of %d network cards are written for %s", len(n.Adapters), name)
	}
	return notes, syncVolume(dir)
}

// qualify gives /etc/hosts the full name, which is where programs look for it.
func qualify(root *os.Root, domain string, note func(string, ...any)) error {
	name, err := readFile(root, "etc/hostname", 1<<10)
	if err != nil {
		return fmt.Errorf("the image has no host name yet: %w", err)
	}
	short, _, _ := strings.Cut(strings.TrimSpace(string(name)), ".")
	full := short + "." + domain
	if err := checkHostName(full); err != nil {
		return err
	}
	old, _ := readFile(root, "etc/hosts", 1<<20)
	note("Full name: %s", full)
	return writeFile(root, "etc/hosts", []byte(hosts(string(old), full)), 0o644)
}

type networkWriter func(*os.Root, Network, func(string, ...any)) error

// networkManager finds who manages the network: what starts with the system first, then what is there at all.
func networkManager(root *os.Root) (string, networkWriter) {
	started := func(unit string) bool {
		for _, target := range []string{"multi-user", "network-online", "sysinit", "basic"} {
			// Lstat: the links are absolute and lead out of the image as seen from here.
			if _, err := root.Lstat("etc/systemd/system/" + target + ".target.wants/" + unit); err == nil {
				return true
			}
		}
		return false
	}
	there := func(names ...string) bool {
		for _, n := range names {
			if exists(root, n) {
				return true
			}
		}
		return false
	}
	networkd := there("usr/lib/systemd/systemd-networkd", "lib/systemd/systemd-networkd")
	manager := there("usr/sbin/NetworkManager", "usr/bin/NetworkManager")
	switch {
	case there("usr/sbin/netplan", "usr/bin/netplan") && there("etc/netplan"):
		return "netplan", writeNetplan
	case manager && started("NetworkManager.service"):
		return "NetworkManager", writeNetworkManager
	case networkd && started("systemd-networkd.service"):
		return "systemd-networkd", writeNetworkd
	case there("usr/sbin/ifup", "sbin/ifup"):
		return "ifupdown", writeIfupdown
	case manager:
		return "NetworkManager", writeNetworkManager
	case networkd:
		return "systemd-networkd", func(root *os.Root, n Network, note func(string, ...any)) error {
			if err := symlink(root, "/usr/lib/systemd/system/systemd-networkd.service", "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"); err != nil {
				return err
			}
			note("systemd-networkd starts with the system from now on")
			return writeNetworkd(root, n, note)
		}
	}
	return "", nil
}

// writeNetworkd: the first file that matches a card counts, so ours sort before those of an image.
func writeNetworkd(root *os.Root, n Network, note func(string, ...any)) error {
	const dir = "etc/systemd/network"
	if err := removeAll(root, dir+"/05-"+own+"-*.network"); err != nil {
		return err
	}
	for i, a := range n.Adapters {
		var b strings.Builder
		fmt.Fprintf(&b, "[Match]\nMACAddress=%s\nKind=!*\n\n[Network]\n", a.MAC)
		if a.DHCP {
			b.WriteString("DHCP=yes\n")
		}
		each(&b, "Address=", a.Addresses)
		each(&b, "Gateway=", a.Gateways)
		each(&b, "DNS=", a.DNSServers)
		if domains := search(n, a); len(domains) > 0 {
			b.WriteString("Domains=" + strings.Join(domains, " ") + "\n")
		}
		if a.DHCP {
			b.WriteString("\n[DHCPv4]\nClientIdentifier=mac\n")
			if len(a.DNSServers) > 0 {
				b.WriteString("UseDNS=no\n")
			}
		}
		if err := writeFile(root, fmt.Sprintf("%s/05-%s-%d.network", dir, own, i), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return staticResolver(root, n, note)
}

// writeNetworkManager: one connection for each card, found by its address. NetworkManager takes only files that nobody
// else can read.
func writeNetworkManager(root *os.Root, n Network, _ func(string, ...any)) error {
	const dir = "etc/NetworkManager/system-connections"
	if err := removeAll(root, dir+"/"+own+"-*.nmconnection"); err != nil {
		return err
	}
	for i, a := range n.Adapters {
		id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(own+" "+a.MAC))
		var b strings.Builder
		fmt.Fprintf(&b, "[connection]\nid=%s-%d\nuuid=%s\ntype=ethernet\nautoconnect-priority=100\n\n[ethernet]\nmac-address=%s\n", own, i, id, strings.ToUpper(a.MAC))
		for _, family := range []struct {
			name string
			is4  bool
		}{{"ipv4", true}, {"ipv6", false}} {
			b.WriteString("\n[" + family.name + "]\n")
			count := 0
			for _, p := range a.Addresses {
				if p.Addr().Is4() == family.is4 {
					count++
					fmt.Fprintf(&b, "address%d=%s\n", count, p)
				}
			}
			for _, g := range a.Gateways {
				if g.Is4() == family.is4 {
					b.WriteString("gateway=" + g.String() + "\n")
					break // it knows one; more would need routes of their own
				}
			}
			var dns []string
			for _, s := range a.DNSServers {
				if s.Is4() == family.is4 {
					dns = append(dns, s.String())
				}
			}
			if len(dns) > 0 {
				b.WriteString("dns=" + strings.Join(dns, ";") + ";\n")
			}
			if domains := search(n, a); len(domains) > 0 {
				b.WriteString("dns-search=" + strings.Join(domains, ";") + ";\n")
			}
			switch {
			case count > 0:
				b.WriteString("method=manual\n")
			case a.DHCP || !family.is4:
				b.WriteString("method=auto\n")
			default:
				b.WriteString("method=disabled\n")
			}
		}
		if err := writeFile(root, fmt.Sprintf("%s/%s-%d.nmconnection", dir, own, i), []byte(b.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeIfupdown: it knows cards by name only, so udev gives them one by their address.
func writeIfupdown(root *os.Root, n Network, note func(string, ...any)) error {
	if err := removeAll(root, "etc/systemd/network/05-"+own+"-*.link"); err != nil {
		return err
	}
	var b strings.Builder
	for i, a := range n.Adapters {
		name := "lan" + strconv.Itoa(i)
		link := fmt.Sprintf("[Match]\nMACAddress=%s\nType=ether\n\n[Link]\nName=%s\n", a.MAC, name)
		if err := writeFile(root, fmt.Sprintf("etc/systemd/network/05-%s-%d.link", own, i), []byte(link), 0o644); err != nil {
			return err
		}
		b.WriteString("auto " + name + "\n")
		if a.DHCP {
			b.WriteString("iface " + name + " inet dhcp\n")
		}
		for _, p := range a.Addresses {
			family := "inet"
			if p.Addr().Is6() {
				family = "inet6"
			}
			fmt.Fprintf(&b, "iface %s %s static\n\taddress %s\n", name, family, p)
			for j, g := range a.Gateways {
				if g.Is4() == p.Addr().Is4() {
					b.WriteString("\tgateway " + g.String() + "\n")
					a.Gateways = append(append([]netip.Addr(nil), a.Gateways[:j]...), a.Gateways[j+1:]...) // once for a family
					break
				}
			}
			if len(a.DNSServers) > 0 {
				b.WriteString("\tdns-nameservers " + joined(a.DNSServers) + "\n")
			}
			if domains := search(n, a); len(domains) > 0 {
				b.WriteString("\tdns-search " + strings.Join(domains, " ") + "\n")
			}
		}
		b.WriteString("\n")
	}
	if err := writeFile(root, "etc/network/interfaces.d/"+own, []byte(b.String()), 0o644); err != nil {
		return err
	}
	// The cards have other names now; what the image said of the old ones would only make its start wait.
	main := "auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n"
	if err := writeFile(root, "etc/network/interfaces", []byte(main), 0o644); err != nil {
		return err
	}
	return staticResolver(root, n, note)
}

// writeNetplan: files are merged, so the image's own, which may speak of the same card, make room.
func writeNetplan(root *os.Root, n Network, note func(string, ...any)) error {
	const dir, file = "etc/netplan", "etc/netplan/90-" + own + ".yaml"
	for _, name := range glob(root, dir+"/*.yaml") {
		if name == file {
			continue
		}
		if err := root.Rename(name, name+".before-"+own); err != nil {
			return err
		}
		note("%s is put aside", name)
	}
	var b strings.Builder
	b.WriteString("network:\n  version: 2\n  ethernets:\n")
	for i, a := range n.Adapters {
		fmt.Fprintf(&b, "    %s%d:\n      match:\n        macaddress: %q\n      dhcp4: %t\n", own, i, a.MAC, a.DHCP)
		if len(a.Addresses) > 0 {
			b.WriteString("      addresses:\n")
			each(&b, "        - ", a.Addresses)
		}
		if len(a.Gateways) > 0 {
			b.WriteString("      routes:\n")
			for _, g := range a.Gateways {
				fmt.Fprintf(&b, "        - to: default\n          via: %q\n", g)
			}
		}
		domains := search(n, a)
		if len(a.DNSServers)+len(domains) > 0 {
			b.WriteString("      nameservers:\n")
			if len(a.DNSServers) > 0 {
				b.WriteString("        addresses:\n")
				for _, s := range a.DNSServers {
					fmt.Fprintf(&b, "          - %q\n", s)
				}
			}
			if len(domains) > 0 {
				b.WriteString("        search: [" + strings.Join(domains, ", ") + "]\n")
			}
		}
	}
	return writeFile(root, file, []byte(b.String()), 0o600)
}

// staticResolver writes /etc/resolv.conf where nothing in the image would: fixed servers, and neither systemd-resolved
// nor resolvconf.
func staticResolver(root *os.Root, n Network, note func(string, ...any)) error {
	for _, name := range []string{"usr/lib/systemd/systemd-resolved", "lib/systemd/systemd-resolved", "usr/sbin/resolvconf", "sbin/resolvconf"} {
		if exists(root, name) {
			return nil
		}
	}
	var b strings.Builder
	var domains []string
	for _, a := range n.Adapters {
		each(&b, "nameserver ", a.DNSServers)
		domains = append(domains, search(n, a)...)
	}
	if b.Len() == 0 {
		return nil
	}
	if len(domains) > 0 {
		b.WriteString("search " + strings.Join(domains, " ") + "\n")
	}
	note("The image has no resolver of its own: the DNS servers are in /etc/resolv.conf")
	return writeFile(root, path.Join("etc", "resolv.conf"), []byte(b.String()), 0o644)
}

// search are the domains in which names without a dot are looked up on this adapter, each once.
func search(n Network, a Adapter) (out []string) {
	seen := map[string]bool{"": true}
	for _, d := range append([]string{a.DNSDomain, n.DNSDomain}, n.SuffixSearch...) {
		if !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	return out
}

func each[T fmt.Stringer](b *strings.Builder, before string, list []T) {
	for _, x := range list {
		b.WriteString(before + x.String() + "\n")
	}
}

func joined[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = x.String()
	}
	return strings.Join(texts, " ")
}
