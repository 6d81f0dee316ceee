package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
)

// TestProxyBesideAnotherServer: a plain DHCP server gives the addresses, the
// appliance only the loaders; BIOS and UEFI machines get through.
func TestProxyBesideAnotherServer(t *testing.T) {
	number := 0x30
	for _, server := range []struct {
		name    string
		command func(t *testing.T, prefix string) []string
	}{{"dnsmasq", dnsmasq}, {"kea", kea}} {
		for _, firmware := range []lab.Firmware{lab.BIOS, lab.UEFI} {
			spec := small("pc", firmware, number)
			number++
			t.Run(server.name+"/"+string(firmware), func(t *testing.T) {
				needsVM(t, server.name != "dnsmasq" || firmware == lab.BIOS) // one of four is enough every day
				t.Parallel()
				s := newScene(t, withProxy)
				base := s.Lab.Subnet().Masked().Addr().As4()
				base[3] = 3
				router, err := s.Lab.AddHost(t.Context(), "router", addr4(base))
				require.NoError(t, err)
				log := filepath.Join(t.TempDir(), "dhcp.log")
				_, err = router.Daemon(t.Context(), log, server.command(t, fmt.Sprintf("%d.%d.%d.", base[0], base[1], base[2]))...)
				require.NoError(t, err)
				t.Cleanup(func() {
					if data, err := os.ReadFile(log); err == nil && t.Failed() {
						t.Logf("the other DHCP server's log ends:\n%s", last(string(data), 40))
					}
				})
				s.device(spec)
				_, err = s.DeployNow(t.Context(), "pc", s.quick("Quick", "QUICK-RAN"))
				require.NoError(t, err)
				m := s.boot(spec)
				s.wait(m, "QUICK-RAN")
				s.succeeded("pc")
			})
		}
	}
}

func dnsmasq(t *testing.T, prefix string) []string {
	return []string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--log-facility=-", "--log-dhcp",
		"--interface=" + lab.HostInterface, "--dhcp-range=" + prefix + "50," + prefix + "90,1h", "--no-ping", "--dhcp-leasefile=" + t.TempDir() + "/leases",
		"--dhcp-option=3", "--user=root", "--pid-file="}
}

// kea is ISC's server. Its lock and pid files go into a folder of the test.
func kea(t *testing.T, prefix string) []string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "kea.json")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `{"Dhcp4": {
	"interfaces-config": {"interfaces": [%q]},
	"lease-database": {"type": "memfile", "persist": false},
	"valid-lifetime": 3600,
	"subnet4": [{"subnet": "%s0/24", "pools": [{"pool": "%s50-%s90"}]}],
	"loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]
}}`, lab.HostInterface, prefix, prefix, prefix), 0o600))
	return []string{"env", "KEA_PIDFILE_DIR=" + dir, "KEA_LOCKFILE_DIR=" + dir, "KEA_LOGGER_DESTINATION=stdout", "kea-dhcp4", "-c", config}
}
