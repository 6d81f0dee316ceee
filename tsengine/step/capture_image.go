package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// CaptureImage is Capture Operating System Image: the system that is installed, and does not run, becomes a WIM or a tar
// archive, in a network folder or at the site. The name of the destination decides [C]: .tar.zst is tar, anything else WIM;
// bootyard:NAME is a new OS image of the site (IMG-1). It may run again, for the image appears only when it is whole.
type CaptureImage struct{}

// Contract implements Step.
func (CaptureImage) Contract() Contract {
	return Contract{Type: "CaptureSystemImageAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: "CaptureSystemImage"}
}

// Run implements Step.
func (CaptureImage) Run(ctx context.Context, c *Context) Outcome {
	if c.Machine.Imaging == nil {
		return Failure(CodeEnvironment, errors.New("a system can be captured only in the boot environment (TS-21)"))
	}
	c.Variables.AddSecret(c.Input("OSDCaptureAccountPassword"))
	r := machine.CaptureRequest{Creator: c.Input("OSDImageCreator"), Description: c.Input("OSDImageDescription"), Version: c.Input("OSDImageVersion")}
	target := strings.TrimSpace(c.Input("OSDCaptureDestination"))
	var err error
	switch {
	case target == "" || utf8.RuneCountInString(target) > 255:
		err = errors.New("OSDCaptureDestination must be 1 to 255 characters: a file in a network folder, such as \\\\server\\share\\image.wim, or bootyard:NAME")
	case utf8.RuneCountInString(r.Description) > 255:
		err = errors.New("OSDImageDescription is longer than 255 characters")
	case utf8.RuneCountInString(r.Version) > 32:
		err = errors.New("OSDImageVersion is longer than 32 characters")
	default:
		r.Target, err = systemRoot(c)
	}
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	r.Tar = strings.HasSuffix(strings.ToLower(target), ".tar.zst")
	if name, ok := siteImage(target); ok {
		return storeImage(ctx, c, r, name)
	}
	if r.File, err = captureFile(ctx, c, target); err != nil {
		return Failure(CodeFailed, err)
	}
	r.Name = imageName(path.Base(r.File))
	c.Log(smstslog.Info, "Capturing the operating system to "+target)
	done, err := c.Machine.Imaging.CaptureImage(ctx, r, c.Progress)
	if err != nil {
		return Failure(CodeFailed, err)
	}
	for _, note := range done.Notes {
		c.Log(smstslog.Info, note)
	}
	c.Log(smstslog.Info, fmt.Sprintf("Captured %d image(s), %d bytes", done.Images, done.Bytes))
	return Outcome{}
}

// siteScheme begins a destination at the site.
const siteScheme = "bootyard:"

func siteImage(target string) (name string, ok bool) {
	if len(target) < len(siteScheme) || !strings.EqualFold(target[:len(siteScheme)], siteScheme) {
		return "", false
	}
	return strings.TrimSpace(target[len(siteScheme):]), true
}

// imageName is a file's name without what says its format.
func imageName(file string) string {
	for _, end := range []string{".tar.zst", ".wim"} {
		if n := len(file) - len(end); n >= 0 && strings.EqualFold(file[n:], end) {
			return file[:n]
		}
	}
	return file
}

// storeImage captures into the site (IMG-1). What tells the step from others of the run is its place and its words: an
// interrupted capture goes on, and one that came whole is not made again.
func storeImage(ctx context.Context, c *Context, r machine.CaptureRequest, file string) Outcome {
	if c.Machine.ImageStore == nil {
		return Failure(CodeEnvironment, errors.New("this run has no appliance that takes the image; capture to a share"))
	}
	if r.Name = imageName(file); r.Name == "" || strings.ContainsAny(file, "/\\") {
		return Failure(CodeInvalid, fmt.Errorf("the destination bootyard:%s is not of the form bootyard:NAME.wim or bootyard:NAME.tar.zst", file))
	}
	image := machine.StoredImage{Step: fmt.Sprintf("%d %.60s %.60s", c.Node.Pointer, c.Node.Name, file), Name: r.Name, Tar: r.Tar,
		Author: r.Creator, Description: r.Description, Version: r.Version}
	c.Log(smstslog.Info, "Capturing the operating system into the appliance as "+r.Name)
	id, err := c.Machine.ImageStore.Store(ctx, image, func(w io.Writer) (int64, error) {
		r.Stream = w
		done, err := c.Machine.Imaging.CaptureImage(ctx, r, c.Progress)
		for _, note := range done.Notes {
			c.Log(smstslog.Info, note)
		}
		return done.Unpacked, err
	})
	if err != nil {
		return Failure(CodeFailed, err)
	}
	c.Log(smstslog.Info, fmt.Sprintf("The image %s is package %s", r.Name, id))
	return Outcome{}
}

// systemRoot is the volume that OSDTargetSystemRoot names: C:\Windows, C: or disk,partition. What Prepare Windows for
// Capture left there on another system (C:\Windows, /) names no volume of this environment: then it is searched for.
func systemRoot(c *Context) (*machine.Target, error) {
	text := strings.TrimSpace(c.Input("OSDTargetSystemRoot"))
	if strings.Contains(text, ",") {
		t, err := c.Volumes.Resolve(text)
		return &t, err
	}
	if len(text) >= 2 && text[1] == ':' {
		if v := c.Volumes.ByLetter(text[:1]); v != nil {
			return &machine.Target{Volume: v, Disk: v.Disk, Partition: v.Partition}, nil
		}
	}
	if v := c.Volumes.System(); v != nil {
		return &machine.Target{Volume: v, Disk: v.Disk, Partition: v.Partition}, nil
	}
	return nil, nil
}

// captureFile is the place of the destination on this machine. A share that is not connected is, with the step's account.
func captureFile(ctx context.Context, c *Context, target string) (string, error) {
	if file := c.Volumes.NetworkPath(target); file != "" {
		return file, nil
	}
	rest, unc := strings.CutPrefix(target, `\\`)
	parts := strings.SplitN(rest, `\`, 3)
	if !unc || len(parts) < 3 || parts[2] == "" {
		return "", fmt.Errorf("the destination %q is neither a file on a connected drive nor of the form \\\\server\\share\\file.wim", target)
	}
	share := `\\` + parts[0] + `\` + parts[1]
	if !uncPath.MatchString(target) || strings.Contains(target+`\`, `\..\`) {
		return "", fmt.Errorf("the destination %q is not a path of the form \\\\server\\share\\file.wim", target)
	}
	if c.Machine.Folders == nil {
		return "", errors.New("this environment cannot connect network folders")
	}
	r := machine.FolderRequest{Path: share, Account: strings.TrimSpace(c.Input("OSDCaptureAccount")), Password: c.Input("OSDCaptureAccountPassword")}
	if r.Account == "" || r.Password == "" {
		return "", fmt.Errorf("OSDCaptureAccount and its password are needed to write to %s", share)
	}
	dir, err := c.Machine.Folders.Connect(ctx, r)
	if err != nil {
		return "", fmt.Errorf("connect %s: %w", share, err)
	}
	c.Volumes.Connected(machine.NetworkFolder{Path: share, Dir: dir})
	if file := c.Volumes.NetworkPath(target); file != "" {
		return file, nil
	}
	return "", fmt.Errorf("the destination %q leads out of its share", target)
}
