package inventory

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/fact"
)

// Options say where to gather. The zero value is this machine's files, without addresses.
type Options struct {
	// Root is put before every path that is read.
	Root string
	// Arch is the machine's in Go's words: amd64, arm64, 386 or arm.
	Arch string
	// Environment is winpe or fullos.
	Environment string
	// HostName is empty when the machine has none yet.
	HostName string
	// SMBIOS is the table of structures; nil is the file that Linux has.
	SMBIOS []byte
	// Addresses are the addresses with prefix of a network card, by its name; nil gives none.
	Addresses func(card string) []netip.Prefix
}

// gatherer reads one machine.
type gatherer struct {
	Options
	sheet  *fact.Sheet
	smbios []structure
}

// Gather makes the fact sheet of a machine. Classes the machine has nothing of, such as a battery, are listed as empty.
func Gather(o Options) *fact.Sheet {
	g := &gatherer{Options: o, sheet: &fact.Sheet{Environment: o.Environment}}
	if o.SMBIOS == nil {
		o.SMBIOS = []byte(g.read("/sys/firmware/dmi/tables/DMI"))
	}
	g.smbios = parseSMBIOS(o.SMBIOS)
	g.board()
	g.processors()
	g.system()
	g.network()
	g.disks()
	g.battery()
	g.tpm()
	g.devices()
	return g.sheet
}

// board is what the firmware tells.
func (g *gatherer) board() {
	g.computer()
	g.firmware()
	g.enclosure()
	g.memory()
}

// maxFile bounds what is read from one file. SMBIOS tables and /proc/cpuinfo of large servers have some hundred KiB.
const maxFile = 4 << 20

func (g *gatherer) path(name string) string { return filepath.Join("/", g.Root, name) }

func (g *gatherer) read(name string) string {
	f, err := os.Open(g.path(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, maxFile))
	return string(data)
}

// text is a file of one line.
func (g *gatherer) text(name string) string { return clean(g.read(name)) }

// number is a file of one number; ok is false when there is none.
func (g *gatherer) number(name string) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(g.read(name)), 0, 64)
	return n, err == nil
}

func (g *gatherer) exists(name string) bool {
	_, err := os.Stat(g.path(name))
	return err == nil
}

// maxEntries bounds folders of devices.
const maxEntries = 512

// names lists a folder in the order of names.
func (g *gatherer) names(folder string) []string {
	entries, _ := os.ReadDir(g.path(folder))
	names := make([]string, 0, len(entries))
	for _, e := range entries[:min(len(entries), maxEntries)] {
		names = append(names, e.Name())
	}
	return names
}

// link is the last part of what a symbolic link points to.
func (g *gatherer) link(name string) string {
	target, err := os.Readlink(g.path(name))
	if err != nil {
		return ""
	}
	return filepath.Base(target)
}

// resolve is where a name leads when all symbolic links are followed.
func (g *gatherer) resolve(name string) string {
	target, _ := filepath.EvalSymlinks(g.path(name))
	return filepath.ToSlash(target)
}

// first is the first structure of a kind.
func (g *gatherer) first(kind byte) structure {
	for _, s := range g.smbios {
		if s.kind == kind {
			return s
		}
	}
	return structure{}
}

// dmi is a fact of SMBIOS: from the table, else from the kernel's copy, which exists where the table may not be read.
func (g *gatherer) dmi(kind byte, offset int, file string) string {
	if t := g.first(kind).text(offset); t != "" {
		return t
	}
	if file == "" {
		return ""
	}
	return g.text("/sys/class/dmi/id/" + file)
}

// instance collects properties and leaves out what is not known.
type instance struct{ fact.Instance }

func (i *instance) text(name, value string) {
	if value != "" {
		i.Set(name, value)
	}
}

func (i *instance) number(name string, value int64, known bool) {
	if known {
		i.Set(name, value)
	}
}

func (i *instance) positive(name string, value int64) { i.number(name, value, value > 0) }

func (i *instance) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	list := make([]any, len(values))
	for n, v := range values {
		list[n] = v
	}
	i.Set(name, list)
}

func (g *gatherer) add(class string, instances ...instance) { g.addTo("", class, instances...) }

func (g *gatherer) addTo(namespace, class string, instances ...instance) {
	g.sheet.Add(namespace, class)
	for _, i := range instances {
		g.sheet.Add(namespace, class, i.Instance)
	}
}
