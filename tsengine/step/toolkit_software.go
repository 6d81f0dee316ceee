package step

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// toolkitApplications is Install Application of MDT and PSD: the application of the step, or, when it names none, those of
// the lists MandatoryApplications001... and Applications001... An application that fails does not keep the others of a
// list from being installed, and the step fails at the end.
func toolkitApplications(ctx context.Context, c *Context) Outcome {
	references := []string{c.toolkitValue("ApplicationGUID")}
	if references[0] == "" {
		references = append(numbered(c, "MandatoryApplications", 3), numbered(c, "Applications", 3)...)
	}
	if len(references) == 0 {
		return nothing(c, "neither ApplicationGUID nor MandatoryApplications001 nor Applications001 is set")
	}
	names, seen := make([]string, 0, len(references)), map[string]bool{}
	for _, reference := range references {
		name, variable := mapped(c, reference)
		if name == "" {
			if c.Machine.Software != nil { // an application may have the GUID for its name
				if _, err := c.Machine.Software.Application(ctx, reference); err == nil {
					name = reference
				}
			}
			if name == "" {
				return Failure(CodeNotFound, fmt.Errorf("the application %s of a deployment share is not known here; set the variable %s to the name of the application that stands for it (see `bootyard application list`)", reference, variable))
			}
		}
		if !seen[name] {
			seen[name], names = true, append(names, name)
		}
	}
	// A base variable of its own, because a name may hold a comma.
	inputs := []sequence.Variable{given("ContinueOnInstallError", fmt.Sprint(len(names) > 1)), given("BaseVariableName", "")}
	if len(names) > 1 {
		inputs[1].Value = "BootyardApplication"
		for i, name := range names {
			inputs = append(inputs, given(fmt.Sprintf("BootyardApplication%02d", i+1), name))
		}
	} else {
		inputs = append(inputs, given("ApplicationName", names[0]))
	}
	out := InstallApplication{}.Run(ctx, c.as("InstallApplicationAction", inputs...))
	if state := c.Variables.Value(statusVariable); out.Err == nil && out.Restart == nil && state != "" && state != appStatus[appSuccess] {
		out = Failure(CodeFailed, errors.New("not all applications were installed; the log names those that were not"))
	}
	return out
}

// rooted is a path that does not depend on the working folder, on Linux or on Windows.
var rooted = regexp.MustCompile(`^(/|\\\\|[A-Za-z]:[\\/])`)

// toolkitPowerShell is Run PowerShell Script of MDT: a script by its path, of a package, or by its name in SCRIPTROOT.
func toolkitPowerShell(ctx context.Context, c *Context) Outcome {
	script := c.toolkitValue("ScriptName")
	if script == "" {
		return Failure(CodeInvalid, fmt.Errorf("step %q names no script", c.Node.Name))
	}
	id := c.toolkitValue("PackageID")
	inputs := []sequence.Variable{given("OSDRunPowerShellScriptParameters", c.Input("Parameters")), given("OSDRunPowerShellScriptExecutionPolicy", "Bypass")}
	if id != "" && !rooted.MatchString(script) {
		return RunPowerShell{}.Run(ctx, c.as("RunPowerShellScriptAction", append(inputs, given("OSDRunPowerShellScriptScriptName", script), given("OSDRunPowerShellScriptPackageID", id))...))
	}
	if strings.Contains(script, "%") {
		return Failure(CodeNotFound, fmt.Errorf("script %s holds a variable that is not set; connect the deployment share and set SCRIPTROOT to its Scripts folder", script))
	}
	if !rooted.MatchString(script) {
		root := strings.TrimRight(c.Variables.Value("SCRIPTROOT"), `/\`)
		if root == "" {
			return Failure(CodeNotFound, fmt.Errorf("script %s is looked for in SCRIPTROOT, which is not set; connect the deployment share and set it to the Scripts folder, or give the step a package", script))
		}
		script = root + `\` + script
	}
	if there := c.Volumes.NetworkPath(script); there != "" {
		script = there
	} else if strings.HasPrefix(script, "/") {
		script = filepath.FromSlash(strings.ReplaceAll(script, `\`, "/"))
	}
	return runPowerShell(ctx, c.as("RunPowerShellScriptAction", inputs...), func(context.Context, *Context) (string, func(), error) {
		return script, func() {}, nil
	})
}

// windowsUpdate is ZTIWindowsUpdate: all updates.
func windowsUpdate(ctx context.Context, c *Context) Outcome {
	return InstallUpdates{}.Run(ctx, c.as("InstallUpdateAction", given("SMSInstallUpdateTarget", "All")))
}

// captureState is ZTIUserState /capture: a store is requested, unless a folder is named, and the state of the users goes
// there.
func captureState(ctx context.Context, c *Context) Outcome {
	place := strings.ToUpper(c.toolkitValue("UserDataLocation"))
	if place == "NONE" {
		return nothing(c, "UserDataLocation is NONE")
	}
	if c.Environment == machine.FullOS && strings.EqualFold(c.Variables.Value("DeploymentType"), "NEWCOMPUTER") {
		return nothing(c, "a new computer has no users")
	}
	path, out := stateFolder(c, place)
	switch {
	case out != nil:
		return *out
	case path == "":
		if out := (RequestState{}).Run(ctx, c.as("RequestStateStoreAction", given("OSDStateRequestType", "Capture"))); out.Err != nil {
			return out
		}
	default:
		if err := c.Variables.Set(storeVariable, path); err != nil {
			return Failure(CodeFailed, err)
		}
	}
	return CaptureUserState{}.Run(ctx, c.as("CaptureUserStateAction"))
}

// stateFolder is where the properties want the state; empty is the site's store.
func stateFolder(c *Context, place string) (string, *Outcome) {
	share, dir := strings.TrimRight(c.toolkitValue("UDShare"), `\`), strings.Trim(c.toolkitValue("UDDir"), `\`)
	path := ""
	switch place {
	case "", "AUTO", "NETWORK":
		if share == "" || dir == "" {
			return "", nil
		}
		path = share + `\` + dir
	default:
		path = c.toolkitValue("UserDataLocation")
	}
	if there := c.Volumes.NetworkPath(path); there != "" {
		return there, nil
	}
	if strings.HasPrefix(path, `\\`) {
		out := Failure(CodeNotFound, fmt.Errorf("the folder %s for the user state is not connected; put a Connect To Network Folder step before this one", path))
		return "", &out
	}
	return path, nil
}

// restoreState is ZTIUserState /restore. Where nothing was captured there is nothing to restore.
func restoreState(ctx context.Context, c *Context) Outcome {
	place := strings.ToUpper(c.toolkitValue("UserDataLocation"))
	if place == "NONE" {
		return nothing(c, "UserDataLocation is NONE")
	}
	path, out := stateFolder(c, place)
	requested := path == ""
	switch {
	case out != nil:
		return *out
	case requested:
		switch out := (RequestState{}).Run(ctx, c.as("RequestStateStoreAction", given("OSDStateRequestType", "Restore"))); {
		case errors.Is(out.Err, machine.ErrNoState):
			return nothing(c, out.Err.Error())
		case out.Err != nil:
			return out
		}
	default:
		if err := c.Variables.Set(storeVariable, path); err != nil {
			return Failure(CodeFailed, err)
		}
	}
	restored := RestoreUserState{}.Run(ctx, c.as("RestoreUserStateAction"))
	if restored.Err != nil || !requested {
		return restored
	}
	released := ReleaseState{}.Run(ctx, c.as("ReleaseStateStoreAction"))
	released.Code = max(released.Code, restored.Code)
	return released
}
