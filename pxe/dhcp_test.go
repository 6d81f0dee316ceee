package pxe_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
	"github.com/bootyard/bootyard/pxe/lease"
)

var update = flag.Bool("update", false, "write the golden files anew")

type policyFunc func(pxe.Machine) (pxe.Decision, error)

func (f policyFunc) Decide(_ context.Context, m pxe.Machine) (pxe.Decision, error) { return f(m) }

func always(a pxe.Action) policyFunc {
	return func(pxe.Machine) (pxe.Decision, error) {
		return pxe.Decision{Action: a, Reason: "why", Rule: "PXE-16"}, nil
	}
}

var loaders = mapLoaders{"undionly.kpxe": []byte("u"), "snponly.efi": []byte("s"), "grub-x64-10.0.0.1-80.efi": []byte("g")}

func newServer(t *testing.T, mode pxe.Mode, p pxe.BootPolicy, change ...func(*pxe.Config)) *pxe.Server {
	cfg := pxe.Config{Mode: mode, Interfaces: []string{"eth0"}, Policy: p, Loaders: loaders, Leases: lease.NewTable(nil)}
	r := func(p string) lease.Range {
		return lease.Range{First: netip.MustParseAddr(p + ".100"), Last: netip.MustParseAddr(p + ".103")}
	}
	cfg.Pools = []pxe.Pool{
		{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Range: r("10.0.0"), Router: netip.MustParseAddr("10.0.0.254"),
			DNS: []netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("fd00::53")}},
		{Prefix: netip.MustParsePrefix("10.8.0.0/24"), Range: r("10.8.0"), Router: netip.MustParseAddr("10.8.0.1")}}
	for _, c := range change {
		c(&cfg)
	}
	s, err := pxe.NewServer(cfg)
	require.NoError(t, err)
	return s
}

var (
	clientMAC = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}
	anyAddr   = netip.MustParseAddrPort("0.0.0.0:68")
	rawUUID   = append([]byte{0}, unhex("33221100554477668899aabbccddeeff")...)
)

func unhex(s string) []byte { b, _ := hex.DecodeString(s); return b }

func opt(code uint8, v []byte) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(code), v))
}

func pxeClient(arch uint16, class string) dhcpv4.Modifier {
	return func(d *dhcpv4.DHCPv4) {
		opt(93, []byte{byte(arch >> 8), byte(arch)})(d)
		opt(97, rawUUID)(d)
		opt(60, []byte(fmt.Sprintf("%s:Arch:%05d:UNDI:003000", class, arch)))(d)
	}
}

func ipxe(d *dhcpv4.DHCPv4) { opt(77, []byte("iPXE"))(d) }

func message(t testing.TB, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	d, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(clientMAC), dhcpv4.WithMessageType(kind),
		dhcpv4.WithTransactionID(dhcpv4.TransactionID{1, 2, 3, 4})}, mods...)...)
	require.NoError(t, err)
	return d
}

func discover(t testing.TB, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	return message(t, dhcpv4.MessageTypeDiscover, mods...)
}

func answer(t *testing.T, s *pxe.Server, d *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, *pxe.Answer, pxe.Event) {
	a, e := s.RespondForTest(t.Context(), d.ToBytes(), anyAddr, false)
	if a == nil {
		return nil, nil, e
	}
	r, err := dhcpv4.FromBytes(a.Data)
	require.NoError(t, err)
	return r, a, e
}

// TestGoldenReplies pins every byte of the replies to the clients that we know (netboot-facts sections 1 to 3).
func TestGoldenReplies(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode pxe.Mode
		mods []dhcpv4.Modifier
	}{
		{"server-bios-rom", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(0, "PXEClient")}},
		{"server-bios-ipxe", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(0, "PXEClient"), ipxe}},
		{"server-uefi-pxe", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(7, "PXEClient"), dhcpv4.WithBroadcast(true)}},
		{"server-uefi-pxe-old", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(9, "PXEClient")}},
		{"server-uefi-ipxe", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(7, "PXEClient"), ipxe}},
		{"server-uefi-http", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(16, "HTTPClient")}},
		{"server-plain", pxe.ModeServer, []dhcpv4.Modifier{opt(61, []byte{1, 2, 3})}},
		{"server-relay", pxe.ModeServer, []dhcpv4.Modifier{pxeClient(7, "PXEClient"), dhcpv4.WithGatewayIP(net.IP{10, 8, 0, 1}), opt(82, []byte{1, 4, 'e', 't', 'h', '9'})}},
		{"proxy-bios-rom", pxe.ModeProxy, []dhcpv4.Modifier{pxeClient(0, "PXEClient")}},
		{"proxy-bios-ipxe", pxe.ModeProxy, []dhcpv4.Modifier{pxeClient(0, "PXEClient"), ipxe}},
		{"proxy-uefi-pxe", pxe.ModeProxy, []dhcpv4.Modifier{pxeClient(7, "PXEClient"), dhcpv4.WithBroadcast(true)}},
		{"proxy-uefi-http", pxe.ModeProxy, []dhcpv4.Modifier{pxeClient(16, "HTTPClient"), dhcpv4.WithBroadcast(true)}},
		{"proxy-relay", pxe.ModeProxy, []dhcpv4.Modifier{pxeClient(0, "PXEClient"), dhcpv4.WithGatewayIP(net.IP{10, 8, 0, 1}), opt(82, []byte{1, 2, 'x', 'y'})}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, a, e := answer(t, newServer(t, tt.mode, always(pxe.BootEnvironment)), discover(t, tt.mods...))
			require.NotNil(t, a, e.Reason)
			r, err := dhcpv4.FromBytes(a.Data)
			require.NoError(t, err)
			got := fmt.Sprintf("%s to %s %s\nfile %q siaddr %s flags %x\n%s%s", a.How, a.To, a.MAC, r.BootFileName, r.ServerIPAddr, r.Flags, r.Summary(), hex.Dump(a.Data[240:]))
			file := filepath.Join("testdata", "reply", tt.name+".txt")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestMachineFacts(t *testing.T) {
	var got pxe.Machine
	s := newServer(t, pxe.ModeServer, policyFunc(func(m pxe.Machine) (pxe.Decision, error) { got = m; return pxe.Decision{}, nil }))
	answer(t, s, discover(t, pxeClient(16, "HTTPClient"), opt(93, []byte{0xab, 0xcd, 0, 16})))
	require.Equal(t, "00112233-4455-6677-8899-aabbccddeeff", got.UUID)
	require.Equal(t, pxe.ArchX64HTTP, got.Arch, "the first known of the list counts")
	require.Equal(t, pxe.UEFI, got.Firmware)
	require.Equal(t, pxe.LoaderHTTP, got.Loader)
	require.Equal(t, pxe.StageDiscover, got.Stage)
	answer(t, s, discover(t, pxeClient(0, "PXEClient"), opt(97, make([]byte, 17)), opt(77, []byte{4, 'i', 'P', 'X', 'E'})))
	require.Empty(t, got.UUID, "all zero is no identity")
	require.Equal(t, pxe.LoaderIPXE, got.Loader, "user class as a list, RFC 3004")
}

func TestWithheldHasReason(t *testing.T) {
	boot := pxeClient(7, "PXEClient")
	for name, tt := range map[string]struct {
		mode   pxe.Mode
		policy policyFunc
		msg    *dhcpv4.DHCPv4
		reason string
	}{
		"policy fails":       {pxe.ModeServer, func(pxe.Machine) (pxe.Decision, error) { return pxe.Decision{}, errors.New("locked") }, discover(t, boot), "no decision: locked"},
		"silent":             {pxe.ModeServer, func(pxe.Machine) (pxe.Decision, error) { return pxe.Decision{Silent: true, Reason: "excluded"}, nil }, discover(t, boot), "excluded"},
		"ignored by proxy":   {pxe.ModeProxy, always(pxe.Ignore), discover(t, boot), "why"},
		"no loader":          {pxe.ModeProxy, always(pxe.BootEnvironment), discover(t, pxeClient(11, "PXEClient")), "no grub-arm64-10.0.0.1-80.efi for arm64 UEFI"},
		"unknown arch":       {pxe.ModeProxy, always(pxe.BootEnvironment), discover(t, opt(60, []byte("PXEClient")), opt(93, []byte{0x77, 0x77})), "architecture is unknown"},
		"relay of nowhere":   {pxe.ModeServer, always(pxe.BootEnvironment), discover(t, boot, dhcpv4.WithGatewayIP(net.IP{10, 9, 0, 1})), "add a range for it"},
		"multicast hardware": {pxe.ModeServer, always(pxe.BootEnvironment), discover(t, boot, dhcpv4.WithHwAddr(net.HardwareAddr{1, 0, 0, 0, 0, 1})), "not an Ethernet address"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _, e := answer(t, newServer(t, tt.mode, tt.policy), tt.msg)
			require.Nil(t, r)
			require.Contains(t, e.Reason, tt.reason)
			require.Empty(t, e.Answer)
			require.NotEmpty(t, e.Protocol, "worth a record")
		})
	}
}

func TestIgnoredMachineGetsAddressOnly(t *testing.T) {
	r, _, e := answer(t, newServer(t, pxe.ModeServer, always(pxe.Ignore)), discover(t, pxeClient(7, "PXEClient")))
	require.NotNil(t, r)
	require.Empty(t, r.BootFileName)
	require.Empty(t, r.BootFileNameOption())
	require.Equal(t, "why", e.Reason)
}

func TestRequest(t *testing.T) {
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment))
	offer, _, _ := answer(t, s, discover(t, pxeClient(7, "PXEClient")))
	req := func(mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 { return message(t, dhcpv4.MessageTypeRequest, mods...) }
	want := dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr))
	server := func(ip ...byte) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(ip)) }

	r, _, e := answer(t, s, req(want, server(10, 0, 0, 2)))
	require.Nil(t, r, "the client took another server's offer")
	require.Empty(t, e.Protocol)
	r, a, e := answer(t, s, req(want, server(10, 0, 0, 1), pxeClient(7, "PXEClient")))
	require.Equal(t, dhcpv4.MessageTypeAck, r.MessageType())
	require.Equal(t, "hardware", a.How)
	require.Equal(t, clientMAC, a.MAC)
	require.Equal(t, offer.YourIPAddr.String(), e.Offered.String())
	r, a, _ = answer(t, s, req(dhcpv4.WithClientIP(offer.YourIPAddr)))
	require.Equal(t, dhcpv4.MessageTypeAck, r.MessageType(), "renewing")
	require.Equal(t, "address", a.How)
	r, a, e = answer(t, s, req(dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IP{192, 168, 9, 9}))))
	require.Equal(t, dhcpv4.MessageTypeNak, r.MessageType(), "an address of another network")
	require.Equal(t, "broadcast", a.How)
	require.Equal(t, "nak", e.Answer)
	other := dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, 7})
	r, _, _ = answer(t, s, req(want, other))
	require.Equal(t, dhcpv4.MessageTypeNak, r.MessageType(), "the address of another machine")
	r, _, e = answer(t, s, req())
	require.Nil(t, r)
	require.Equal(t, "request names no address", e.Reason)
	mac, ok := s.MACFor(netip.MustParseAddr(offer.YourIPAddr.String()))
	require.True(t, ok)
	require.Equal(t, clientMAC.String(), mac)
}

func TestStrangersAddressIsNotOffered(t *testing.T) {
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment))
	want := netip.MustParseAddr("10.0.0.101")
	d := discover(t, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(want.AsSlice())))
	a, _ := s.RespondForTest(t.Context(), d.ToBytes(), anyAddr, false, want)
	r, err := dhcpv4.FromBytes(a.Data)
	require.NoError(t, err)
	require.NotEqual(t, want.String(), r.YourIPAddr.String())
	all := []netip.Addr{want}
	for _, b := range []byte{100, 102, 103} {
		all = append(all, netip.AddrFrom4([4]byte{10, 0, 0, b}))
	}
	a, e := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment)).RespondForTest(t.Context(), d.ToBytes(), anyAddr, false, all...)
	require.Nil(t, a)
	require.Contains(t, e.Reason, "dhcp.range")
}

func TestProxyAt4011(t *testing.T) {
	s := newServer(t, pxe.ModeProxy, always(pxe.BootEnvironment))
	from := netip.MustParseAddrPort("10.0.0.77:4011")
	req := message(t, dhcpv4.MessageTypeRequest, pxeClient(7, "PXEClient"), dhcpv4.WithClientIP(net.IP{10, 0, 0, 77}))
	a, e := s.RespondForTest(t.Context(), req.ToBytes(), from, true)
	require.NotNil(t, a)
	require.Equal(t, from, a.To, "the answer goes to the source port")
	require.Equal(t, "source", a.How)
	require.Equal(t, pxe.StageProxy4011, e.Machine.Stage)
	r, err := dhcpv4.FromBytes(a.Data)
	require.NoError(t, err)
	require.Equal(t, dhcpv4.MessageTypeAck, r.MessageType())
	require.True(t, r.YourIPAddr.IsUnspecified())
	require.Equal(t, "PXEClient", r.ClassIdentifier())
	require.Nil(t, r.Options.Get(dhcpv4.GenericOptionCode(175)), "no no-pxedhcp where we are the proxy")
	a, _ = s.RespondForTest(t.Context(), req.ToBytes(), from, false)
	require.Nil(t, a, "the request on port 67 is the DHCP server's")
	menu := message(t, dhcpv4.MessageTypeRequest, pxeClient(0, "PXEClient"), opt(43, []byte{0x47, 4, 0x80, 0, 0, 0, 255}))
	a, _ = s.RespondForTest(t.Context(), menu.ToBytes(), from, true)
	r, err = dhcpv4.FromBytes(a.Data)
	require.NoError(t, err)
	require.Equal(t, []byte{0x47, 4, 0x80, 0, 0, 0, 255}, r.Options.Get(dhcpv4.OptionVendorSpecificInformation))
}

func TestReplyIsNeverFragmented(t *testing.T) {
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment))
	d := discover(t, pxeClient(7, "PXEClient"), opt(82, bytes.Repeat([]byte{1}, 255)), opt(61, bytes.Repeat([]byte{1}, 255)))
	_, a, _ := answer(t, s, d)
	require.LessOrEqual(t, len(a.Data), 1472)
	r, _, e := answer(t, s, discover(t, opt(82, bytes.Repeat([]byte{1}, 600))))
	require.Nil(t, r)
	require.Empty(t, e.Protocol, "malformed: counted, not recorded")
}

func TestLongURLGoesIntoOptionOnly(t *testing.T) {
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment), func(c *pxe.Config) { c.HTTPPort = 8080 })
	r, _, _ := answer(t, s, discover(t, pxeClient(0, "PXEClient"), ipxe))
	require.NotEmpty(t, r.BootFileNameOption())
	require.LessOrEqual(t, len(r.BootFileName), 127)
	require.True(t, r.BootFileName == "" || r.BootFileName == r.BootFileNameOption(), "never cut short")
}

func TestManyMachinesAtOnce(t *testing.T) {
	s := newServer(t, pxe.ModeServer, always(pxe.BootEnvironment), func(c *pxe.Config) {
		c.Pools[0].Range.Last = netip.MustParseAddr("10.0.0.250")
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for i := range 300 {
		wg.Go(func() {
			d := discover(t, dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 1, byte(i >> 8), byte(i)}))
			a, _ := s.RespondForTest(context.Background(), d.ToBytes(), anyAddr, false)
			if a == nil {
				return
			}
			r, err := dhcpv4.FromBytes(a.Data)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[r.YourIPAddr.String()]++
			mu.Unlock()
		})
	}
	wg.Wait()
	require.Len(t, seen, 151)
	for a, n := range seen {
		require.Equal(t, 1, n, a)
	}
}

func FuzzDHCP(f *testing.F) {
	for _, mods := range [][]dhcpv4.Modifier{{pxeClient(0, "PXEClient"), ipxe}, {pxeClient(16, "HTTPClient")}, {opt(82, []byte{1, 1, 1})}, {opt(50, []byte{1, 2, 3, 4, 5})}} {
		for _, k := range []dhcpv4.MessageType{1, 3, 4, 7, 8} {
			f.Add(message(f, k, mods...).ToBytes(), true)
		}
	}
	f.Add([]byte{}, false)
	d, _ := dhcpv4.New(dhcpv4.WithMessageType(1))
	d.HWType = iana.HWTypeInfiniband
	f.Add(d.ToBytes(), false)
	table := lease.NewTable(func() time.Time { return time.Unix(1e9, 0) })
	f.Fuzz(func(t *testing.T, data []byte, boot bool) {
		for _, mode := range []pxe.Mode{pxe.ModeServer, pxe.ModeProxy} {
			s := newServer(t, mode, always(pxe.BootEnvironment), func(c *pxe.Config) { c.Leases = table })
			a, e := s.RespondForTest(t.Context(), data, netip.MustParseAddrPort("10.0.0.9:68"), boot && mode == pxe.ModeProxy)
			if a == nil {
				continue
			}
			if len(a.Data) > 1472 || e.Answer == "" {
				t.Fatalf("answer of %d bytes, %q", len(a.Data), e.Answer)
			}
			r, err := dhcpv4.FromBytes(a.Data)
			if err != nil || r.OpCode != dhcpv4.OpcodeBootReply {
				t.Fatalf("our own reply: %v", err)
			}
			if mode == pxe.ModeProxy && !r.YourIPAddr.IsUnspecified() {
				t.Fatal("a proxy gave an address")
			}
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("short"))
	f.Add(append(unhex("333300000002525400000001"+"86dd"+"6000000000083aff"+"fe800000000000000000000000000001"+"ff020000000000000000000000000002"+"85000000"), 0, 0, 0, 0))
	f.Add(append(unhex("ffffffffffff525400000001"+"0806"+"0001080006040002"), bytes.Repeat([]byte{1}, 30)...))
	f.Fuzz(func(_ *testing.T, data []byte) { pxe.ParsersForTest(data) })
}

func TestFrameRoundTrip(t *testing.T) {
	src, dst := netip.MustParseAddrPort("10.0.0.1:67"), netip.MustParseAddrPort("10.0.0.9:68")
	for _, n := range []int{0, 1, 300, 1472} {
		p := bytes.Repeat([]byte{0xa5}, n)
		s, d, got, ok := pxe.FrameForTest(src, dst, p)
		require.True(t, ok)
		require.Equal(t, src, s)
		require.Equal(t, dst, d)
		require.Equal(t, string(p), string(got))
	}
}

func TestConfigErrorsSayWhatToDo(t *testing.T) {
	good := func() pxe.Config {
		return pxe.Config{Mode: pxe.ModeServer, Interfaces: []string{"eth0"}, Policy: always(pxe.Ignore), Loaders: loaders, Leases: lease.NewTable(nil),
			Pools: []pxe.Pool{{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Range: lease.Range{First: netip.MustParseAddr("10.0.0.2"), Last: netip.MustParseAddr("10.0.0.3")}}}}
	}
	for want, change := range map[string]func(*pxe.Config){
		"":                            func(*pxe.Config) {},
		"name the interfaces":         func(c *pxe.Config) { c.Interfaces = nil },
		"is not off, proxy or server": func(c *pxe.Config) { c.Mode = "on" },
		"server needs dhcp.range":     func(c *pxe.Config) { c.Pools = nil },
		"outside the subnet":          func(c *pxe.Config) { c.Pools[0].Range.Last = netip.MustParseAddr("10.0.1.3") },
		"write it as FIRST-LAST":      func(c *pxe.Config) { c.Pools[0].Range.Last = netip.MustParseAddr("10.0.0.1") },
		"dhcp.lease: 1s is too short": func(c *pxe.Config) { c.Pools[0].Lease = time.Second },
		"is not an IPv4 subnet":       func(c *pxe.Config) { c.Pools[0].Prefix = netip.MustParsePrefix("fd00::/64") },
		"dhcp.router: fd00::1 is not": func(c *pxe.Config) { c.Pools[0].Router = netip.MustParseAddr("fd00::1") },
	} {
		c := good()
		change(&c)
		_, err := pxe.NewServer(c)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
		require.False(t, strings.HasPrefix(err.Error(), "failed"))
	}
}
