package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/images/unattend"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Firmware's entry of an installed Windows, as Windows itself names it.
const (
	windowsLabel  = "Windows Boot Manager"
	windowsLoader = `\EFI\Microsoft\Boot\bootmgfw.efi`
)

// driverFolder holds the packages of drivers on the volume of Windows, each in a folder of its own.
const driverFolder = "Windows/Temp/bootyard-drivers"

// windowsBoot makes sure, before anything is written, that a Windows on v can be made to start, and from where.
func (t *Target) windowsBoot(ctx context.Context, w *work, v disk.Volume) (disk.Volume, error) {
	if v.FileSystem != disk.NTFS || w.format != apply.FormatWIM {
		return disk.Volume{}, fmt.Errorf("image %d of package %s is Windows, which lives on NTFS, and disk %d, partition %d has %s; nothing was written; change the Format and Partition Disk step",
			w.request.Index, w.request.PackageID, v.Disk, v.Partition, v.FileSystem)
	}
	boot, err := apply.WindowsBoot(ctx, apply.Firmware(t.options.Firmware), v, t.table.Volumes())
	if err != nil {
		return boot, fmt.Errorf("%w; nothing was written", err)
	}
	return boot, nil
}

// bootWindows makes an applied Windows start, and gives it the answer file of the step.
func (t *Target) bootWindows(ctx context.Context, w *work, v, boot disk.Volume) error {
	if boot.PARTUUID == v.PARTUUID {
		boot = v // it was formatted since
	}
	dir, err := t.mount(ctx, v)
	if err != nil {
		return err
	}
	if !apply.HoldsWindowsSystem(dir) {
		return fmt.Errorf("image %d of package %s says that it is Windows and has no Windows\\System32", w.request.Index, w.request.PackageID)
	}
	bootDir, err := t.mount(ctx, boot)
	if err != nil {
		return err
	}
	err = apply.MakeWindowsBootable(ctx, apply.Windows{Dir: dir, Volume: v, Firmware: apply.Firmware(t.options.Firmware), Boot: boot, BootDir: bootDir, Name: w.product})
	if boot.PARTUUID != v.PARTUUID {
		err = errors.Join(err, t.unmountSome(ctx, func(o disk.Volume) bool { return o.PARTUUID == boot.PARTUUID }))
	}
	if err != nil || w.request.ConfigFile == "" {
		return err
	}
	data, err := os.ReadFile(w.request.ConfigFile)
	if err != nil {
		return fmt.Errorf("answer file: %w", err)
	}
	if _, err := unattend.Read(data, ""); err != nil {
		return err
	}
	return apply.WriteWindowsFile(dir, answerFile, data)
}

// setupWindows is Setup for Windows (TS-118): the agent becomes a service at the end of Windows' own setup, which asks no
// questions.
func (t *Target) setupWindows(ctx context.Context, files agent.InstalledAgent, dir string) error {
	a := apply.Agent{Binary: files.Binary, Config: files.Config, CA: files.CA, Token: files.Token}
	if err := apply.InstallWindowsAgent(ctx, dir, a); err != nil {
		return err
	}
	return t.answer(dir, func(f *unattend.File) {
		f.SkipQuestions()
		f.RunOnce("bootyard: agent", apply.WindowsService)
	})
}

// drivers is the engine's machine.DriverStore.
type drivers struct{ t *Target }

// packageID is what a folder may be named after.
var packageID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// AddDrivers implements machine.DriverStore: the package goes onto the volume, and the specialize pass of Windows' setup
// adds its drivers. What Windows needs to start at all must be in the image.
func (d drivers) AddDrivers(ctx context.Context, r machine.DriverRequest) (notes []string, err error) {
	if !packageID.MatchString(r.PackageID) {
		return nil, fmt.Errorf("package id %.80q cannot name a folder", r.PackageID)
	}
	err = d.t.in(ctx, r.Target, func(_ disk.Volume, dir string) error {
		if !apply.HoldsWindowsSystem(dir) {
			return errors.New("the applied operating system is not Windows; give the step a condition")
		}
		files, err := copyDrivers(ctx, r.Dir, dir, path.Join(driverFolder, r.PackageID))
		if err != nil {
			return err
		}
		line := fmt.Sprintf(`pnputil.exe /add-driver "%%WINDIR%%\Temp\bootyard-drivers\%s\*.inf" /subdirs /install`, r.PackageID)
		notes = []string{fmt.Sprintf("%d files are on the volume; Windows adds the drivers in the specialize pass of its setup. Drivers that it needs to start must be in the image", files)}
		return d.t.answer(dir, func(f *unattend.File) {
			f.RunOnce("bootyard: drivers of "+r.PackageID, `cmd.exe /d /c "`+line+` & exit /b 0"`)
		})
	})
	return notes, err
}

// copyDrivers copies a package onto the volume. One without a driver is a mistake of whoever made it.
func copyDrivers(ctx context.Context, from, dir, to string) (files int, err error) {
	source, err := os.OpenRoot(from)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	found := false
	err = fs.WalkDir(source.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		if ok, _ := regexp.MatchString(`(?i)\.inf$`, name); ok {
			found = true
		}
		return apply.CopyToWindows(source, name, dir, path.Join(to, filepath.ToSlash(name)))
	})
	if err == nil && !found {
		err = errors.New("the package has no .inf file: it holds no driver that Windows could add")
	}
	return files, err
}
