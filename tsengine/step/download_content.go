package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// DownloadContent is Download Package Content (TS-132). Fetching again is harmless.
type DownloadContent struct{}

// Contract implements Step.
func (DownloadContent) Contract() Contract {
	return Contract{Type: "DownloadPackageContentAction", Effect: true, Repeatable: true, Component: smstslog.Content}
}

// Run implements Step.
func (DownloadContent) Run(ctx context.Context, c *Context) Outcome {
	ids := strings.FieldsFunc(c.Input("OSDDownloadDownloadPackages"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(ids) == 0 {
		return Failure(CodeInvalid, errors.New("OSDDownloadDownloadPackages lists no package"))
	}
	place, err := downloadPlace(ctx, c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	goOn, err := c.InputBool("OSDDownloadContinueDownloadOnError", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	base, rooted := c.Input("OSDDownloadDestinationVariable"), false
	for i, id := range ids {
		request := c.contentRequest(id)
		request.Keep = true // later steps find it by variables, whoever needs room
		request.Preserve = request.Preserve || place.clientCache
		dir, err := c.content(ctx, request)
		if err == nil && place.root != "" {
			dir, err = moveTo(c, dir, place.root, id, !request.Preserve && ownContent(c, dir))
		}
		if err != nil {
			if !goOn {
				return Failure(CodeContent, err)
			}
			c.Log(smstslog.Warning, err.Error()+"; going on with the next package")
			continue
		}
		if base == "" {
			continue
		}
		if _, err := os.Stat(dir); err != nil {
			return Failure(CodeContent, err)
		}
		if err := c.Variables.Assign(variable.Assignment{Name: fmt.Sprintf("%s%02d", base, i+1), Value: dir}); err != nil {
			return Failure(CodeInvalid, err)
		}
		if !rooted {
			rooted = true
			if err := c.Variables.Assign(variable.Assignment{Name: base, Value: filepath.Dir(dir)}); err != nil {
				return Failure(CodeInvalid, err)
			}
		}
	}
	return Outcome{}
}

// place is where packages go; the zero value is the cache of the run.
type place struct {
	root        string // they are brought to a folder of their own below it
	clientCache bool
}

func downloadPlace(ctx context.Context, c *Context) (place, error) {
	kind := strings.TrimSpace(c.Input("OSDDownloadDestinationLocationType"))
	switch strings.ToLower(kind) {
	case "", "tscache":
		return place{}, nil
	case "ccmcache":
		if c.Environment == machine.WinPE {
			return place{}, errors.New("the client cache is not there in the boot environment; use TSCache or Custom (TS-132)")
		}
		if c.Variables.Value("_SMSTSClientCache") == "" {
			return place{}, errors.New("this computer has no client cache (_SMSTSClientCache is not set); use TSCache or Custom")
		}
		return place{clientCache: true}, nil
	case "custom":
	default:
		return place{}, fmt.Errorf("OSDDownloadDestinationLocationType is %q; TSCache, CCMCache or Custom is expected", kind)
	}
	root, err := customRoot(ctx, c, strings.TrimSpace(c.Input("OSDDownloadDestinationPath")))
	return place{root: root}, err
}

// customRoot finds the folder that a custom path means: on a connected network folder, on a volume of this run by its
// letter, or on this machine.
func customRoot(ctx context.Context, c *Context, text string) (string, error) {
	if dir := c.Volumes.NetworkPath(text); dir != "" {
		return dir, nil
	}
	if v, rest, ok := c.Volumes.OnVolume(text); ok && c.Machine.Volumes != nil {
		dir, err := c.Machine.Volumes.Folder(ctx, *v)
		if err != nil {
			return "", fmt.Errorf("OSDDownloadDestinationPath %s: %w", text, err)
		}
		return filepath.Join(dir, filepath.FromSlash(rest)), nil
	}
	if !filepath.IsAbs(text) || slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '\\' }), "..") {
		return "", fmt.Errorf("OSDDownloadDestinationPath is %q; the path of a folder on this machine, on a volume of this run (C:\\folder) or on a connected network folder is expected, without \"..\"", text)
	}
	return filepath.Clean(text), nil
}

// ownContent says whether content is in a folder of this run only: what lies in the client cache, or is used where it lies
// (TS-135, TS-136), belongs to others too.
func ownContent(c *Context, dir string) bool {
	if c.Variables.True("_SMSTSRunFromDP") {
		return false
	}
	cache := c.Variables.Value("_SMSTSClientCache")
	if cache == "" {
		return true
	}
	rel, err := filepath.Rel(cache, dir)
	return err == nil && !filepath.IsLocal(rel)
}

// moveTo moves a package from the cache to <root>/<PackageID>, or copies what is not its own to move; what an earlier try
// left there gives way (TS-132).
func moveTo(c *Context, dir, root, id string, own bool) (string, error) {
	place := filepath.Join(root, id)
	if place == dir {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("move package %s: %w", id, err)
	}
	fresh := place + ".new"
	err := os.RemoveAll(fresh)
	moved := err == nil && own && os.Rename(dir, fresh) == nil
	if err == nil && !moved { // another volume, or content that cannot be moved
		err = os.CopyFS(fresh, os.DirFS(dir))
	}
	if err == nil {
		err = os.RemoveAll(place)
	}
	if err == nil {
		err = os.Rename(fresh, place)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("move package %s to %s: %w", id, root, err), os.RemoveAll(fresh))
	}
	if own {
		_ = os.RemoveAll(dir) // a copy that is left in the cache costs room and nothing else
	}
	c.Log(smstslog.Info, "Content of package "+id+" is now in "+place)
	return place, c.Variables.Set("_SMSTS"+id, place)
}
