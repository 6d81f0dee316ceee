package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/config"
)

func TestThreeLinesAreEnoughAndMeanProxyMode(t *testing.T) {
	c, err := config.Parse([]byte("dhcp:\n  mode: proxy\n  interfaces: [eth0]\n"))
	require.NoError(t, err)
	require.Equal(t, config.DHCPProxy, c.DHCP.Mode)
	require.Nil(t, c.PXE.UnknownComputers)
	require.Equal(t, "BYD", c.Site.Code)
	require.Equal(t, ":80", c.HTTP.Listen)
	require.True(t, c.Wake.Enabled)
	require.Equal(t, 9, c.Wake.Port)
}

func TestEmptyFileServesNobodyByDHCP(t *testing.T) {
	c, err := config.Parse(nil)
	require.NoError(t, err)
	require.Equal(t, config.DHCPOff, c.DHCP.Mode)
}

func TestWakeCanBeSwitchedOff(t *testing.T) {
	c, err := config.Parse([]byte("wake:\n  enabled: false\n  delay: 2m\n"))
	require.NoError(t, err)
	require.False(t, c.Wake.Enabled)
	require.Equal(t, 2*time.Minute, c.Wake.Delay)
}

func TestMistakesAreNamed(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"unknown key":        {"sites: {}", "sites"},
		"unknown nested key": {"dhcp:\n  modus: proxy", "modus"},
		"site code":          {"site:\n  code: abc", "site.code"},
		"mode":               {"dhcp:\n  mode: yes-please\n  interfaces: [a]", "dhcp.mode"},
		"no interface":       {"dhcp:\n  mode: server", "dhcp.interfaces"},
		"range order":        {"dhcp:\n  range: 10.0.0.9-10.0.0.1", "ends before"},
		"range form":         {"dhcp:\n  range: 10.0.0.9", "FIRST-LAST"},
		"router":             {"dhcp:\n  router: fe80::1", "dhcp.router"},
		"networks":           {"pxe:\n  networks: [10.0.0.0/40]", "pxe.networks"},
		"exclude":            {"pxe:\n  exclude: [nope]", "pxe.exclude"},
		"data dir":           {"data_dir: here", "data_dir"},
		"url":                {"http:\n  url: 10.0.0.1", "http.url"},
		"url scheme":         {"https:\n  url: http://boot.example", "https.url"},
		"url password":       {"https:\n  url: https://me:secret@boot.example", "https.url"},
		"url query":          {"http:\n  url: http://boot.example?x=1", "http.url"},
		"url for a script":   {"http:\n  url: http://boot$x.example", "http.url"},
		"tftp port":          {"tftp:\n  listen: :6969", "tftp.listen"},
		"response delay":     {"pxe:\n  response_delay: -1s", "pxe.response_delay"},
		"long delay":         {"pxe:\n  response_delay: 10m", "pxe.response_delay"},
		"menu timeout":       {"pxe:\n  menu_timeout: -1s", "pxe.menu_timeout"},
		"lease for ever":     {"dhcp:\n  lease: 2000000h", "dhcp.lease"},
		"range size":         {"dhcp:\n  range: 10.0.0.1-10.200.0.1", "dhcp.range"},
		"wake delay":         {"wake:\n  delay: -1s", "wake"},
		"wake threads":       {"wake:\n  threads: 100000", "wake"},
		"wake offset":        {"wake:\n  offset: -1h", "wake"},
		"final boot":         {"pxe:\n  final_boot: tape", "pxe.final_boot"},
		"kernel args":        {"pxe:\n  kernel_args: \"a$(b)\"", "pxe.kernel_args"},
		"share listen":       {"share:\n  listen: \"445\"", "share.listen"},
		"share name":         {"share:\n  listen: files.example:445", "share.listen"},
		"share port":         {"share:\n  listen: \":0\"", "share.listen"},
		"wake port":          {"wake:\n  port: 70000", "wake.port"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse([]byte(tc.yaml))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("dhcp:\n  range: 1.1.1.1-2.2.2.2\n"))
	f.Fuzz(func(t *testing.T, data []byte) { config.Parse(data) })
}
