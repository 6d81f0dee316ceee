package apply_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
)

// system is an applied system made of the files that decide.
func system(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o640))
	}
	return dir
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

func debianFiles() map[string]string {
	return map[string]string{"etc/debian_version": "12.5\n", "etc/shadow": "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n", "etc/hosts": "127.0.0.1\tlocalhost\n",
		"usr/share/zoneinfo/Europe/Berlin": "TZif2", "usr/lib/locale/de_DE.utf8/LC_TIME": "", "etc/hostname": "image\n"}
}

func TestSetSystemDebian(t *testing.T) {
	dir := system(t, debianFiles())
	s := apply.System{HostName: "pc1", Zone: "Europe/Berlin", Language: "C.UTF-8", Formats: "de_DE.UTF-8", KeyboardLayout: "ch", KeyboardVariant: "fr",
		Root: apply.RootPassword, RootPassword: "correct horse"}
	for range 2 {
		_, err := apply.SetSystem(t.Context(), apply.Target{Dir: dir}, s)
		require.NoError(t, err)
	}
	require.Equal(t, "pc1\n", content(t, dir, "etc/hostname"))
	require.Contains(t, content(t, dir, "etc/hosts"), "127.0.1.1\tpc1\n")
	link, err := os.Readlink(filepath.Join(dir, "etc/localtime"))
	require.NoError(t, err)
	require.Equal(t, "../usr/share/zoneinfo/Europe/Berlin", link)
	require.Equal(t, "Europe/Berlin\n", content(t, dir, "etc/timezone"))
	require.Equal(t, "LANG=C.UTF-8\nLC_NUMERIC=de_DE.UTF-8\nLC_TIME=de_DE.UTF-8\nLC_MONETARY=de_DE.UTF-8\nLC_PAPER=de_DE.UTF-8\nLC_MEASUREMENT=de_DE.UTF-8\n", content(t, dir, "etc/default/locale"))
	require.Contains(t, content(t, dir, "etc/default/keyboard"), "XKBLAYOUT=\"ch\"\nXKBVARIANT=\"fr\"\n")
	info, err := os.Stat(filepath.Join(dir, "etc/shadow"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	shadow := content(t, dir, "etc/shadow")
	require.Contains(t, shadow, "\ndaemon:*:19000:")
	field := strings.Split(shadow, ":")[1]
	require.True(t, strings.HasPrefix(field, "$6$rounds=50000$"), field)
	// No file has the password.
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			data, _ := os.ReadFile(path)
			require.NotContains(t, string(data), "correct horse", path)
		}
		return err
	}))
	if perl, err := exec.LookPath("perl"); err == nil { // crypt(3) of the C library is the judge
		out, err := exec.Command(perl, "-e", `print crypt($ARGV[0], $ARGV[1])`, "correct horse", field).Output()
		require.NoError(t, err)
		require.Equal(t, field, string(out))
	}
	_, err = apply.SetSystem(t.Context(), apply.Target{Dir: dir}, apply.System{Root: apply.RootLocked})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(content(t, dir, "etc/shadow"), "root:!*:"))
}

func TestSetSystemElsewhere(t *testing.T) {
	dir := system(t, map[string]string{"etc/os-release": "ID=fedora\n", "etc/vconsole.conf": "FONT=eurlatgr\nKEYMAP=us\n", "usr/share/zoneinfo/Europe/Berlin": "TZif2", "usr/lib/locale/de_DE.utf8/LC_TIME": ""})
	_, err := apply.SetSystem(t.Context(), apply.Target{Dir: dir}, apply.System{Zone: "Europe/Berlin", Language: "de_DE.UTF-8", KeyboardLayout: "gb"})
	require.NoError(t, err)
	require.Equal(t, "FONT=eurlatgr\nKEYMAP=uk\nXKBLAYOUT=gb\n", content(t, dir, "etc/vconsole.conf"))
	require.Equal(t, "LANG=de_DE.UTF-8\n", content(t, dir, "etc/locale.conf"))
	require.NoFileExists(t, filepath.Join(dir, "etc/timezone"))
	require.NoFileExists(t, filepath.Join(dir, "etc/default/locale"))
}

// What the image cannot do is an error that says what it needs.
func TestSetSystemRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		s    apply.System
		want string
	}{
		"zone":      {apply.System{Zone: "Europe/Paris"}, "install tzdata"},
		"locale":    {apply.System{Language: "fr_FR.UTF-8"}, "locale-gen"},
		"host name": {apply.System{HostName: "a b"}, "not valid"},
		"password":  {apply.System{Root: apply.RootPassword}, "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := apply.SetSystem(t.Context(), apply.Target{Dir: system(t, debianFiles())}, c.s)
			require.ErrorContains(t, err, c.want)
		})
	}
	files := debianFiles()
	delete(files, "etc/shadow")
	_, err := apply.SetSystem(t.Context(), apply.Target{Dir: system(t, files)}, apply.System{Root: apply.RootLocked})
	require.ErrorContains(t, err, "shadow")
}

func twoCards() apply.Network {
	return apply.Network{DNSDomain: "lab.example", SuffixSearch: []string{"a.example", "lab.example"}, Adapters: []apply.Adapter{
		{MAC: "02:00:00:00:00:0a", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24"), netip.MustParsePrefix("2001:db8::5/64")},
			Gateways: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, DNSServers: []netip.Addr{netip.MustParseAddr("192.0.2.53")}},
		{MAC: "02:00:00:00:00:0b", DHCP: true, DNSDomain: "b.example"},
	}}
}

// The one that starts with the image gets the settings, each in its own words.
func TestSetNetwork(t *testing.T) {
	wants := func(unit string) string { return "etc/systemd/system/multi-user.target.wants/" + unit }
	for name, c := range map[string]struct {
		files map[string]string
		want  map[string]string // file: text that must be in it
	}{
		"networkd": {map[string]string{"usr/lib/systemd/systemd-networkd": "", "usr/sbin/ifup": "", wants("systemd-networkd.service"): "", "etc/systemd/network/05-bootyard-7.network": "old"}, map[string]string{
			"etc/systemd/network/05-bootyard-0.network": "[Match]\nMACAddress=02:00:00:00:00:0a\nKind=!*\n\n[Network]\nAddress=192.0.2.10/24\nAddress=2001:db8::5/64\nGateway=192.0.2.1\nGateway=2001:db8::1\nDNS=192.0.2.53\nDomains=lab.example a.example\n",
			"etc/systemd/network/05-bootyard-1.network": "DHCP=yes\nDomains=b.example lab.example a.example\n",
			"etc/resolv.conf": "nameserver 192.0.2.53\n"}},
		"networkd not started": {map[string]string{"usr/lib/systemd/systemd-networkd": "", "usr/lib/systemd/systemd-resolved": ""}, map[string]string{
			"etc/systemd/network/05-bootyard-1.network": "MACAddress=02:00:00:00:00:0b"}},
		"NetworkManager": {map[string]string{"usr/sbin/NetworkManager": "", "usr/sbin/ifup": "", wants("NetworkManager.service"): ""}, map[string]string{
			"etc/NetworkManager/system-connections/bootyard-0.nmconnection": "[ipv4]\naddress1=192.0.2.10/24\ngateway=192.0.2.1\ndns=192.0.2.53;\ndns-search=lab.example;a.example;\nmethod=manual\n",
			"etc/NetworkManager/system-connections/bootyard-1.nmconnection": "mac-address=02:00:00:00:00:0B\n"}},
		"ifupdown": {map[string]string{"usr/sbin/ifup": "", "etc/network/interfaces": "auto eth0\niface eth0 inet dhcp\n"}, map[string]string{
			"etc/network/interfaces.d/bootyard":      "auto lan0\niface lan0 inet static\n\taddress 192.0.2.10/24\n\tgateway 192.0.2.1\n\tdns-nameservers 192.0.2.53\n\tdns-search lab.example a.example\niface lan0 inet6 static\n\taddress 2001:db8::5/64\n\tgateway 2001:db8::1\n",
			"etc/network/interfaces":                 "source /etc/network/interfaces.d/*",
			"etc/systemd/network/05-bootyard-1.link": "MACAddress=02:00:00:00:00:0b\nType=ether\n\n[Link]\nName=lan1\n"}},
		"netplan": {map[string]string{"usr/sbin/netplan": "", "etc/netplan/50-cloud-init.yaml": "network: {}\n", "usr/lib/systemd/systemd-networkd": ""}, map[string]string{
			"etc/netplan/90-bootyard.yaml": "    bootyard0:\n      match:\n        macaddress: \"02:00:00:00:00:0a\"\n      dhcp4: false\n      addresses:\n        - 192.0.2.10/24\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.files["etc/hostname"] = "pc1\n"
			dir := system(t, c.files)
			for range 2 {
				_, err := apply.SetNetwork(t.Context(), dir, twoCards())
				require.NoError(t, err)
			}
			for file, text := range c.want {
				require.Contains(t, content(t, dir, file), text, file)
			}
			require.Contains(t, content(t, dir, "etc/hosts"), "127.0.1.1\tpc1.lab.example pc1\n")
			require.NoFileExists(t, filepath.Join(dir, "etc/systemd/network/05-bootyard-7.network"))
			if name == "NetworkManager" {
				info, err := os.Stat(filepath.Join(dir, "etc/NetworkManager/system-connections/bootyard-0.nmconnection"))
				require.NoError(t, err)
				require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			}
			if name == "netplan" {
				require.NoFileExists(t, filepath.Join(dir, "etc/netplan/50-cloud-init.yaml"))
			}
		})
	}
	_, err := apply.SetNetwork(t.Context(), system(t, map[string]string{"etc/hostname": "x\n"}), twoCards())
	require.ErrorIs(t, err, apply.ErrNoNetworkManager)
}
