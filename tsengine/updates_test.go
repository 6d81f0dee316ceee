package tsengine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

const (
	apt       = "env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "
	simulated = `Reading package lists...
Inst libc6 [2.36-9] (2.36-9+deb12u1 Debian-Security:12/stable-security [amd64]) []
Inst tzdata [2024a] (2024b Debian:12.1/stable [all])
Inst newlib (1.0 Debian-Security:12/stable-security [amd64])
Inst openssl:amd64 [3.0.1] (3.0.2 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Inst -oEvil [1] (2 Debian-Security:12/stable-security [amd64])
Conf libc6 (2.36-9+deb12u1 Debian-Security:12/stable-security [amd64])
`
)

// updating runs the step, over a restart that it asks for, with programs by name.
func updating(t *testing.T, p *programs, before string, inputs ...string) (run, int) {
	t.Helper()
	r := execute(t, parse(t, before+typed("InstallUpdateAction", "Updates", `retryCount="2"`, inputs...)), func(c *tsengine.Config) { c.Machine.Programs = p })
	restarts := 0
	for ; r.result.Outcome == tsengine.RestartRequested; restarts++ {
		require.Less(t, restarts, 5)
		var err error
		r.engine, err = r.engine.Resume(r.store.last(t), tsengine.FullOS)
		require.NoError(t, err)
		r.result, err = r.engine.Run(t.Context())
		require.NoError(t, err)
	}
	return r, restarts
}

func TestInstallUpdates(t *testing.T) {
	no := machine.Exit{Code: 1}
	for name, c := range map[string]struct {
		p        programs
		target   string
		want     []string
		restarts int
	}{
		"apt, all":              {programs{linux: true, has: []string{"apt-get"}, answers: map[string]machine.Exit{"test": no}}, "All", []string{apt + "update", apt + "upgrade --with-new-pkgs", "test -e /run/reboot-required"}, 0},
		"apt, security":         {programs{linux: true, has: []string{"apt-get"}, answers: map[string]machine.Exit{"test": no, apt + "-s": {Output: simulated}}}, "Mandatory", []string{apt + "update", apt + "-s upgrade --with-new-pkgs", apt + "install --only-upgrade -- libc6 openssl:amd64", "test -e /run/reboot-required"}, 0},
		"apt, nothing secure":   {programs{linux: true, has: []string{"apt-get"}, answers: map[string]machine.Exit{"test": no}}, "Mandatory", []string{apt + "update", apt + "-s upgrade --with-new-pkgs", "test -e /run/reboot-required"}, 0},
		"apt, restart":          {programs{linux: true, has: []string{"apt-get"}}, "All", []string{apt + "update", apt + "upgrade --with-new-pkgs", "test -e /run/reboot-required"}, 1},
		"dnf":                   {programs{linux: true, has: []string{"dnf"}, answers: map[string]machine.Exit{"test": no}}, "Mandatory", []string{"dnf -y upgrade --refresh --security", "test -e /run/reboot-required"}, 0},
		"dnf, restart":          {programs{linux: true, has: []string{"dnf", "needs-restarting"}, answers: map[string]machine.Exit{"test": no, "needs-restarting": no}}, "All", []string{"dnf -y upgrade --refresh", "test -e /run/reboot-required", "needs-restarting -r"}, 1},
		"zypper":                {programs{linux: true, has: []string{"zypper"}, answers: map[string]machine.Exit{"test": no}}, "Mandatory", []string{"zypper --non-interactive patch --auto-agree-with-licenses --category security", "test -e /run/reboot-required"}, 0},
		"zypper, restart":       {programs{linux: true, has: []string{"zypper"}, answers: map[string]machine.Exit{"zypper": {Code: 102}}}, "All", []string{"zypper --non-interactive update --auto-agree-with-licenses"}, 1},
		"Windows, restart":      {programs{answers: map[string]machine.Exit{"PS $session": {Code: 3010}}}, "All", nil, 1},
		"Windows, nothing more": {programs{}, "Mandatory", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.p
			p.on = func(r machine.Program) { // the simulation is read line by line
				if out := p.answers[apt+"-s"].Output; r.Output != nil && strings.Contains(strings.Join(r.Args, " "), " -s upgrade") {
					for line := range strings.Lines(out) {
						r.Output(strings.TrimSpace(line))
					}
				}
			}
			r, restarts := updating(t, &p, "", item("SMSInstallUpdateTarget", c.target))
			require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			require.Equal(t, c.restarts, restarts)
			if c.want != nil {
				require.Equal(t, c.want, p.started)
				return
			}
			require.Len(t, p.started, 2, "scan, then install")
			for _, line := range p.started {
				require.Equal(t, c.target == "Mandatory", strings.Contains(line, "AutoSelectOnWebSites=1"))
				require.Contains(t, line, "Search('IsInstalled=0 and IsHidden=0 and Type=''Software''")
			}
		})
	}
}

func TestInstallUpdatesFailures(t *testing.T) {
	for name, c := range map[string]struct {
		p    *programs
		in   string
		code uint32
		want string
	}{
		"no manager": {&programs{linux: true, has: []string{}}, "", step.CodeNotFound, "zypper"},
		"target":     {&programs{}, item("SMSInstallUpdateTarget", "Some"), step.CodeInvalid, "Mandatory"},
		"scan":       {&programs{linux: true, has: []string{"apt-get"}, answers: map[string]machine.Exit{apt + "update": {Code: 100}}}, "", 100, "100"},
		"install":    {&programs{answers: map[string]machine.Exit{"PS $session": {Code: 1}}}, "", 1, "not all updates"},
		"timeout":    {&programs{err: machine.ErrTimeout}, "", step.CodeTimeout, "in time"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := updating(t, c.p, "", c.in)
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
			require.Contains(t, r.result.Error, c.want)
		})
	}
}

// TS-114: after the restart by updates the step pauses once more, and the variable is 0 then.
func TestInstallUpdatesTS114(t *testing.T) {
	p := &programs{linux: true, has: []string{"apt-get"}}
	r, restarts := updating(t, p, setVariable("SMSTSWaitForSecondReboot", "1"))
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, 1, restarts)
	require.Len(t, p.started, 3, "updates are installed once")
	require.Equal(t, "0", r.engine.Variables().Value("SMSTSWaitForSecondReboot"))
	require.Empty(t, r.engine.Variables().Value("_BootyardUpdatesInstalled"))
}
