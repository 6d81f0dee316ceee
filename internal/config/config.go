package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"
)

// Config is bootyard.yaml. A working file has three lines: dhcp, its mode and
// its interfaces.
type Config struct {
	Site     Site     `yaml:"site"`
	DataDir  string   `yaml:"data_dir"` // default /var/lib/bootyard
	Database Database `yaml:"database"`
	HTTP     HTTP     `yaml:"http"`
	HTTPS    HTTPS    `yaml:"https"`
	Socket   string   `yaml:"socket"` // unix socket of the command line, default /run/bootyard/bootyard.sock
	DHCP     DHCP     `yaml:"dhcp"`
	TFTP     TFTP     `yaml:"tftp"`
	PXE      PXE      `yaml:"pxe"`
	Wake     Wake     `yaml:"wake"`
	Share    Share    `yaml:"share"`
}

// Share is the package share, from which content is run in place (DOP-13). It
// needs Samba, which the appliance starts as its own child.
type Share struct {
	Enabled bool   `yaml:"enabled"` // default false
	Listen  string `yaml:"listen"`  // [ADDRESS]:PORT, default :445
}

// Site names the site.
type Site struct {
	Code string `yaml:"code"` // three of A-Z 0-9, part of every id; default BYD
	Name string `yaml:"name"` // shown in consoles; default "bootyard"
}

// Database says where the data are.
type Database struct {
	URL string `yaml:"url"` // sqlite:FILE; default sqlite:<data_dir>/bootyard.db
}

// HTTP serves boot files and content by signed URLs, nothing else.
type HTTP struct {
	Listen string `yaml:"listen"` // default :80
	URL    string `yaml:"url"`    // as clients reach it; default http://<first address of the interface>
}

// HTTPS serves the API, policy and status with the appliance's own CA.
type HTTPS struct {
	Listen string `yaml:"listen"` // default :443
	URL    string `yaml:"url"`    // default https://<first address of the interface>
}

// DHCP modes.
const (
	DHCPOff    = "off"
	DHCPProxy  = "proxy"
	DHCPServer = "server"
)

// DHCP says how firmware is answered.
type DHCP struct {
	Mode       string        `yaml:"mode"`       // off, proxy or server; default off without interfaces, else proxy
	Interfaces []string      `yaml:"interfaces"` // only these are listened on
	Range      string        `yaml:"range"`      // server mode: FIRST-LAST; default the upper half of the subnet
	Router     string        `yaml:"router"`     // server mode: default gateway handed out; default none
	DNS        []string      `yaml:"dns"`        // server mode: name servers handed out; default none
	Lease      time.Duration `yaml:"lease"`      // server mode: lease time; default 12h
	Force      bool          `yaml:"force"`      // server mode: start although another DHCP server answers
}

// TFTP serves the first loader.
type TFTP struct {
	Listen string `yaml:"listen"` // default :69
}

// PXE holds the settings of PXE-1 to PXE-5.
type PXE struct {
	UnknownComputers *bool         `yaml:"unknown_computers"` // applied at every start when given; else 'bootyard settings' decides, at first false
	ResponseDelay    time.Duration `yaml:"response_delay"`    // default 0
	Exclude          []string      `yaml:"exclude"`           // MACs that never get an answer (PXE-4)
	Networks         []string      `yaml:"networks"`          // more networks whose machines are given boot scripts; default those of the interfaces
	MenuTimeout      time.Duration `yaml:"menu_timeout"`      // default 30s; then the local disk (PXE-20)
	KernelArgs       string        `yaml:"kernel_args"`       // added to the boot environment's command line; default none
	FinalBoot        string        `yaml:"final_boot"`        // disk or network: boot order after a deployment; applied at every start when given, at first disk
}

// Wake holds the tunables of WOL-8.
type Wake struct {
	Enabled    bool           `yaml:"enabled"`     // default true (WOL-2)
	Port       int            `yaml:"port"`        // UDP port, default 9 (WOL-3)
	Retries    int            `yaml:"retries"`     // packets per target, default 3
	Delay      time.Duration  `yaml:"delay"`       // between retries, default 1m
	PauseAfter int            `yaml:"pause_after"` // packets before a pause, default 10000
	Pause      time.Duration  `yaml:"pause"`       // default 10s
	Threads    int            `yaml:"threads"`     // default 3
	Offset     *time.Duration `yaml:"offset"`      // before the due time; applied at every start when given, at first 0
}

// Load reads, completes and checks a file.
func Load(name string) (*Config, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// Parse reads a configuration from memory, fills in the defaults and checks it.
func Parse(data []byte) (*Config, error) {
	c := &Config{Wake: Wake{Enabled: true}}
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	c.complete()
	return c, c.check()
}

func (c *Config) complete() {
	setDefault(&c.Site.Code, "BYD")
	setDefault(&c.Site.Name, "bootyard")
	setDefault(&c.DataDir, "/var/lib/bootyard")
	setDefault(&c.Database.URL, "sqlite:"+filepath.Join(c.DataDir, "bootyard.db"))
	setDefault(&c.HTTP.Listen, ":80")
	setDefault(&c.HTTPS.Listen, ":443")
	setDefault(&c.Socket, "/run/bootyard/bootyard.sock")
	if c.DHCP.Mode == "" {
		c.DHCP.Mode = DHCPOff
		if len(c.DHCP.Interfaces) > 0 {
			c.DHCP.Mode = DHCPProxy
		}
	}
	setDefault(&c.DHCP.Lease, 12*time.Hour)
	setDefault(&c.TFTP.Listen, tftpListen)
	setDefault(&c.PXE.MenuTimeout, 30*time.Second)
	setDefault(&c.Share.Listen, ":445")
	setDefault(&c.Wake.Port, 9)
	setDefault(&c.Wake.Retries, 3)
	setDefault(&c.Wake.Delay, time.Minute)
	setDefault(&c.Wake.PauseAfter, 10000)
	setDefault(&c.Wake.Pause, 10*time.Second)
	setDefault(&c.Wake.Threads, 3)
}

const (
	tftpListen       = ":69"
	maxResponseDelay = 30 * time.Second
	maxLease         = 365 * 24 * time.Hour // DHCP counts seconds in 32 bits
	maxRange         = 1 << 16              // as pxe bounds it
)

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

var kernelArgs = regexp.MustCompile(`^[A-Za-z0-9 ._/~%?=:+,@\[\]-]*$`)

var plainHost = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+$`)

var siteCode = regexp.MustCompile(`^[A-Z0-9]{3}$`)

func (c *Config) check() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if !siteCode.MatchString(c.Site.Code) {
		bad("site.code", "%q is not three characters of A-Z and 0-9", c.Site.Code)
	}
	if !filepath.IsAbs(c.DataDir) {
		bad("data_dir", "%q is not an absolute path", c.DataDir)
	}
	switch c.DHCP.Mode {
	case DHCPOff:
	case DHCPProxy, DHCPServer:
		if len(c.DHCP.Interfaces) == 0 {
			bad("dhcp.interfaces", "name at least one interface; bootyard listens on no other")
		}
	default:
		bad("dhcp.mode", "%q is not off, proxy or server", c.DHCP.Mode)
	}
	if c.DHCP.Range != "" {
		if _, _, err := c.DHCP.Addresses(); err != nil {
			bad("dhcp.range", "%v", err)
		}
	}
	if c.DHCP.Router != "" {
		checkAddr(bad, "dhcp.router", c.DHCP.Router)
	}
	for _, d := range c.DHCP.DNS {
		checkAddr(bad, "dhcp.dns", d)
	}
	if c.DHCP.Lease < 2*time.Minute || c.DHCP.Lease > maxLease {
		bad("dhcp.lease", "%s is not between 2m and 8760h", c.DHCP.Lease)
	}
	if c.TFTP.Listen != tftpListen {
		bad("tftp.listen", "%q: firmware asks port 69 and no other; leave the key out, dhcp.interfaces says where", c.TFTP.Listen)
	}
	if d := c.PXE.ResponseDelay; d < 0 || d > maxResponseDelay {
		bad("pxe.response_delay", "%s is not between 0s and %s: firmware gives up then", d, maxResponseDelay)
	}
	if d := c.PXE.MenuTimeout; d < 0 || d > time.Hour {
		bad("pxe.menu_timeout", "%s is not between 1s and 1h", d)
	}
	for _, m := range c.PXE.Exclude {
		if hw, err := net.ParseMAC(m); err != nil || len(hw) != 6 {
			bad("pxe.exclude", "%q is not a MAC like 01:23:45:67:89:ab", m)
		}
	}
	if _, err := c.PXE.Served(); err != nil {
		bad("pxe.networks", "%v", err)
	}
	if !kernelArgs.MatchString(c.PXE.KernelArgs) {
		bad("pxe.kernel_args", "%q holds something else than letters, digits, blanks and . _ - / ~ %% ? = : + , @ [ ]", c.PXE.KernelArgs)
	}
	if c.PXE.FinalBoot != "" && c.PXE.FinalBoot != "disk" && c.PXE.FinalBoot != "network" {
		bad("pxe.final_boot", "%q is not disk or network", c.PXE.FinalBoot)
	}
	for key, raw := range map[string]string{"http.url": c.HTTP.URL, "https.url": c.HTTPS.URL} {
		// It goes into boot scripts and kernel arguments as it is.
		scheme := key[:len(key)-len(".url")]
		if u, err := url.Parse(raw); raw != "" && (err != nil || raw != scheme+"://"+u.Host || !plainHost.MatchString(u.Host)) {
			bad(key, "is not of the form %s://host[:port]", scheme)
		}
	}
	if host, port, err := net.SplitHostPort(c.Share.Listen); err != nil || host != "" && net.ParseIP(host) == nil {
		bad("share.listen", "%q is not [ADDRESS]:PORT", c.Share.Listen)
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		bad("share.listen", "%q is not a TCP port", port)
	}
	if c.Wake.Port < 1 || c.Wake.Port > 65535 {
		bad("wake.port", "%d is not a UDP port", c.Wake.Port)
	}
	if c.Wake.Retries < 1 || c.Wake.Retries > 100 || c.Wake.Threads < 1 || c.Wake.Threads > 64 || c.Wake.PauseAfter < 1 {
		bad("wake", "retries must be 1 to 100, threads 1 to 64, pause_after at least 1")
	}
	if c.Wake.Delay < 0 || c.Wake.Pause < 0 || c.Wake.Offset != nil && *c.Wake.Offset < 0 {
		bad("wake", "delay, pause and offset must not be negative")
	}
	return errors.Join(errs...)
}

// Served are the networks of Networks.
func (p PXE) Served() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range p.Networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network like 10.20.0.0/16", text)
		}
		out = append(out, n.Masked())
	}
	return out, nil
}

func checkAddr(bad func(string, string, ...any), key, value string) {
	if a, err := netip.ParseAddr(value); err != nil || !a.Is4() {
		bad(key, "%q is not an IPv4 address", value)
	}
}

// distance is how far last is behind first, 0 when it is not.
func distance(first, last netip.Addr) uint32 {
	a, b := first.As4(), last.As4()
	from, to := binary.BigEndian.Uint32(a[:]), binary.BigEndian.Uint32(b[:])
	if to < from {
		return 0
	}
	return to - from
}

// Addresses splits Range. Both are zero when Range is empty.
func (d DHCP) Addresses() (first, last netip.Addr, err error) {
	if d.Range == "" {
		return first, last, nil
	}
	a, b, ok := bytes.Cut([]byte(d.Range), []byte("-"))
	if !ok {
		return first, last, fmt.Errorf("%q is not FIRST-LAST, e.g. 192.168.1.100-192.168.1.199", d.Range)
	}
	first, err1 := netip.ParseAddr(string(bytes.TrimSpace(a)))
	last, err2 := netip.ParseAddr(string(bytes.TrimSpace(b)))
	switch {
	case err1 != nil || err2 != nil || !first.Is4() || !last.Is4():
		return first, last, fmt.Errorf("%q holds something that is not an IPv4 address", d.Range)
	case distance(first, last) >= maxRange:
		return first, last, fmt.Errorf("%q has more than %d addresses", d.Range, maxRange)
	case last.Less(first):
		return first, last, fmt.Errorf("%q ends before it begins", d.Range)
	}
	return first, last, nil
}
