package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bootyard/bootyard/examples"
	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/stage"
	"github.com/bootyard/bootyard/internal/wire"
)

// Options of the demo.
type Options struct {
	Out      io.Writer
	Keep     bool
	BuildDir string
	Agent    string
}

const (
	labName = "demo"
	// Limits above what software emulation on two slow cores needs.
	deployLimit = 25 * time.Minute
	bootLimit   = 6 * time.Minute
	diskSize    = 4 << 30
	localBoots  = 2
)

// Run runs the demo. It leaves nothing behind, also when ctx ends, unless Keep
// is set and all went well.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{Options: o, start: time.Now()}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	images, err := d.images(ctx)
	if err != nil {
		return err
	}
	accel, why, err := lab.ProbeAccel(ctx, "")
	if err != nil {
		return err
	}
	d.say("machines run by %s: %s", accel, why)
	dir, err := os.MkdirTemp("", "bootyard-demo-*")
	if err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	d.stage, err = stage.Up(ctx, stage.Config{
		Lab: lab.Config{Name: labName, Persist: o.Keep, LogDir: filepath.Join(dir, "machines")},
		Dir: dir, Program: program,
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	defer func() {
		if o.Keep && err == nil {
			d.howToGoOn(dir)
			return
		}
		err = errors.Join(err, d.stage.Down(context.WithoutCancel(ctx)))
		if err == nil || ctx.Err() != nil {
			err = errors.Join(err, os.RemoveAll(dir))
			return
		}
		d.say("logs of the appliance and the machines: %s", dir)
	}()
	return d.play(ctx, images)
}

type demo struct {
	Options
	start time.Time
	stage *stage.Stage
	mu    sync.Mutex
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.Out, "%6.1fs  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) images(ctx context.Context) (stage.Images, error) {
	var last string
	return stage.BuildImages(ctx, stage.ImageConfig{
		BuildDir: d.BuildDir, Agent: d.Agent, Log: slog.New(slog.DiscardHandler),
		Progress: func(line string) {
			if line != last { // progress repeats itself
				d.say("%s", line)
			}
			last = line
		},
	})
}

type machine struct {
	spec       lab.MachineSpec
	deployment string
	localBoots int
}

func (d *demo) play(ctx context.Context, images stage.Images) error {
	d.say("appliance is up at %s; importing images", d.stage.Lab.Server().Addr())
	if err := d.stage.Import(ctx, images); err != nil {
		return err
	}
	sequence, err := d.stage.Sequence(ctx, "Deploy Debian", examples.Debian)
	if err != nil {
		return err
	}
	machines := []*machine{
		{spec: lab.MachineSpec{Name: "bios-1", Firmware: lab.BIOS, MAC: "52:54:00:b0:05:01", UUID: "6f0c8e52-4f6d-4b8e-9d55-1f0f3a5b0001"}},
		{spec: lab.MachineSpec{Name: "uefi-1", Firmware: lab.UEFI, MAC: "52:54:00:b0:05:02", UUID: "6f0c8e52-4f6d-4b8e-9d55-1f0f3a5b0002"}},
	}
	for _, m := range machines {
		m.spec.Disks = []lab.Disk{{Bus: lab.Virtio, Size: diskSize}}
		m.spec.BootOrder = []lab.BootDevice{lab.BootNetwork, lab.BootDisk}
		if err := d.stage.Device(ctx, m.spec.Name, m.spec.MAC, m.spec.UUID); err != nil {
			return err
		}
		if m.deployment, err = d.stage.DeployNow(ctx, m.spec.Name, sequence); err != nil {
			return err
		}
	}
	watch, stopWatching := context.WithCancel(ctx)
	var progress sync.WaitGroup
	progress.Go(func() { d.watch(watch) })
	g, deploying := errgroup.WithContext(ctx)
	for _, m := range machines {
		g.Go(func() error { return d.deploy(deploying, m) })
	}
	err = g.Wait()
	stopWatching()
	progress.Wait()
	return errors.Join(err, d.table(context.WithoutCancel(ctx), machines))
}

// deploy boots one machine until its run has ended, then shows that it reaches
// its disk with the network card first in the boot order (PXE-15a).
func (d *demo) deploy(ctx context.Context, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, deployLimit)
	defer cancel()
	d.say("%s: power on (%s, empty disk, network first)", m.spec.Name, m.spec.Firmware)
	vm, err := d.stage.Lab.Boot(ctx, m.spec)
	if err != nil {
		return fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	run, err := d.waitRun(ctx, m.spec.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	if run.State != wire.RunSucceeded {
		return fmt.Errorf("%s: run %s at step %q: %s", m.spec.Name, run.State, run.FailedStep, run.Message)
	}
	for range localBoots {
		if err := d.bootLocally(ctx, vm, m); err != nil {
			return fmt.Errorf("%s: start from its disk: %w", m.spec.Name, err)
		}
		if vm, err = d.stage.Lab.Machine(m.spec.Name); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) bootLocally(ctx context.Context, vm *lab.Machine, m *machine) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if err := shutDown(ctx, vm); err != nil {
		return err
	}
	began := time.Now()
	vm, err := d.stage.Lab.Boot(ctx, vm.Spec())
	if err != nil {
		return err
	}
	if _, err := vm.WaitConsole(ctx, wire.MarkInstalledOS); err != nil {
		return err
	}
	m.localBoots++
	d.say("%s: started from its disk with the network card first, %.0f s (%d of %d)", m.spec.Name, time.Since(began).Seconds(), m.localBoots, localBoots)
	return nil
}

// shutDown presses the power button and pulls the plug when that takes long.
func shutDown(ctx context.Context, vm *lab.Machine) error {
	if err := vm.PowerDown(ctx); err == nil {
		grace, cancel := context.WithTimeout(ctx, 40*time.Second)
		defer cancel()
		if vm.Wait(grace) == nil {
			return nil
		}
	}
	return vm.Stop(ctx)
}

func (d *demo) waitRun(ctx context.Context, device string) (*wire.RunInfo, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		run, err := d.stage.Run(ctx, device)
		if err == nil && run != nil && run.Ended != nil {
			return run, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no result in time: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (d *demo) howToGoOn(dir string) {
	socket := d.stage.Socket()
	fmt.Fprintf(d.Out, "\nThe lab is still up. Go on with, for instance:\n\n")
	for _, line := range []string{
		"export BOOTYARD_SOCKET=" + socket,
		"bin/bootyard status",
		"bin/bootyard run list",
		"bin/bootyard lab list",
		"bin/bootyard lab boot pc3 --name demo --firmware uefi --console",
		"bin/bootyard lab down --name demo      # ends it all; then remove " + dir,
	} {
		fmt.Fprintln(d.Out, "  "+line)
	}
	fmt.Fprintln(d.Out, strings.Repeat("-", 20))
}
