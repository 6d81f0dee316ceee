package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	powerPlanFile = "powerplan"
	powercfg      = "powercfg.exe"
	// powerPatience is the limit of one call; powercfg answers at once.
	powerPatience = 30 * time.Second
	// The names of Windows' own plans, the same on every machine.
	balanced        = "381b4222-f694-41f0-9685-ff5bb260df2e"
	highPerformance = "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c"
)

var planName = regexp.MustCompile(`(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// fullPower has Windows spare no power while a sequence runs, again after each restart (TS-19). What was set before is kept
// in the run's folder; a run that began in a boot environment ends with the plan that a new Windows has. A plan that cannot
// be set, such as on machines that have one only, is no reason not to deploy.
func (j *job) fullPower(ctx context.Context) {
	if !j.hasPowerPlans() {
		return
	}
	if err := j.keepPowerPlan(ctx); err != nil {
		j.console.Say("the power plan stays: %v", err)
		return
	}
	if _, err := j.powercfg(ctx, "/setactive", highPerformance); err != nil {
		j.console.Say("the power plan stays: %v", err)
	}
}

// keepPowerPlan notes what the plan was, once for a run.
func (j *job) keepPowerPlan(ctx context.Context) error {
	name := filepath.Join(j.runDir(), powerPlanFile)
	if _, err := os.Stat(name); err == nil || j.environment == wire.WinPE {
		return nil
	}
	plan := balanced
	if j.run.LaunchMode == wire.LaunchSMS {
		text, err := j.powercfg(ctx, "/getactivescheme")
		if err != nil {
			return err
		}
		if plan = planName.FindString(text); plan == "" {
			return errors.New("powercfg names no plan")
		}
	}
	return atomicfile.Write(name, []byte(plan), 0o600)
}

// usualPower sets the plan again that was there before the run.
func (j *job) usualPower(ctx context.Context) {
	plan, err := os.ReadFile(filepath.Join(j.runDir(), powerPlanFile))
	if err != nil || !planName.Match(plan) {
		return // never changed
	}
	if _, err := j.powercfg(ctx, "/setactive", planName.FindString(string(plan))); err != nil {
		j.console.Say("the power plan of before could not be set again: %v", err)
	}
}

func (j *job) hasPowerPlans() bool {
	p := j.local.Programs
	return p != nil && p.Windows() && p.Find(powercfg)
}

func (j *job) powercfg(ctx context.Context, args ...string) (string, error) {
	exit, err := j.local.Programs.Start(ctx, machine.Program{Name: powercfg, Args: args, Timeout: powerPatience})
	if err != nil {
		return "", fmt.Errorf("powercfg: %w", err)
	}
	if exit.Code != 0 {
		return "", fmt.Errorf("powercfg %s: exit code %d", args[0], exit.Code)
	}
	return exit.Output, nil
}
