package target

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/regional"
	"github.com/bootyard/bootyard/images/unattend"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// answerFile is where Windows Setup looks for its answer file first in an applied image.
const answerFile = "Windows/Panther/unattend.xml"

// maxAnswer bounds what is read of it.
const maxAnswer = 4 << 20

// windowsSystem writes into the answer file of the applied Windows.
func (t *Target) windowsSystem(dir string, s machine.SystemSettings) ([]string, error) {
	system, err := answerSystem(s)
	if err != nil {
		return nil, err
	}
	if err := t.answer(dir, func(f *unattend.File) { f.SetSystem(system) }); err != nil {
		return nil, err
	}
	return []string{"System settings are in the answer file " + answerFile}, nil
}

func answerSystem(s machine.SystemSettings) (unattend.System, error) {
	out := unattend.System{ComputerName: s.ComputerName, Owner: s.RegisteredUser, Organization: s.RegisteredOrganisation, ProductKey: s.ProductKey, TimeZone: s.TimeZone,
		License: s.License, Connections: s.Connections, InputLocale: s.InputLocale, SystemLocale: s.SystemLocale, UILanguage: s.UILanguage, UIFallback: s.UIFallback, UserLocale: s.UserLocale}
	if strings.Contains(s.TimeZone, "/") { // an IANA name, as captured from a Linux system
		if out.TimeZone = regional.WindowsZone(s.TimeZone); out.TimeZone == "" {
			return out, fmt.Errorf("Windows has no time zone for %.80q", s.TimeZone)
		}
	}
	on, off := true, false
	switch s.Administrator {
	case machine.AdministratorDisabled:
		out.AdminPassword, out.AdminEnabled = randomPassword(), &off
	case machine.AdministratorPassword:
		out.AdminPassword, out.AdminEnabled = s.AdminPassword, &on
	}
	return out, nil
}

// windowsNetwork writes into the answer file of the applied Windows.
func (t *Target) windowsNetwork(dir string, n machine.NetworkSettings) ([]string, error) {
	if err := t.answer(dir, func(f *unattend.File) { f.SetNetwork(answerNetwork(n)) }); err != nil {
		return nil, err
	}
	notes := []string{"Network settings are in the answer file " + answerFile}
	if n.Filtering {
		notes = append(notes, "TCP/IP filtering ended with Windows XP: not written")
	}
	return notes, nil
}

func answerNetwork(n machine.NetworkSettings) unattend.Network {
	out := unattend.Network{DNSDomain: n.DNSDomain, SuffixSearch: n.SuffixSearch}
	switch n.Join {
	case machine.JoinWorkgroup:
		out.Workgroup = n.Workgroup
	case machine.JoinDomain:
		out.Domain, out.OU, out.JoinPassword = n.Domain, strings.TrimPrefix(n.OU, "LDAP://"), n.JoinPassword
		out.JoinUser, out.JoinUserDomain = n.JoinAccount, n.Domain
		if d, u, ok := strings.Cut(n.JoinAccount, `\`); ok {
			out.JoinUser, out.JoinUserDomain = u, d
		} else if u, d, ok := strings.Cut(n.JoinAccount, "@"); ok {
			out.JoinUser, out.JoinUserDomain = u, d
		}
	}
	for _, a := range n.Adapters {
		out.Adapters = append(out.Adapters, unattend.Adapter{MAC: a.MAC, DHCP: a.DHCP, Addresses: a.Addresses, Gateways: a.Gateways, DNSServers: a.DNSServers,
			DNSDomain: a.DNSDomain, RegisterDNS: a.RegisterDNS, RegisterFull: a.RegisterFull, NetBIOSOptions: a.NetBIOSOptions})
	}
	return out
}

// answer changes the answer file, or makes one. It is for nobody's eyes but the system's: it may hold passwords.
func (t *Target) answer(dir string, change func(*unattend.File)) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name, there := apply.Fold(root, answerFile)
	arch := "amd64"
	if t.options.Arch == "arm64" {
		arch = "arm64"
	}
	file := unattend.New(arch)
	if there {
		data, err := readSmall(root, name)
		if err != nil {
			return fmt.Errorf("answer file: %w", err)
		}
		if file, err = unattend.Read(data, arch); err != nil {
			return err
		}
	}
	change(file)
	if err := apply.WriteWindowsFile(dir, name, file.Bytes()); err != nil {
		return fmt.Errorf("answer file: %w", err)
	}
	return nil
}

func readSmall(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("it has more than %d bytes", maxAnswer)
	}
	return data, err
}
