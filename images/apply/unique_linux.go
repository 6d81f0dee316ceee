package apply

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/uuid"
)

// Identity is what makes an applied image one particular machine.
type Identity struct {
	HostName string // empty leaves the image's name
}

const (
	sshPending = "etc/ssh/.bootyard-new-keys"
	sshUnit    = "etc/systemd/system/bootyard-ssh-keys.service"
)

// sshKeyUnit makes new host keys before any SSH server starts. The mark is
// removed last, so that a power cut in between repeats the work; an
// administrator who later removes a kind of key does not get it back.
const sshKeyUnit = `[Unit]
Description=Make new SSH host keys for this machine
ConditionPathExists=/` + sshPending + `
Before=ssh.service ssh.socket sshd.service sshd.socket

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A
ExecStartPost=/bin/rm -f /` + sshPending + `

[Install]
WantedBy=multi-user.target
`

// uniqueFiles are files by which the image remembers the machine it was made
// on: seeds, leases, network card names. Each is made anew by its owner.
var uniqueFiles = []string{
	"etc/ssh/ssh_host_*_key", "etc/ssh/ssh_host_*_key.pub", "etc/ssh/ssh_host_key", "etc/ssh/ssh_host_key.pub",
	"var/lib/systemd/random-seed", "var/lib/urandom/random-seed", "var/lib/random-seed", "boot/efi/loader/random-seed",
	"var/lib/systemd/credential.secret",
	"var/lib/dhcp/*.lease", "var/lib/dhcp/*.leases", "var/lib/dhclient/*.lease", "var/lib/dhclient/*.leases",
	"var/lib/dhcpcd/*.lease", "var/lib/dhcpcd/duid", "var/lib/dhcpcd/secret",
	"var/lib/NetworkManager/*.lease", "var/lib/NetworkManager/secret_key", "var/lib/NetworkManager/timestamps",
	"var/lib/NetworkManager/NetworkManager-intern.conf", "var/lib/NetworkManager/seen-bssids",
	"etc/udev/rules.d/70-persistent-net.rules", "etc/udev/rules.d/75-persistent-net-generator.rules",
	"etc/hostid",
}

// MakeUnique takes from an applied image what no two machines may share and
// gives it its own name: machine-id, SSH host keys, seeds, leases, persistent
// network names, host name (TS-118b). It is also how a running system is prepared
// for capture. Repeating it is safe.
func MakeUnique(ctx context.Context, dir string, id Identity) error {
	fail := func(err error) error { return fmt.Errorf("make the image unique: %w", err) }
	if id.HostName != "" {
		if err := checkHostName(id.HostName); err != nil {
			return fail(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	// First the mark and then the keys: a cut in between must not leave a system
	// without keys and without the order to make them.
	if err := renewSSHKeys(root); err != nil {
		return fail(err)
	}
	for _, pattern := range uniqueFiles {
		for _, name := range glob(root, pattern) {
			if err := remove(root, name); err != nil {
				return fail(err)
			}
		}
	}
	// Empty and not missing: systemd then fills it, also when /etc is mounted
	// read-only first (machine-id(5)).
	if err := writeFile(root, "etc/machine-id", nil, 0o444); err != nil {
		return fail(err)
	}
	if err := offerMachineID(root); err != nil {
		return fail(err)
	}
	if id.HostName != "" {
		if err := setHostName(root, id.HostName); err != nil {
			return fail(err)
		}
	}
	if err := syncVolume(dir); err != nil {
		return fail(err)
	}
	return nil
}

const busID = "var/lib/dbus/machine-id"

// offerMachineID leaves a new random id where systemd looks for one first when
// it fills the empty /etc/machine-id (machine-id(5), initialization). Without it
// a virtual machine gets the firmware's UUID, which is the same in machines that
// were copied, or defined without one. /etc/machine-id stays empty, so that the
// system still knows its first boot (systemd.unit(5), ConditionFirstBoot).
func offerMachineID(root *os.Root) error {
	if err := remove(root, busID); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(glob(root, "usr/lib/systemd/systemd")) == 0 && len(glob(root, "lib/systemd/systemd")) == 0 {
		return nil // D-Bus makes its own
	}
	id := uuid.New() // random, of version 4 as systemd's own
	return writeFile(root, busID, []byte(hex.EncodeToString(id[:])+"\n"), 0o444)
}

func renewSSHKeys(root *os.Root) error {
	if _, err := root.Stat("usr/bin/ssh-keygen"); err != nil {
		return nil // no SSH server in this image
	}
	if err := writeFile(root, sshUnit, []byte(sshKeyUnit), 0o644); err != nil {
		return err
	}
	const wants = "etc/systemd/system/multi-user.target.wants/bootyard-ssh-keys.service"
	if err := symlink(root, "/"+sshUnit, wants); err != nil {
		return err
	}
	return writeFile(root, sshPending, nil, 0o600)
}

func setHostName(root *os.Root, name string) error {
	if err := writeFile(root, "etc/hostname", []byte(name+"\n"), 0o644); err != nil {
		return err
	}
	// No file, or a link that leads out of the image: a new file takes its place.
	old, _ := readFile(root, "etc/hosts", 1<<20)
	return writeFile(root, "etc/hosts", []byte(hosts(string(old), name)), 0o644)
}

// hosts replaces Debian's line for the machine's own name and keeps the rest.
func hosts(old, name string) string {
	short, _, qualified := strings.Cut(name, ".")
	own := "127.0.1.1\t" + name
	if qualified {
		own += " " + short
	}
	var b strings.Builder
	local, done := false, false
	for line := range strings.Lines(old) {
		line = strings.TrimRight(line, "\r\n")
		fields := strings.Fields(line)
		if len(fields) > 0 && fields[0] == "127.0.1.1" {
			if done {
				continue
			}
			line, done = own, true
		}
		local = local || len(fields) > 1 && fields[0] == "127.0.0.1"
		b.WriteString(line + "\n")
	}
	head := ""
	if !local {
		head = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	}
	if !done {
		b.WriteString(own + "\n")
	}
	return head + b.String()
}

// checkHostName follows RFC 1123, 2.1, and the kernel's limit of 64 bytes.
func checkHostName(name string) error {
	bad := fmt.Errorf("host name %.80q is not valid: letters, digits and hyphens in parts of 1 to 63 characters separated by dots, 64 in all", name)
	if len(name) > 64 {
		return bad
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return bad
		}
		for _, c := range label {
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return bad
			}
		}
	}
	return nil
}
