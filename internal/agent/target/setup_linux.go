package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// entryLabel names the firmware's entry of the deployed disk.
const entryLabel = "bootyard: disk"

// setup is the engine's machine.OSSetup.
type setup struct{ t *Target }

// Setup implements machine.OSSetup (TS-118a). The state of the run follows by KeepState.
func (s setup) Setup(ctx context.Context, request machine.SetupRequest, progress machine.Progress) error {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	v, err := t.find(request.Target)
	if err != nil {
		return err
	}
	dir, err := t.mount(ctx, v)
	if err != nil {
		return err
	}
	order, label, system := apply.FirmwareOrder{Next: true, First: t.options.DiskFirst}, entryLabel, "linux"
	if apply.HoldsWindowsSystem(dir) {
		label, system, order.Loader = windowsLabel, "windows", windowsLoader
	}
	files, err := t.options.Files(ctx, system)
	if err != nil {
		return err
	}
	progress(0, 0, "installing the agent")
	if system == "windows" {
		err = t.setupWindows(ctx, files, dir)
	} else {
		err = apply.InstallAgent(ctx, dir, apply.Agent{Binary: files.Binary, Config: files.Config, CA: files.CA, Token: files.Token})
	}
	if err != nil {
		return err
	}
	target := t.applied(v, dir)
	if err := apply.WriteMarker(ctx, target, t.options.Run); err != nil {
		return err
	}
	if target.Firmware == apply.UEFI && target.ESP != nil {
		warning, err := apply.SetFirmwareBoot(ctx, *target.ESP, label, order)
		if err != nil {
			return err
		}
		if warning != "" {
			t.options.Say("  %s", warning)
		}
	}
	t.installed, t.system = &files, v.PARTUUID
	return nil
}

// KeepContent implements agent.Target.
func (t *Target) KeepContent(ctx context.Context, from, to string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, err := t.systemVolume()
	if err != nil {
		return err
	}
	dir, err := t.mount(ctx, v)
	if err != nil {
		return err
	}
	// Through the root, so that no link of the image leads the content elsewhere.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	state, windows := strings.TrimPrefix(apply.StateDir, "/"), apply.HoldsWindowsSystem(dir)
	if windows {
		state, _ = apply.Fold(root, apply.WindowsStateDir)
	}
	cache := filepath.Join(state, filepath.Dir(to))
	err = errors.Join(root.MkdirAll(state, 0o700), root.MkdirAll(cache, 0o755), root.Close())
	if err == nil && windows {
		err = apply.Private(filepath.Join(dir, cache))
	}
	if err != nil {
		return fmt.Errorf("keep content for the new system: %w", err)
	}
	return client.Move(ctx, from, filepath.Join(dir, cache), filepath.Base(to))
}

// KeepState implements agent.Target.
func (t *Target) KeepState(ctx context.Context, files map[string][]byte) error {
	t.mu.Lock()
	v, err := t.systemVolume()
	var dir string
	if err == nil {
		dir, err = t.mount(ctx, v)
	}
	if err == nil && t.installed == nil {
		err = errors.New("the agent was not installed by this run: put a Setup Windows and ConfigMgr step before the restart")
	}
	if err == nil {
		a := apply.Agent{Binary: t.installed.Binary, Config: t.installed.Config, CA: t.installed.CA, Token: t.installed.Token, State: files}
		install := apply.InstallAgent
		if apply.HoldsWindowsSystem(dir) {
			install = apply.InstallWindowsAgent
		}
		err = install(ctx, dir, a)
	}
	t.mu.Unlock()
	if err != nil {
		return err
	}
	// The new system must not keep the image it was made from (TS-122).
	if err := t.Clean(); err != nil {
		t.options.Say("  the run's folder stays on the disk: %v", err)
	}
	return nil
}

func (t *Target) systemVolume() (disk.Volume, error) {
	for _, v := range t.table.Volumes() {
		if t.system != "" && v.PARTUUID == t.system {
			return v, nil
		}
	}
	return disk.Volume{}, fmt.Errorf("no operating system was applied by this run")
}
