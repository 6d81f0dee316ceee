package appliance

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/pxe/lease"
)

func twoNetworks() *reach {
	return &reach{httpPort: 80, httpsPort: 8443, networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("10.2.0.200/24")}}
}

func TestAddressOfTheMachinesOwnNetwork(t *testing.T) {
	r := twoNetworks()
	for machine, want := range map[string]string{"10.1.0.9": "http://10.1.0.1", "10.2.0.9": "http://10.2.0.200", "::ffff:10.2.0.9": "http://10.2.0.200", "192.0.2.1": "http://10.1.0.1"} {
		require.Equal(t, want, r.http(netip.MustParseAddr(machine)), machine)
	}
	require.Equal(t, "http://10.1.0.1", r.http(noMachine))
	require.Equal(t, "https://10.2.0.200:8443", r.https(netip.MustParseAddr("10.2.0.9")))
	r.httpURL, r.httpsURL = "http://boot.example", "https://boot.example:1"
	require.Equal(t, "http://boot.example", r.http(netip.MustParseAddr("10.2.0.9")), "what the operator set is for everybody")
	require.Equal(t, "https://boot.example:1", r.https(noMachine))
}

func TestCertificateCoversEveryAddressAndTheOperatorsName(t *testing.T) {
	r := twoNetworks()
	r.httpsURL = "https://boot.example:1"
	names, addrs := r.certificateNames()
	require.Equal(t, []string{"boot.example"}, names)
	for _, want := range []string{"127.0.0.1", "10.1.0.1", "10.2.0.200"} {
		require.Condition(t, func() bool {
			for _, a := range addrs {
				if a.Equal(net.ParseIP(want)) {
					return true
				}
			}
			return false
		}, want)
	}
	r.httpsURL = "https://192.0.2.5"
	names, addrs = r.certificateNames()
	require.Empty(t, names)
	require.True(t, addrs[len(addrs)-1].Equal(net.ParseIP("192.0.2.5")))
}

func TestReachNeedsAnAddressOrBothURLs(t *testing.T) {
	parse := func(text string) *config.Config {
		c, err := config.Parse([]byte(text))
		require.NoError(t, err)
		return c
	}
	_, err := newReach(parse("dhcp: {mode: proxy, interfaces: [bootyard-none]}"))
	require.ErrorContains(t, err, "bootyard-none")
	_, err = newReach(parse("http: {listen: 'nonsense'}"))
	require.ErrorContains(t, err, "http.listen")
	_, err = newReach(parse("https: {listen: ':0'}"))
	require.ErrorContains(t, err, "https.listen")
	r, err := newReach(parse("dhcp: {mode: 'off', interfaces: [lo]}"))
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("127.0.0.1"), r.near(noMachine))
	require.Equal(t, netip.MustParseAddr("127.0.0.1"), r.servers()[0].Addr())
}

func TestPools(t *testing.T) {
	r := twoNetworks()
	hour := config.DHCP{Lease: time.Hour, Router: "10.1.0.254", DNS: []string{"10.1.0.53"}}
	pools, err := r.pools(hour)
	require.NoError(t, err)
	require.Len(t, pools, 2)
	require.Equal(t, lease.Range{First: netip.MustParseAddr("10.1.0.128"), Last: netip.MustParseAddr("10.1.0.254")}, pools[0].Range)
	require.Equal(t, netip.MustParsePrefix("10.2.0.0/24"), pools[1].Prefix)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("10.1.0.53")}, pools[0].DNS)

	hour.Range = "10.2.0.10-10.2.0.20"
	pools, err = r.pools(hour)
	require.NoError(t, err)
	require.Len(t, pools, 1, "the range belongs to the interface that holds it")
	hour.Range = "10.3.0.10-10.3.0.20"
	_, err = r.pools(hour)
	require.ErrorContains(t, err, "in no network of the interfaces")
	hour.Range = "10.1.0.250-10.2.0.5"
	_, err = r.pools(hour)
	require.Error(t, err, "across two networks")

	r.networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.1/30")}
	_, err = r.pools(config.DHCP{})
	require.ErrorContains(t, err, "set dhcp.range")
	r.networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}
	pools, err = r.pools(config.DHCP{})
	require.NoError(t, err)
	require.LessOrEqual(t, pools[0].Range.Size(), maxGuess, "invented machines must not fill the memory")
	require.True(t, pools[0].Prefix.Contains(pools[0].Range.First))
}
