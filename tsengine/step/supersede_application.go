package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// supersede takes away what an application is to take the place of, where that is to be uninstalled and is there. Otherwise
// the installer of the new one deals with the old.
func (n *installation) supersede(ctx context.Context, app wire.Application) appResult {
	for _, s := range app.Supersedes {
		if !s.Uninstall {
			continue
		}
		old, err := n.Machine.Software.Application(ctx, s.Application)
		switch {
		case errors.Is(err, machine.ErrNoSoftware):
			return failedApp(CodeNotFound, "application %q supersedes %q: %w; see `bootyard application list`", app.Name, s.Application, err)
		case err != nil:
			return failedApp(CodeFailed, "application %q supersedes %q: %w", app.Name, s.Application, err)
		case old.Retired:
			return failedApp(CodeFailed, "application %q supersedes %q, which is retired (TS-46)", app.Name, old.Name)
		}
		for i := range old.Types {
			if r := n.uninstall(ctx, old, &old.Types[i]); r.state == appError || r.restart {
				return r
			}
		}
	}
	return appResult{}
}

// uninstall removes what one deployment type brought, if it is there, and looks whether it is gone then.
func (n *installation) uninstall(ctx context.Context, old wire.Application, kind *wire.DeploymentType) appResult {
	there, err := n.detect(ctx, kind.Detection)
	switch {
	case err != nil:
		return failedApp(CodeFailed, "application %q: its detection cannot be done: %w", old.Name, err)
	case !there:
		return appResult{}
	case kind.Uninstall == "":
		return failedApp(CodeInvalid, "application %q, %s is installed and has no uninstall command", old.Name, kind.Name)
	}
	dir := ""
	if kind.Package != "" {
		if dir, err = n.Package(ctx, kind.Package); err != nil {
			return failedApp(CodeContent, "application %q: %w", old.Name, err)
		}
	}
	n.Log(smstslog.Info, fmt.Sprintf("Uninstalling application %q, which is superseded", old.Name))
	exit, err := runInstaller(ctx, n.Context, installer{line: kind.Uninstall, dir: dir, workingDir: kind.WorkingDir, minutes: kind.MaxMinutes, codes: kind.SuccessCodes})
	switch {
	case err != nil:
		return failedApp(exit.Code, "application %q, %s: uninstall: %w", old.Name, kind.Name, err)
	case !succeededWith(exit.Code, kind.SuccessCodes):
		return failedApp(exit.Code, "application %q, %s: the uninstall command ended with exit code %d", old.Name, kind.Name, exit.Code)
	case wantsRestart(exit.Code):
		// The list goes on with the same application, which finds the old one gone.
		return appResult{restart: true}
	}
	if there, err = n.detect(ctx, kind.Detection); err == nil && there {
		err = errors.New("the uninstall command succeeded and the application is still detected; correct its detection or the command")
	}
	if err != nil {
		return failedApp(CodeFailed, "application %q: %w", old.Name, err)
	}
	return appResult{}
}

// clearCache takes the content of an application out of the cache of the run when OSDAppClearCache says so. That it stays is
// no failure of the application.
func (n *installation) clearCache(ctx context.Context, id string) appResult {
	remove, err := n.InputBool("OSDAppClearCache", false)
	if err != nil {
		return appResult{state: appError, code: CodeInvalid, reason: err}
	}
	content, ok := n.Machine.Content.(machine.ContentRemover)
	if !remove || id == "" || !ok {
		return appResult{}
	}
	gone, err := content.Remove(ctx, id)
	switch {
	case err != nil:
		n.Log(smstslog.Warning, fmt.Sprintf("Content of package %s stays: %v", id, err))
	case gone:
		n.Log(smstslog.Info, fmt.Sprintf("Content of package %s was removed (OSDAppClearCache)", id))
		if err := n.Variables.Set("_SMSTS"+id, ""); err != nil {
			return appResult{state: appError, code: CodeFailed, reason: err}
		}
	}
	return appResult{}
}
