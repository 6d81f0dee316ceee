package step

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// ApplyOS is Apply Operating System Image: it empties a volume, writes an image to it and makes it start. The first
// such step of a run is the operating system to boot [C]. After an interruption it may run again: it begins by emptying
// the volume.
type ApplyOS struct{}

// Contract implements Step.
func (ApplyOS) Contract() Contract {
	return Contract{Type: "ApplyOperatingSystemAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: smstslog.ApplyOS}
}

// Run implements Step.
func (ApplyOS) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Images == nil {
		return Failure(CodeEnvironment, errors.New("an image can be applied only in the boot environment (TS-21)"))
	}
	request, err := readImage(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if request.Target, err = destination(c); err != nil {
		return Failure(CodeInvalid, err)
	}
	if request.ConfigFile, err = configFile(ctx, c); err != nil {
		return Failure(CodeContent, err)
	}
	request.Bootable = c.Volumes.System() == nil || request.Target.Volume != nil && request.Target.Volume.HasOS
	if request.Bootable {
		*c.AgentOnDisk = false
	}
	return applyImage(ctx, c, request)
}

// applyImage is what Apply Operating System Image and Apply Data Image share.
func applyImage(ctx context.Context, c *Context, request machine.ApplyRequest) Outcome {
	var err error
	if request.Dir, err = c.Package(ctx, request.PackageID); err != nil {
		return Failure(CodeContent, err)
	}
	request.UEFI, request.ComputerName = c.UEFI, c.ComputerName()
	request.Volumes = append([]machine.Volume(nil), c.Volumes.Volumes...)
	if path := userState(c, request.Target); path != "" {
		request.Preserve = append(request.Preserve, path)
		c.Log(smstslog.Info, "Keeping the user state in "+path+" (TS-117)")
	}
	c.Log(smstslog.Info, fmt.Sprintf("Applying image %d of package %s to %s", request.Index, request.PackageID, where(request.Target)))
	applied, err := c.Machine.Images.Apply(ctx, request, c.Progress)
	if err != nil {
		return Failure(CodeFailed, err)
	}
	return recordImage(c, request, applied)
}

func where(t machine.Target) string {
	switch {
	case t.Disk == machine.AnyDisk:
		return "the machine's disk"
	case t.Partition == 0:
		return fmt.Sprintf("disk %d", t.Disk)
	}
	return fmt.Sprintf("disk %d, partition %d", t.Disk, t.Partition)
}

// userState is the folder of the user state when it is on the target (TS-117): relative to the volume when it is written
// with its letter, else a path of this machine.
func userState(c *Context, t machine.Target) string {
	path := strings.TrimSpace(c.Input("_SMSTSUserStatePath"))
	if strings.HasPrefix(path, "/") || path == "" {
		return path
	}
	letter, rest, ok := strings.Cut(strings.ReplaceAll(path, `\`, "/"), ":/")
	if v := c.Volumes.ByLetter(letter); ok && v != nil && t.Volume != nil && v.Letter == t.Volume.Letter {
		return strings.Trim(rest, "/")
	}
	return ""
}

// recordImage puts the applied volume into the table, with a letter, and sets OSDTargetSystemDrive.
func recordImage(c *Context, request machine.ApplyRequest, applied machine.Applied) Outcome {
	v, letter := applied.Volume, ""
	if request.Target.Volume != nil {
		letter = request.Target.Volume.Letter
	}
	if v.Partition == 0 {
		v.Disk, v.Partition = request.Target.Disk, request.Target.Partition
	}
	if applied.Volumes != nil {
		c.Volumes.Replace(v.Disk, applied.Volumes)
	}
	known := c.Volumes.ByNumber(v.Disk, v.Partition)
	if known == nil {
		c.Volumes.Volumes = append(c.Volumes.Volumes, v)
		known = &c.Volumes.Volumes[len(c.Volumes.Volumes)-1]
	}
	if known.Letter != "" {
		letter = known.Letter
	}
	if letter == "" {
		if letter = c.Volumes.FreeLetter(); letter == "" {
			return Failure(CodeFailed, errors.New("no drive letter is free for the volume"))
		}
	}
	update(known, v)
	known.Letter = letter
	if request.Data {
		known.HasData = true
		c.Log(smstslog.Info, strings.TrimSpace("The data is on "+letter+" "+applied.Description))
		return Outcome{}
	}
	known.HasOS = true
	if !request.Bootable {
		return Outcome{}
	}
	if err := c.Variables.Set("OSDTargetSystemDrive", letter); err != nil {
		return Failure(CodeFailed, err)
	}
	c.Log(smstslog.Info, strings.TrimSpace("The operating system is on "+letter+" "+applied.Description))
	return Outcome{}
}

// update takes over what the apply learned and keeps the rest.
func update(known *machine.Volume, v machine.Volume) {
	known.Disk, known.Partition = v.Disk, v.Partition
	for _, f := range []struct {
		to   *string
		from string
	}{{&known.FileSystem, v.FileSystem}, {&known.Name, v.Name}, {&known.Device, v.Device}, {&known.PartUUID, v.PartUUID}, {&known.UUID, v.UUID}} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if v.Bytes > 0 {
		known.Bytes = v.Bytes
	}
}

func readImage(c *Context) (machine.ApplyRequest, error) {
	r := machine.ApplyRequest{PackageID: strings.TrimSpace(c.Argument("ImagePackageID"))}
	if r.PackageID == "" {
		if id := c.Argument("InstallPackageID"); id != "" {
			return r, errors.New("installing from an operating system's setup files takes Windows PE and Windows Setup, which this boot environment is not; capture the system once and use an image package, or start the sequence in WinPE")
		}
		// Older exports have the id only in the action: /image:<pkg>,%OSDImageIndex%.
		_, rest, _ := strings.Cut(c.Node.Action, "/image:")
		r.PackageID, _, _ = strings.Cut(rest, ",")
		if r.PackageID == "" {
			return r, fmt.Errorf("step %q names no image package; choose one", c.Node.Name)
		}
	}
	var err error
	r.Index, err = c.InputInt("OSDImageIndex", 1, 1<<31-1, 1)
	return r, err
}

func configFile(ctx context.Context, c *Context) (string, error) {
	name := c.Input("OSDConfigFileName")
	id := strings.TrimSpace(c.Argument("ConfigFilePackage"))
	if name == "" || id == "" {
		return "", nil
	}
	local := filepath.FromSlash(strings.ReplaceAll(name, `\`, "/"))
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("answer file %q is not inside its package", name)
	}
	dir, err := c.Package(ctx, id)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, local), nil
}

// destination is at most one of disk and partition, drive, variable; none is the next formatted partition that no image
// step has used.
func destination(c *Context) (machine.Target, error) {
	disk, part := strings.TrimSpace(c.Argument("DestinationDisk")), strings.TrimSpace(c.Argument("DestinationPartition"))
	drive, name := strings.TrimSpace(c.Argument("DestinationLogicalDrive")), strings.TrimSpace(c.Argument("DestinationVariable"))
	switch {
	case name != "":
		text := c.Input(name)
		if text == "" {
			return machine.Target{}, fmt.Errorf("the destination is to come from variable %s, which is not set", name)
		}
		return c.Volumes.Resolve(text)
	case drive != "":
		return c.Volumes.Resolve(drive)
	case disk != "" && part != "":
		return c.Volumes.Resolve(disk + "," + part)
	case disk != "": // an image of a whole disk
		n, err := strconv.Atoi(disk)
		if err != nil || n < 0 || n > 99 {
			return machine.Target{}, fmt.Errorf("DestinationDisk is %q; a number from 0 to 99 is expected", disk)
		}
		return machine.Target{Disk: n}, nil
	}
	if _, rest, ok := strings.Cut(c.Node.Action, "/target:"); ok {
		text, _, _ := strings.Cut(c.Variables.Expand(rest), " ")
		return c.Volumes.Resolve(text)
	}
	v := c.Volumes.NextFree()
	if v == nil {
		if len(c.Volumes.Volumes) > 0 {
			return machine.Target{}, errors.New("there is no formatted partition without an operating system left; put a Format and Partition Disk step before this one or name the destination")
		}
		return machine.Target{Disk: machine.AnyDisk}, nil // nothing was partitioned: good for the image of a whole disk only
	}
	return machine.Target{Volume: v, Disk: v.Disk, Partition: v.Partition}, nil
}
