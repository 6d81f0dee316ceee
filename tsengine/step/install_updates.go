package step

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// InstallUpdates is Install Software Updates: Windows by the Windows Update Agent, Linux in the distribution's own way.
// Mandatory means what the publisher marks as important (Windows) or as a security update (Linux). After an unexpected
// restart the engine runs it again as often as its retry count says (TS-113).
type InstallUpdates struct{}

// Contract implements Step.
func (InstallUpdates) Contract() Contract {
	return Contract{Type: "InstallUpdateAction", RunIn: sequence.FullOS, Effect: true, Component: "InstallSWUpdate"}
}

const (
	// updatedVariable says that the restart after the updates has happened and only the pause of TS-114 is left.
	updatedVariable = "_BootyardUpdatesInstalled"
	waitVariable    = "SMSTSWaitForSecondReboot"
	// updateTime is how long all updates together may take.
	updateTime = 6 * time.Hour
)

// updates is one run of the step.
type updates struct {
	*Context
	mandatory bool
	scan      time.Duration
}

// Run implements Step.
func (InstallUpdates) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Programs == nil {
		return Failure(CodeEnvironment, errors.New("this environment cannot run programs"))
	}
	pause, err := c.InputInt(waitVariable, 0, 24*3600, 0)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if c.Variables.Value(updatedVariable) != "" {
		return afterUpdates(ctx, c, time.Duration(pause)*time.Second)
	}
	scan, err := c.InputInt("SMSTSSoftwareUpdateScanTimeout", 1, 24*3600, 3600)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	u := &updates{Context: c, scan: time.Duration(scan) * time.Second}
	switch target := argument(c, "SMSInstallUpdateTarget", "/target:"); {
	case strings.EqualFold(target, "Mandatory"):
		u.mandatory = true
	case target == "" || strings.EqualFold(target, "All"):
	default:
		return Failure(CodeInvalid, fmt.Errorf("SMSInstallUpdateTarget is %q; All and Mandatory exist", target))
	}
	out := u.install(ctx)
	if out.Err == nil && out.Restart != nil && pause > 0 {
		if err := c.Variables.Set(updatedVariable, "true"); err != nil {
			return Failure(CodeFailed, err)
		}
		out.Restart.Again = true
	}
	return out
}

// afterUpdates waits for a second restart that Windows may make by itself (TS-114).
func afterUpdates(ctx context.Context, c *Context, pause time.Duration) Outcome {
	c.Log(smstslog.Info, fmt.Sprintf("Waiting %s for a second restart (%s)", pause, waitVariable))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Failure(CodeFailed, ctx.Err())
	case <-timer.C:
	}
	if err := errors.Join(c.Variables.Set(updatedVariable, ""), c.Variables.Set(waitVariable, "0")); err != nil {
		return Failure(CodeFailed, err)
	}
	return Outcome{}
}

func (u *updates) install(ctx context.Context) Outcome {
	p := u.Machine.Programs
	switch {
	case p.Windows():
		return u.windows(ctx)
	case p.Find("apt-get"):
		return u.apt(ctx)
	case p.Find("dnf"):
		return u.dnf(ctx)
	case p.Find("zypper"):
		return u.zypper(ctx)
	}
	return Failure(CodeNotFound, errors.New("neither apt-get nor dnf nor zypper is on this machine; install updates by a Run Command Line step"))
}

// updateScript searches, downloads and installs with the Windows Update Agent (IUpdateSearcher, IUpdateDownloader,
// IUpdateInstaller). Its exit codes: 0 done, 3010 restart, 1 something was not installed.
const updateScript = `$session = New-Object -ComObject Microsoft.Update.Session; $session.ClientApplicationID = 'bootyard'; ` +
	`$found = $session.CreateUpdateSearcher().Search(%s); "$($found.Updates.Count) updates"; if ($found.Updates.Count -eq 0) { exit 0 }; ` +
	`$list = New-Object -ComObject Microsoft.Update.UpdateColl; foreach ($u in $found.Updates) { if (-not $u.EulaAccepted) { $u.AcceptEula() }; [void]$list.Add($u) }; ` +
	`$d = $session.CreateUpdateDownloader(); $d.Updates = $list; [void]$d.Download(); ` +
	`$i = $session.CreateUpdateInstaller(); $i.Updates = $list; $r = $i.Install(); ` +
	`for ($n = 0; $n -lt $list.Count; $n++) { $x = $r.GetUpdateResult($n); '{0}: result {1}, 0x{2:X8}' -f $list.Item($n).Title, $x.ResultCode, $x.HResult }; ` +
	`if ($r.ResultCode -ne 2) { exit 1 }; if ($r.RebootRequired) { exit 3010 }; exit 0`

// windows scans first, within the time for scans, then installs.
func (u *updates) windows(ctx context.Context) Outcome {
	which := "IsInstalled=0 and IsHidden=0 and Type='Software'"
	if u.mandatory {
		which += " and AutoSelectOnWebSites=1"
	}
	scan := powerShell("$found = (New-Object -ComObject Microsoft.Update.Session).CreateUpdateSearcher().Search(" + quoted(which) + "); \"$($found.Updates.Count) updates\"")
	scan.Timeout = u.scan
	if out := startProgram(ctx, u.Context, scan, nil, "a scan with the Windows Update Agent: "+which); out.Err != nil {
		return out
	}
	install := powerShell(fmt.Sprintf(updateScript, quoted(which)))
	install.Timeout = updateTime
	return startProgram(ctx, u.Context, install, codes{1: "not all updates were installed; the log names each"}, "the installation with the Windows Update Agent")
}

// quiet is apt-get without questions; files that were changed by hand stay.
func quiet(timeout time.Duration, args ...string) machine.Program {
	return machine.Program{Name: "env", Timeout: timeout, Args: append([]string{"DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a", "apt-get", "-y",
		"-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"}, args...)}
}

func (u *updates) apt(ctx context.Context) Outcome {
	if out := startProgram(ctx, u.Context, quiet(u.scan, "update"), nil, ""); out.Err != nil {
		return out
	}
	what := []string{"upgrade", "--with-new-pkgs"}
	if u.mandatory {
		// The simulation is read whole, not its last part.
		var lines []string
		simulation := quiet(u.scan, "-s", "upgrade", "--with-new-pkgs")
		simulation.Output = func(line string) { lines = append(lines, line) }
		if out := startProgram(ctx, u.Context, simulation, nil, ""); out.Err != nil {
			return out
		}
		names := securityUpdates(lines)
		u.Log(smstslog.Info, fmt.Sprintf("%d security updates", len(names)))
		if len(names) == 0 {
			return u.restart(ctx, Outcome{})
		}
		what = append([]string{"install", "--only-upgrade", "--"}, names...)
	}
	return u.restart(ctx, startProgram(ctx, u.Context, quiet(updateTime, what...), codes{100: "apt-get failed; the log says why"}, ""))
}

// maxUpdates bounds a command line.
const maxUpdates = 2000

// securityUpdates are the packages that a simulated upgrade takes from a security archive, by its lines
// "Inst libc6 [2.36-9] (2.36-9+deb12u1 Debian-Security:12/stable-security [amd64])".
func securityUpdates(lines []string) []string {
	var out []string
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 4 || f[0] != "Inst" || len(out) >= maxUpdates || !packageName.MatchString(f[1]) {
			continue
		}
		_, origin, _ := strings.Cut(line, "(")
		if !strings.Contains(strings.ToLower(origin), "-security") {
			continue
		}
		if strings.HasPrefix(f[2], "[") { // else it is new, and comes along with what needs it
			out = append(out, f[1])
		}
	}
	return out
}

func (u *updates) dnf(ctx context.Context) Outcome {
	args := []string{"-y", "upgrade", "--refresh"}
	if u.mandatory {
		args = append(args, "--security")
	}
	return u.restart(ctx, startProgram(ctx, u.Context, machine.Program{Name: "dnf", Args: args, Timeout: updateTime}, nil, ""))
}

// Exit codes of zypper: success with something to tell.
const (
	zypperRestart   uint32 = 102 // the machine
	zypperItself    uint32 = 103 // zypper was updated: once more
	zypperTriesMost        = 3
)

func (u *updates) zypper(ctx context.Context) Outcome {
	args := []string{"--non-interactive", "update", "--auto-agree-with-licenses"}
	if u.mandatory {
		args = []string{"--non-interactive", "patch", "--auto-agree-with-licenses", "--category", "security"}
	}
	for try := 1; ; try++ {
		out := startProgram(ctx, u.Context, machine.Program{Name: "zypper", Args: args, Timeout: updateTime}, nil, "")
		switch {
		case out.Code == zypperItself && try < zypperTriesMost:
			continue
		case out.Code == zypperRestart:
			return Outcome{Output: out.Output, Restart: &Restart{}}
		}
		return u.restart(ctx, out)
	}
}

// restart asks for a restart when the distribution says that one is due.
func (u *updates) restart(ctx context.Context, out Outcome) Outcome {
	if out.Err != nil {
		return out
	}
	p := u.Machine.Programs
	exit, err := p.Start(ctx, machine.Program{Name: "test", Args: []string{"-e", "/run/reboot-required"}, Timeout: detectTime})
	due := err == nil && exit.Code == 0
	if !due && p.Find("needs-restarting") {
		exit, err = p.Start(ctx, machine.Program{Name: "needs-restarting", Args: []string{"-r"}, Timeout: detectTime})
		due = err == nil && exit.Code == 1
	}
	if due {
		u.Log(smstslog.Info, "The updates want a restart")
		out.Restart = &Restart{}
	}
	return out
}
