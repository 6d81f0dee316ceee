package appliance

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

// policy answers pxe by asking the site, and adds what only the appliance
// knows: signed URLs, kernel arguments and the boot token.
type policy struct {
	site   *site.Service
	files  *bootFiles
	reach  *reach
	spki   string
	live   *live
	recent *recent
}

// ruleExcluded is that of machines that get no answer of any kind.
const ruleExcluded = "PXE-4"

// Decide implements pxe.BootPolicy.
func (p *policy) Decide(ctx context.Context, m pxe.Machine) (pxe.Decision, error) {
	settings, started := p.live.now(), m.Choice == anyChoice
	if slices.ContainsFunc(settings.exclude, func(x string) bool { return sameMAC(x, m.MAC) }) {
		return pxe.Decision{Action: pxe.Ignore, Silent: true, Rule: ruleExcluded, Reason: "the MAC is on the exclusion list"}, nil
	}
	password, err := p.site.PXEPasswordSet(ctx)
	if err != nil {
		return pxe.Decision{}, fmt.Errorf("decide: %w", err)
	}
	if password || m.Choice == anyChoice {
		m.Choice = "" // the agent asks, after the password
	}
	d, err := p.site.Decide(ctx, site.Asker{
		Identity: identity(m), Environment: wire.WinPE, Stage: stage(m.Stage), Chosen: m.Choice,
	})
	if err != nil {
		return pxe.Decision{}, fmt.Errorf("decide: %w", err)
	}
	p.recent.put(m.MAC.String(), d)
	out := pxe.Decision{Action: action(d.Action), Reason: d.Reason, Rule: d.Rule, Timeout: settings.timeout}
	out.Silent = d.Rule == ruleExcluded
	if m.Stage != pxe.StageScript {
		return out, nil
	}
	if password && (out.Action == pxe.Menu || out.Action == pxe.BootEnvironment) {
		return p.behindPassword(ctx, m, d, out, started)
	}
	switch out.Action {
	case pxe.Menu:
		for _, c := range d.Considered {
			if c.Listed {
				out.Entries = append(out.Entries, pxe.MenuEntry{ID: c.Deployment, Title: c.SequenceName})
			}
		}
	case pxe.BootEnvironment:
		return p.bootEnvironment(ctx, m, d, out)
	}
	return out, nil
}

// anyChoice is the one entry of a menu that names no deployment.
const anyChoice = "start"

// behindPassword hands out the boot environment and tells nothing of what is
// deployed: its agent asks for the PXE password first (PXE-23).
func (p *policy) behindPassword(ctx context.Context, m pxe.Machine, d wire.Decision, out pxe.Decision, started bool) (pxe.Decision, error) {
	ask := out.Action == pxe.Menu && !started
	out.Reason, out.Rule = "the PXE password comes first", "PXE-23"
	if ask {
		out.Entries = []pxe.MenuEntry{{ID: anyChoice, Title: "Start the boot environment, which asks for the PXE password"}}
		return out, nil
	}
	out.Action = pxe.BootEnvironment
	return p.bootEnvironment(ctx, m, d, out)
}

func (p *policy) bootEnvironment(ctx context.Context, m pxe.Machine, d wire.Decision, out pxe.Decision) (pxe.Decision, error) {
	image, err := p.site.BootImage(ctx, d.BootImage)
	if err != nil {
		return out, fmt.Errorf("boot image %s: %w", d.BootImage, err)
	}
	mac := m.MAC.String()
	boot, err := p.site.RecordBoot(ctx, site.BootSign{
		Identity: identity(m), Address: m.Address.String(), Decision: d,
		BootAnswer: wire.BootAnswer{Stage: wire.StageScript, Protocol: "http", Asked: string(m.Loader) + " script", Answer: "boot environment " + image.ID},
	})
	if err != nil {
		return out, fmt.Errorf("record boot: %w", err)
	}
	token, err := p.site.IssueBootToken(ctx, site.BootBinding{Boot: boot, UUID: m.UUID, MAC: mac, Address: m.Address.String(), LaunchMode: wire.LaunchPXE})
	if err != nil {
		return out, fmt.Errorf("issue boot token: %w", err)
	}
	base := p.reach.http(m.Address)
	for _, name := range bootFileNames {
		out.Files = append(out.Files, pxe.BootFile{Name: name, URL: base + p.files.path(mac, image.ID, name)})
	}
	args := []string{
		"console=ttyS0,115200", "console=tty0", "quiet", "loglevel=4",
		wire.ArgURL + "=" + p.reach.https(m.Address), wire.ArgCA + "=" + p.spki, wire.ArgToken + "=" + token,
		wire.ArgMAC + "=" + mac,
	}
	if boot != "" {
		args = append(args, wire.ArgBoot+"="+boot)
	}
	if own := p.live.now().kernelArgs; own != "" {
		args = append(args, own)
	}
	if m.Choice != "" {
		args = append(args, wire.ArgPick+"="+m.Choice)
	}
	out.BootID, out.Args = boot, strings.Join(args, " ")
	return out, nil
}

func identity(m pxe.Machine) wire.Identity {
	return wire.Identity{UUID: m.UUID, MACs: []string{m.MAC.String()}, Firmware: wire.Firmware(m.Firmware), Arch: goArch(m.Arch), Addresses: addresses(m.Address)}
}

func addresses(a netip.Addr) []string {
	if !a.IsValid() {
		return nil
	}
	return []string{a.String()}
}

// goArch is the architecture as Go names it. BIOS firmware does not tell 32
// from 64 bit (PXE-35); the boot images there are ask for 64.
func goArch(a pxe.Arch) string {
	switch a.CPU() {
	case "x86", "x64":
		return "amd64"
	case "ia32":
		return "386"
	case "arm64":
		return "arm64"
	case "arm32":
		return "arm"
	}
	return ""
}

func action(a wire.Action) pxe.Action {
	switch a {
	case wire.ActionRun, wire.ActionResume:
		return pxe.BootEnvironment
	case wire.ActionMenu:
		return pxe.Menu
	case wire.ActionLocal:
		return pxe.LocalDisk
	}
	return pxe.Ignore
}

func stage(s pxe.Stage) wire.BootStage {
	switch s {
	case pxe.StageTFTP, pxe.StageLoader:
		return wire.StageLoader
	case pxe.StageScript:
		return wire.StageScript
	}
	return wire.StageDHCP
}

func sameMAC(text string, mac net.HardwareAddr) bool {
	m, err := net.ParseMAC(text)
	return err == nil && slices.Equal(m, mac)
}
