package step_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/step"
)

func TestApplyDataImage(t *testing.T) {
	volumes := []machine.Volume{{Letter: "C:", Disk: 0, Partition: 1, FileSystem: "EXT4", HasOS: true}, {Letter: "D:", Disk: 0, Partition: 2, FileSystem: "NTFS"}}
	for name, c := range map[string]struct {
		variables []string
		keep      bool
		fails     string
	}{
		"the next partition that is free": {},
		"files stay":                      {[]string{"OSDWipeDestinationPartition", "false", "!DestinationLogicalDrive", "C:"}, true, ""},
		"never over the system":           {[]string{"!DestinationLogicalDrive", "C:"}, false, "would delete it"},
		"no such image":                   {[]string{"OSDDataImageIndex", "0"}, false, "OSDDataImageIndex"},
	} {
		t.Run(name, func(t *testing.T) {
			b := prepare(t, node("ApplyDataImageAction", append([]string{"!ImagePackageID", "BYD00001"}, c.variables...)...), "_SMSTSUserStatePath", `D:\State`)
			b.context.Volumes.Volumes = append([]machine.Volume(nil), volumes...)
			images := &images{}
			b.context.Machine.Images, b.context.Machine.Content = images, images
			out := b.run(t)
			if c.fails != "" {
				require.ErrorContains(t, out.Err, c.fails)
				return
			}
			require.NoError(t, out.Err)
			require.True(t, images.request.Data)
			require.False(t, images.request.Bootable)
			require.Equal(t, c.keep, images.request.Keep)
			require.Equal(t, "C:", b.context.Volumes.System().Letter, "data makes no system")
			if !c.keep {
				require.Equal(t, 2, images.request.Target.Partition)
				require.Equal(t, []string{"State"}, images.request.Preserve, "TS-117")
				require.Nil(t, b.context.Volumes.NextFree())
			}
		})
	}
}

type recorder struct{ request machine.CaptureRequest }

func (r *recorder) CaptureImage(_ context.Context, q machine.CaptureRequest, _ machine.Progress) (machine.Captured, error) {
	r.request = q
	return machine.Captured{Bytes: 5, Images: 1}, nil
}

type shares struct{ request machine.FolderRequest }

func (s *shares) Disconnect(context.Context, machine.FolderRequest) error { return nil }

func (s *shares) Connect(_ context.Context, r machine.FolderRequest) (string, error) {
	s.request = r
	return "/drives/0", nil
}

func TestCaptureImageStep(t *testing.T) {
	b := prepare(t, node("CaptureSystemImageAction", "OSDCaptureDestination", `\\srv\images\sub\ref.wim`, "OSDCaptureAccount", `DOM\me`, "OSDCaptureAccountPassword", "geheim",
		"OSDImageCreator", "me", "OSDImageVersion", "1", "OSDImageDescription", "text"), "OSDTargetSystemRoot", "/")
	r, s := &recorder{}, &shares{}
	b.context.Machine.Imaging, b.context.Machine.Folders = r, s
	require.NoError(t, b.run(t).Err)
	require.Equal(t, machine.CaptureRequest{File: "/drives/0/sub/ref.wim", Name: "ref", Creator: "me", Description: "text", Version: "1"}, r.request)
	require.Equal(t, machine.FolderRequest{Path: `\\srv\images`, Account: `DOM\me`, Password: "geheim"}, s.request)
	for _, bad := range []string{"", "image.wim", `\\srv\images`, `\\srv\images\..\x.wim`, "/etc/passwd"} {
		b := prepare(t, node("CaptureSystemImageAction", "OSDCaptureDestination", bad, "OSDCaptureAccount", "a", "OSDCaptureAccountPassword", "b"))
		r := &recorder{}
		b.context.Machine.Imaging, b.context.Machine.Folders = r, s
		require.Error(t, b.run(t).Err, bad)
		require.Empty(t, r.request.File)
	}
}

// siteImages is a site that takes one image.
type siteImages struct {
	image   machine.StoredImage
	content bytes.Buffer
}

func (s *siteImages) Store(_ context.Context, image machine.StoredImage, write func(io.Writer) (int64, error)) (string, error) {
	s.image = image
	_, err := write(&s.content)
	return "BYD00009", err
}

// IMG-1: a destination at the site.
func TestIMG1CaptureIntoTheSite(t *testing.T) {
	for destination, want := range map[string]machine.StoredImage{
		"bootyard:Reference 2026.tar.zst": {Name: "Reference 2026", Tar: true},
		"BootYard: Reference.WIM ":        {Name: "Reference"},
		"bootyard:plain":                  {Name: "plain"},
	} {
		b := prepare(t, node("CaptureSystemImageAction", "OSDCaptureDestination", destination, "OSDImageCreator", "me", "OSDImageVersion", "1", "OSDImageDescription", "text"))
		r, s := &recorder{}, &siteImages{}
		b.context.Machine.Imaging, b.context.Machine.ImageStore = r, s
		require.NoError(t, b.run(t).Err)
		require.Contains(t, s.image.Step, "0 ")
		want.Step, want.Author, want.Description, want.Version = s.image.Step, "me", "text", "1"
		require.Equal(t, want, s.image)
		require.Equal(t, machine.CaptureRequest{Stream: &s.content, Tar: want.Tar, Name: want.Name, Creator: "me", Description: "text", Version: "1"}, r.request, "no share, no account")
	}
	for _, bad := range []string{"bootyard:", "bootyard:.wim", "bootyard:a/b.wim", `bootyard:..\\x`} {
		b := prepare(t, node("CaptureSystemImageAction", "OSDCaptureDestination", bad))
		r := &recorder{}
		b.context.Machine.Imaging, b.context.Machine.ImageStore = r, &siteImages{}
		require.Equal(t, step.CodeInvalid, b.run(t).Code, bad)
		require.Nil(t, r.request.Stream)
	}
	b := prepare(t, node("CaptureSystemImageAction", "OSDCaptureDestination", "bootyard:x"))
	b.context.Machine.Imaging = &recorder{}
	require.ErrorContains(t, b.run(t).Err, "no appliance", "a stand-alone medium has none")
}

type packages struct{ dir string }

func (p packages) Fetch(_ context.Context, r machine.ContentRequest, _ machine.Progress) (machine.Fetched, error) {
	id := r.PackageID
	if id == "BYD00002" {
		return machine.Fetched{}, errors.New("not there")
	}
	dir := filepath.Join(p.dir, id)
	return machine.Fetched{Dir: dir}, errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), []byte(id), 0o600))
}

type volumeFolders struct{ dir string }

func (v volumeFolders) Folder(_ context.Context, volume machine.Volume) (string, error) {
	if volume.Partition != 2 {
		return "", errors.New("another volume")
	}
	return v.dir, nil
}

func TestTS132DownloadPackageContent(t *testing.T) {
	get := func(t *testing.T, environment machine.Environment, variables ...string) (bench, step.Outcome) {
		b := prepare(t, node("DownloadPackageContentAction", append([]string{"OSDDownloadDownloadPackages", "BYD00001, BYD00002,BYD00003", "OSDDownloadDestinationVariable", "V"}, variables...)...))
		b.context.Machine.Content, b.context.Environment = packages{t.TempDir()}, environment
		return b, b.run(t)
	}
	root := filepath.Join(t.TempDir(), "custom")
	custom := []string{"OSDDownloadDestinationLocationType", "Custom", "OSDDownloadDestinationPath", root, "OSDDownloadContinueDownloadOnError", "true"}
	for range 2 { // again over what is there
		b, out := get(t, machine.WinPE, custom...)
		require.NoError(t, out.Err)
		require.Equal(t, root, b.context.Variables.Value("V"))
		require.Equal(t, filepath.Join(root, "BYD00001"), b.context.Variables.Value("V01"))
		require.Empty(t, b.context.Variables.Value("V02"))
		require.Equal(t, filepath.Join(root, "BYD00003"), b.context.Variables.Value("_SMSTSBYD00003"))
		require.FileExists(t, filepath.Join(root, "BYD00003", "f"))
	}
	_, out := get(t, machine.WinPE)
	require.Equal(t, step.CodeContent, out.Code)
	// A volume of the run by its letter, also from a variable.
	for text, want := range map[string]string{`D:\x\y`: "x/y", `%OSDTargetSystemDrive%\x`: "x", "d:": "", `C:\x`: "!", `D:\..\x`: "!", "D:x": "!"} {
		volume := t.TempDir()
		b := prepare(t, node("DownloadPackageContentAction", "OSDDownloadDownloadPackages", "BYD00001", "OSDDownloadDestinationVariable", "V",
			"OSDDownloadDestinationLocationType", "Custom", "OSDDownloadDestinationPath", text), "OSDTargetSystemDrive", "D:")
		b.context.Machine.Content, b.context.Machine.Volumes = packages{t.TempDir()}, volumeFolders{volume}
		b.context.Volumes.Volumes = []machine.Volume{{Letter: "D:", Disk: 0, Partition: 2}}
		out := b.run(t)
		if want == "!" {
			require.ErrorContains(t, out.Err, "OSDDownloadDestinationPath", text)
			continue
		}
		require.NoError(t, out.Err, text)
		require.Equal(t, filepath.Join(volume, want, "BYD00001"), b.context.Variables.Value("V01"))
		require.FileExists(t, filepath.Join(volume, want, "BYD00001", "f"))
	}
	for _, out := range []string{"/x/../etc", `/x\..\etc`, "/.."} {
		_, o := get(t, machine.WinPE, "OSDDownloadDestinationLocationType", "Custom", "OSDDownloadDestinationPath", out)
		require.ErrorContains(t, o.Err, `".."`)
	}
	_, out = get(t, machine.WinPE, "OSDDownloadDestinationLocationType", "CCMCache")
	require.ErrorContains(t, out.Err, "boot environment")
	_, out = get(t, machine.FullOS, "OSDDownloadDestinationLocationType", "CCMCache")
	require.ErrorContains(t, out.Err, "no client cache")
	_, out = get(t, machine.WinPE, "OSDDownloadDestinationLocationType", "Custom", "OSDDownloadDestinationPath", "relative")
	require.ErrorContains(t, out.Err, "OSDDownloadDestinationPath")
}

// TS-132, TS-136: what others use too, in the client cache or where it lies, is copied to a custom path; what is in the
// cache of the run is moved.
func TestTS132CustomPathLeavesTheClientCache(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		cached    bool
		moved     bool
	}{
		"cache of the run":   {moved: true},
		"beside the cache":   {map[string]string{"_SMSTSClientCache": filepath.Join(os.TempDir(), "elsewhere")}, false, true},
		"client cache":       {nil, true, false},
		"to be preserved":    {map[string]string{"SMSTSPreserveContent": "true"}, false, false},
		"used where it lies": {map[string]string{"_SMSTSRunFromDP": "true"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			from, root := t.TempDir(), filepath.Join(t.TempDir(), "custom")
			b := prepare(t, node("DownloadPackageContentAction", "OSDDownloadDownloadPackages", "BYD00001", "OSDDownloadDestinationLocationType", "Custom", "OSDDownloadDestinationPath", root))
			b.context.Machine.Content, b.context.Environment = packages{from}, machine.FullOS
			for k, v := range c.variables {
				require.NoError(t, b.context.Variables.Set(k, v))
			}
			if c.cached {
				require.NoError(t, b.context.Variables.Set("_SMSTSClientCache", from))
			}
			require.NoError(t, b.run(t).Err)
			require.FileExists(t, filepath.Join(root, "BYD00001", "f"))
			if c.moved {
				require.NoDirExists(t, filepath.Join(from, "BYD00001"))
			} else {
				require.FileExists(t, filepath.Join(from, "BYD00001", "f"))
			}
		})
	}
}
