package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// detectTime is the limit of one detection.
const detectTime = 10 * time.Minute

// packageName is what a name of a Debian or RPM package looks like; anything else must not reach a command line.
var packageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._:-]*$`)

var productCode = regexp.MustCompile(`^\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$`)

// detect says whether all that a detection names holds.
func (n *installation) detect(ctx context.Context, d wire.Detection) (bool, error) {
	checks := []struct {
		given string
		look  func(context.Context, string) (bool, error)
	}{
		{d.File, n.fileExists},
		{d.Command, n.commandHolds},
		{d.Deb, func(ctx context.Context, name string) (bool, error) { return n.debInstalled(ctx, name, d.Version) }},
		{d.RPM, func(ctx context.Context, name string) (bool, error) { return n.rpmInstalled(ctx, name, d.Version) }},
		{d.MSI, n.productInstalled},
	}
	any := false
	for _, c := range checks {
		if c.given == "" {
			continue
		}
		any = true
		if ok, err := c.look(ctx, c.given); err != nil || !ok {
			return false, err
		}
	}
	if !any {
		return false, errors.New("the deployment type has no detection")
	}
	return true, nil
}

func (n *installation) fileExists(_ context.Context, path string) (bool, error) {
	_, err := os.Stat(n.Variables.Expand(path))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (n *installation) commandHolds(ctx context.Context, line string) (bool, error) {
	if n.Machine.Commands == nil {
		return false, errors.New("this environment cannot run commands")
	}
	exit, err := n.Machine.Commands.Run(ctx, machine.Command{Line: n.Variables.Expand(line), Timeout: detectTime})
	return exit.Code == 0, err
}

func (n *installation) program(ctx context.Context, name string, args ...string) (machine.Exit, error) {
	if n.Machine.Programs == nil {
		return machine.Exit{}, errors.New("this environment cannot run programs")
	}
	return n.Machine.Programs.Start(ctx, machine.Program{Name: name, Args: args, Timeout: detectTime})
}

// debInstalled asks dpkg, which answers "install ok installed" and the version.
func (n *installation) debInstalled(ctx context.Context, name, least string) (bool, error) {
	if !packageName.MatchString(name) {
		return false, fmt.Errorf("%q is no name of a package", name)
	}
	exit, err := n.program(ctx, "dpkg-query", "-W", "-f", "${Status}|${Version}", name)
	if err != nil || exit.Code != 0 {
		return false, err
	}
	state, version, _ := strings.Cut(strings.TrimSpace(exit.Output), "|")
	if state != "install ok installed" && state != "hold ok installed" || least == "" {
		return least == "" && strings.HasSuffix(state, " ok installed"), nil
	}
	exit, err = n.program(ctx, "dpkg", "--compare-versions", version, "ge", least)
	return exit.Code == 0, err
}

// rpmInstalled asks rpm; its own comparison of versions is only in its macros (rpm 4.16).
func (n *installation) rpmInstalled(ctx context.Context, name, least string) (bool, error) {
	if !packageName.MatchString(name) {
		return false, fmt.Errorf("%q is no name of a package", name)
	}
	exit, err := n.program(ctx, "rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\n", name)
	if err != nil || exit.Code != 0 || least == "" {
		return err == nil && exit.Code == 0, err
	}
	version := strings.TrimSpace(exit.Output)
	if !packageName.MatchString(version) || !packageName.MatchString(least) {
		return false, fmt.Errorf("%q and %q are no versions", version, least)
	}
	exit, err = n.program(ctx, "rpm", "--eval", fmt.Sprintf("%%{lua:print(rpm.vercmp('%s', '%s'))}", version, least))
	return exit.Code == 0 && strings.TrimSpace(exit.Output) != "-1", err
}

// productInstalled looks for the product's key, of 64 or 32 bits, with reg.exe.
func (n *installation) productInstalled(ctx context.Context, code string) (bool, error) {
	if !productCode.MatchString(code) {
		return false, fmt.Errorf("%q is no product code", code)
	}
	if n.Machine.Programs == nil || !n.Machine.Programs.Windows() {
		return false, errors.New("a product code can be looked up only on Windows")
	}
	for _, view := range []string{"/reg:64", "/reg:32"} {
		exit, err := n.program(ctx, "reg.exe", "query", `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\`+code, view)
		if err != nil || exit.Code == 0 {
			return err == nil, err
		}
	}
	return false, nil
}
