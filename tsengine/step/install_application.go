package step

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// InstallApplication is Install Application: applications by name or by a base variable, in order. After an
// unexpected restart the engine runs it again as often as its retry count says (TS-113), and detection keeps what is there
// from being installed twice.
type InstallApplication struct{}

// Contract implements Step.
func (InstallApplication) Contract() Contract {
	return Contract{Type: "InstallApplicationAction", RunIn: sequence.FullOS, Effect: true, Component: "InstallApplication"}
}

const (
	statusVariable = "_TSAppInstallStatus"
	retryVariable  = "_SMSTSAppInstallNeedsRetry"
	// restartedVariable names the application after whose installation the machine was restarted.
	restartedVariable = "_BootyardRestartedFor"
	// maxDependencies bounds how deep applications may need each other.
	maxDependencies = 16
)

// The states of an application; a worse one is greater.
const (
	appSuccess = iota
	appWarning
	appError
)

var appStatus = [...]string{"Success", "Warning", "Error"}

// appResult is how one application ended.
type appResult struct {
	state   int
	code    uint32
	reason  error
	restart bool
}

// Run implements Step.
func (InstallApplication) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Software == nil {
		return Failure(CodeEnvironment, errors.New("this environment knows no site that offers applications"))
	}
	names, listed := applicationNames(c)
	onward, err := flag(c, "ContinueOnInstallError", "/continueOnError:", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	warnings, err := c.InputBool("TSErrorOnWarning", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	first, err := takePosition(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if len(names) == 0 {
		c.Log(smstslog.Info, "The list is empty: nothing is installed (TS-90)")
	}
	worst := appResult{}
	if first > 0 || c.Variables.Value(restartedVariable) != "" { // what came before the restart counts too
		worst.state = max(0, indexOf(appStatus[:], c.Variables.Value(statusVariable)))
	}
	for i := first; i < len(names); i++ {
		r := (&installation{Context: c, retry: !onward, listed: listed}).withRetries(ctx, names[i])
		if ctx.Err() != nil {
			return Failure(CodeFailed, ctx.Err())
		}
		if r.state > worst.state {
			worst = r
		}
		if err := c.Variables.Set(statusVariable, appStatus[worst.state]); err != nil {
			return Failure(CodeFailed, err)
		}
		switch {
		case r.restart:
			return restartAt(c, i)
		case r.state == appError && !onward:
			return Failure(r.code, r.reason)
		case r.state != appSuccess:
			c.Log(smstslog.Warning, fmt.Sprintf("%s: %v", names[i], r.reason))
		}
	}
	if err := c.Variables.Set(statusVariable, appStatus[worst.state]); err != nil {
		return Failure(CodeFailed, err)
	}
	if warnings && worst.state == appWarning {
		return Failure(CodeFailed, fmt.Errorf("%w (TSErrorOnWarning is set)", orText(worst.reason, "an application ended with a warning")))
	}
	return Outcome{}
}

func orText(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

func indexOf(list []string, v string) int {
	for i, s := range list {
		if strings.EqualFold(s, v) {
			return i
		}
	}
	return -1
}

// applicationNames are the applications to install; listed says that they come from a base variable.
func applicationNames(c *Context) (names []string, listed bool) {
	if base := argument(c, "BaseVariableName", "/basevar:"); base != "" {
		return numbered(c, base, 2), true
	}
	for name := range strings.SplitSeq(argument(c, "ApplicationName", "/app:"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names, false
}

// installation is the work on one entry of the list.
type installation struct {
	*Context
	retry  bool // OSDAppInstallRetries counts
	listed bool // by a base variable: a bad entry is skipped (TS-90)
}

// withRetries installs one application and tries again after a failure, as OSDAppInstallRetries says.
func (n *installation) withRetries(ctx context.Context, name string) appResult {
	tries, err := n.InputInt("OSDAppInstallRetries", 0, 100, 0)
	if err != nil {
		return appResult{state: appError, code: CodeInvalid, reason: err}
	}
	pause, err := n.InputInt("OSDAppInstallRetryTimeout", 0, 24*3600*1000, 30000)
	if err != nil {
		return appResult{state: appError, code: CodeInvalid, reason: err}
	}
	for try := 0; ; try++ {
		r := n.install(ctx, name, 0)
		again := r.state == appError && n.retry && try < tries && ctx.Err() == nil
		value := ""
		if again {
			value = "true"
		}
		if err := n.Variables.Set(retryVariable, value); err != nil {
			return appResult{state: appError, code: CodeFailed, reason: err}
		}
		if !again {
			return r
		}
		n.Log(smstslog.Warning, fmt.Sprintf("%s failed, try %d of %d follows: %v", name, try+1, tries, r.reason))
		timer := time.NewTimer(time.Duration(pause) * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return appResult{state: appError, code: CodeFailed, reason: ctx.Err()}
		case <-timer.C:
		}
	}
}

func failedApp(code uint32, format string, args ...any) appResult {
	return appResult{state: appError, code: code, reason: fmt.Errorf(format, args...)}
}

// install brings one application to the machine: requirement, detection, dependencies, content, command, detection.
func (n *installation) install(ctx context.Context, name string, depth int) appResult {
	if depth > maxDependencies {
		return failedApp(CodeInvalid, "application %q: dependencies are nested deeper than %d, or in a circle", name, maxDependencies)
	}
	app, err := n.Machine.Software.Application(ctx, name)
	switch {
	case errors.Is(err, machine.ErrNoSoftware) && n.listed && depth == 0:
		return appResult{state: appWarning, reason: fmt.Errorf("application %q: %w; the entry is skipped (TS-90)", name, err)}
	case errors.Is(err, machine.ErrNoSoftware):
		return failedApp(CodeNotFound, "application %q: %w; see `bootyard application list`", name, err)
	case err != nil:
		return failedApp(CodeFailed, "application %q: %w", name, err)
	}
	n.Log(smstslog.Info, fmt.Sprintf("Application %q (%s)", app.Name, app.ID))
	kind, why, err := n.choose(ctx, app)
	switch {
	case err != nil:
		return failedApp(CodeInvalid, "application %q: its requirement cannot be evaluated: %w", app.Name, err)
	case kind == nil:
		return appResult{state: appWarning, reason: fmt.Errorf("application %q: no requirement is met: %s", app.Name, why)}
	}
	restarted := n.Variables.Value(restartedVariable) == app.ID
	there, err := n.detect(ctx, kind.Detection)
	switch {
	case err != nil:
		return failedApp(CodeFailed, "application %q: its detection cannot be done: %w", app.Name, err)
	case there:
		n.Log(smstslog.Info, fmt.Sprintf("Application %q is installed", app.Name))
		if restarted {
			err = n.Variables.Set(restartedVariable, "")
		}
		return appResult{reason: err, state: map[bool]int{true: appSuccess, false: appError}[err == nil], code: CodeFailed}
	case restarted:
		_ = n.Variables.Set(restartedVariable, "")
		return failedApp(CodeFailed, "application %q was installed and the machine restarted for it, and it is not detected now; correct its detection or its install command", app.Name)
	}
	if r := n.dependencies(ctx, app, kind, depth); r.state == appError || r.restart {
		return r
	}
	if r := n.supersede(ctx, app); r.state == appError || r.restart {
		return r
	}
	return n.execute(ctx, app, kind)
}

// choose is the first deployment type whose requirement holds, or why there is none.
func (n *installation) choose(ctx context.Context, app wire.Application) (*wire.DeploymentType, string, error) {
	var why []string
	for i := range app.Types {
		condition, err := sequence.ParseCondition(app.Types[i].Requirement)
		if err != nil {
			return nil, "", err
		}
		verdict, err := n.Evaluate(ctx, condition)
		if err != nil {
			return nil, "", err
		}
		if verdict.Holds {
			return &app.Types[i], "", nil
		}
		why = append(why, app.Types[i].Name+": "+verdict.Reason)
	}
	return nil, strings.Join(why, "; "), nil
}

func (n *installation) dependencies(ctx context.Context, app wire.Application, kind *wire.DeploymentType, depth int) appResult {
	if len(kind.Dependencies) > 0 && n.Variables.Value("_SMSTSMediaType") == "FullMedia" {
		n.Log(smstslog.Warning, fmt.Sprintf("Application %q: its dependencies are not installed from stand-alone media (TS-138)", app.Name))
		return appResult{}
	}
	for _, name := range kind.Dependencies {
		r := n.install(ctx, name, depth+1)
		if r.state == appWarning {
			r.state, r.code = appError, CodeFailed
		}
		if r.state == appError {
			r.reason = fmt.Errorf("application %q needs %q: %w", app.Name, name, r.reason)
		}
		if r.state == appError || r.restart {
			return r
		}
	}
	return appResult{}
}

// execute runs the install command and looks whether the application is there then. After a restart that is looked at
// again.
func (n *installation) execute(ctx context.Context, app wire.Application, kind *wire.DeploymentType) appResult {
	dir := ""
	if kind.Package != "" {
		var err error
		if dir, err = n.Package(ctx, kind.Package); err != nil {
			return failedApp(CodeContent, "application %q: %w", app.Name, err)
		}
	}
	exit, err := runInstaller(ctx, n.Context, installer{line: kind.Install, dir: dir, workingDir: kind.WorkingDir, minutes: kind.MaxMinutes, codes: kind.SuccessCodes})
	switch {
	case err != nil:
		return failedApp(exit.Code, "application %q, %s: %w", app.Name, kind.Name, err)
	case !succeededWith(exit.Code, kind.SuccessCodes):
		return failedApp(exit.Code, "application %q, %s: the install command ended with exit code %d", app.Name, kind.Name, exit.Code)
	case wantsRestart(exit.Code):
		if err := n.Variables.Set(restartedVariable, app.ID); err != nil {
			return failedApp(CodeFailed, "%w", err)
		}
		n.Log(smstslog.Info, fmt.Sprintf("Application %q wants a restart; the list goes on after it", app.Name))
		return appResult{restart: true}
	}
	there, err := n.detect(ctx, kind.Detection)
	switch {
	case err != nil:
		return failedApp(CodeFailed, "application %q: its detection cannot be done: %w", app.Name, err)
	case !there:
		return failedApp(CodeFailed, "application %q: the install command succeeded and the application is not detected; correct its detection or its install command", app.Name)
	}
	n.Log(smstslog.Info, fmt.Sprintf("Application %q was installed", app.Name))
	return n.clearCache(ctx, kind.Package)
}
