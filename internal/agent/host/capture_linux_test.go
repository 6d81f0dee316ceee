package host_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func TestCaptureLinux(t *testing.T) {
	root := tree(t, map[string]string{
		"proc/net/route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
			"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		"etc/resolv.conf": "nameserver 127.0.0.53\n", "run/systemd/resolve/resolv.conf": "nameserver 192.0.2.53\nsearch lab.example a.example\n",
		"sys/class/net/eth1/ifindex": "3\n", "run/systemd/netif/leases/3": "ADDRESS=192.0.2.77\n", "etc/sssd/sssd.conf": "[domain/x]\nad_domain = lab.example\n",
	})
	require.NoError(t, os.Symlink("/usr/share/zoneinfo/Europe/Vienna", filepath.Join(root, "etc/localtime")))
	c := host.Capture{Linux: host.Linux{Root: root, Environment: wire.FullOS}, Name: func() (string, error) { return "pc7.lab.example", nil },
		Interfaces: func() ([]host.CapturedInterface, error) {
			return []host.CapturedInterface{
				{Name: "eth0", MAC: "02:00:00:00:00:0a", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24"), netip.MustParsePrefix("fe80::1/64")}},
				{Name: "eth1", MAC: "02:00:00:00:00:0b", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.77/24")}},
				{Name: "eth2", MAC: "02:00:00:00:00:0c"}}, nil
		}}
	s, err := c.CaptureSystem(t.Context())
	require.NoError(t, err)
	require.Equal(t, machine.SystemSettings{ComputerName: "pc7", TimeZone: "W. Europe Standard Time"}, s)
	n, err := c.CaptureNetwork(t.Context())
	require.NoError(t, err)
	require.Equal(t, machine.NetworkSettings{Join: machine.JoinDomain, Domain: "lab.example", SuffixSearch: []string{"lab.example", "a.example"}, AdaptersGiven: true, Adapters: []machine.Adapter{
		{MAC: "02:00:00:00:00:0a", Name: "eth0", Addresses: []string{"192.0.2.10/24"}, Gateways: []string{"192.0.2.1"}, DNSServers: []string{"192.0.2.53"}},
		{MAC: "02:00:00:00:00:0b", Name: "eth1", DHCP: true}, {MAC: "02:00:00:00:00:0c", Name: "eth2", DHCP: true}}}, n)
}

// The machine that runs the tests can be captured too.
func TestCaptureHere(t *testing.T) {
	c := host.Capture{Linux: host.Linux{Environment: wire.FullOS}}
	s, err := c.CaptureSystem(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, s.ComputerName)
	_, err = c.CaptureNetwork(t.Context())
	require.NoError(t, err)
}

// recorded is a registry as it was found.
type recorded map[string]any

func (r recorded) String(key, name string) string    { s, _ := r[key+`\`+name].(string); return s }
func (r recorded) Strings(key, name string) []string { s, _ := r[key+`\`+name].([]string); return s }
func (r recorded) Integer(key, name string) uint64   { n, _ := r[key+`\`+name].(int); return uint64(n) }
func (r recorded) Keys(key string) []string          { s, _ := r[key].([]string); return s }

func TestCaptureWindows(t *testing.T) {
	const (
		interfaces = `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces`
		one        = `{aaaaaaaa-0000-0000-0000-000000000001}`
		two        = `{AAAAAAAA-0000-0000-0000-000000000002}`
	)
	c := host.WindowsCapture{Registry: recorded{
		`SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName\ComputerName`: "PC7", `SOFTWARE\Microsoft\Windows NT\CurrentVersion\RegisteredOwner`: "A",
		`SOFTWARE\Microsoft\Windows NT\CurrentVersion\RegisteredOrganization`: "Org", `SYSTEM\CurrentControlSet\Control\TimeZoneInformation\TimeZoneKeyName`: "Tokyo Standard Time",
		`SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\NV Domain`:                            "lab.example",
		`SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\State\Machine\Distinguished-Name`: "CN=PC7,OU=PCs,DC=lab,DC=example",
		interfaces: []string{one, two, "{gone}"}, interfaces + `\` + one + `\EnableDHCP`: 0, interfaces + `\` + one + `\IPAddress`: []string{"192.0.2.10"}, interfaces + `\` + one + `\SubnetMask`: []string{"255.255.255.0"},
		interfaces + `\` + one + `\DefaultGateway`: []string{"192.0.2.1"}, interfaces + `\` + one + `\NameServer`: "192.0.2.2,192.0.2.3", interfaces + `\` + two + `\EnableDHCP`: 1,
		`SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}\` + one + `\Connection\Name`: "Ethernet",
		`SYSTEM\CurrentControlSet\Services\NetBT\Parameters\Interfaces\Tcpip_` + one + `\NetbiosOptions`:              2,
	}, MACs: func() map[string]string {
		return map[string]string{"{AAAAAAAA-0000-0000-0000-000000000001}": "02:00:00:00:00:0a", two: "02:00:00:00:00:0b"}
	}}
	s, err := c.CaptureSystem(t.Context())
	require.NoError(t, err)
	require.Equal(t, machine.SystemSettings{ComputerName: "PC7", RegisteredUser: "A", RegisteredOrganisation: "Org", TimeZone: "Tokyo Standard Time"}, s)
	n, err := c.CaptureNetwork(t.Context())
	require.NoError(t, err)
	zero, off := 0, 2
	require.Equal(t, machine.NetworkSettings{Join: machine.JoinDomain, Domain: "lab.example", OU: "OU=PCs,DC=lab,DC=example", DNSDomain: "lab.example", SuffixSearch: []string{}, AdaptersGiven: true, Adapters: []machine.Adapter{
		{MAC: "02:00:00:00:00:0a", Name: "Ethernet", Addresses: []string{"192.0.2.10/24"}, Gateways: []string{"192.0.2.1"}, DNSServers: []string{"192.0.2.2", "192.0.2.3"}, NetBIOSOptions: &off},
		{MAC: "02:00:00:00:00:0b", DHCP: true, NetBIOSOptions: &zero}}}, n)
	_, err = host.WindowsCapture{Registry: recorded{}}.CaptureSystem(t.Context())
	require.Error(t, err)
}
