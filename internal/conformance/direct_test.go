package conformance_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	contentclient "github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/packageshare"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
)

// share is the package share of the bench: Samba on a port of the loopback.
type share struct {
	*packageshare.Share
	b   *bench
	dir string
}

// Locate implements site.PackageShare.
func (s *share) Locate(_ context.Context, id string, version int) *wire.ContentShare {
	if !s.Ready(id, version) {
		return nil
	}
	return &wire.ContentShare{Path: `\\127.0.0.1\packages`, Port: s.Port(), Account: packageshare.Account, Password: s.Password()}
}

// Shared implements packageshare.Source.
func (s *share) Shared(ctx context.Context) (out []packageshare.Package, err error) {
	all, err := s.b.Packages(ctx)
	for _, p := range all {
		if p.PackageShare {
			out = append(out, packageshare.Package{ID: p.ID, Version: p.Version})
		}
	}
	return out, err
}

// shareSource is the bench's library with the list of packages.
type shareSource struct {
	*files
	*share
}

// newShareBench is a bench with a package share. Where that cannot be, the row
// is shown in part only, with the reason, and nil is returned.
func newShareBench(t *testing.T) *bench {
	t.Helper()
	missing := ""
	switch _, err := exec.LookPath("smbd"); {
	case err != nil:
		missing = "smbd is not installed"
	case os.Geteuid() != 0:
		missing = "smbd needs root"
	}
	if missing != "" {
		partly(t, "not run from a share here: "+missing)
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := l.Addr().String()
	require.NoError(t, l.Close())
	s := &share{dir: filepath.Join(t.TempDir(), "share")}
	b := newBench(t, func(_ *bench, c *site.Config) { c.Share = s })
	s.b, b.share = b, s
	s.Share, err = packageshare.New(packageshare.Config{Dir: s.dir, Listen: listen, Password: "0123456789abcdefghij", Source: shareSource{b.files, s}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(b.Ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	wait, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	require.NoError(t, s.Wait(wait))
	return b
}

// arrived waits until packages are in the share and returns the folder of one there.
func (b *bench) arrived(packages ...wire.Package) string {
	b.t.Helper()
	for _, p := range packages {
		require.Eventually(b.t, func() bool { return b.share.Ready(p.ID, p.Version) }, time.Minute, 20*time.Millisecond, p.ID)
	}
	return filepath.Join(b.share.dir, "packages")
}

// realCommands runs what the sequence says, with a note of it.
type realCommands struct {
	process.Runner
	journal *journal
}

// Run implements machine.Commands.
func (c realCommands) Run(ctx context.Context, command machine.Command) (machine.Exit, error) {
	c.journal.add("command " + command.Line)
	return c.Runner.Run(ctx, command)
}

// inPlace makes a client run real programs from connected shares. False: shares cannot be connected here.
func (c *client) inPlace() bool {
	c.b.t.Helper()
	folders, why := connector(c.b.t)
	if folders == nil {
		partly(c.b.t, "not run from a share here: "+why)
		return false
	}
	c.config.Commands, c.config.Local.Folders = realCommands{journal: c.b.journal}, folders
	c.restart()
	return true
}

// connector connects shares by the kernel's own client, else, where the kernel
// has none, by rclone in user space. Both speak encrypted SMB 3 with Samba.
func connector(t *testing.T) (machine.NetworkFolders, string) {
	t.Helper()
	known, err := os.ReadFile("/proc/filesystems")
	require.NoError(t, err)
	if strings.Contains(string(known), "\tcifs\n") || exec.Command("modprobe", "-q", "cifs").Run() == nil {
		return host.Folders{Dir: t.TempDir()}, ""
	}
	for _, tool := range []string{"rclone", "fusermount3"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, "the kernel has no cifs, and there is no " + tool
		}
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		return nil, "the kernel has neither cifs nor fuse"
	} else {
		_ = f.Close()
	}
	return &rclone{t: t, mounts: map[string]*exec.Cmd{}}, ""
}

// rclone is a machine.NetworkFolders in user space.
type rclone struct {
	t      *testing.T
	mounts map[string]*exec.Cmd
}

func (r *rclone) Connect(ctx context.Context, q machine.FolderRequest) (string, error) {
	require.True(r.t, q.ReadOnly && q.Sealed, "read only and encrypted")
	server, name, _ := strings.Cut(strings.TrimPrefix(q.Path, `\\`), `\`)
	obscure := exec.CommandContext(ctx, "rclone", "obscure", "-")
	obscure.Stdin = strings.NewReader(q.Password)
	password, err := obscure.Output()
	if err != nil {
		return "", err
	}
	dir := r.t.TempDir()
	mount := exec.Command("rclone", "mount", "dp:"+name, dir, "--read-only", "--dir-cache-time", "1s", "--config", filepath.Join(r.t.TempDir(), "none"))
	mount.Env = append(os.Environ(), "RCLONE_CONFIG_DP_TYPE=smb", "RCLONE_CONFIG_DP_HOST="+server, fmt.Sprint("RCLONE_CONFIG_DP_PORT=", q.Port),
		"RCLONE_CONFIG_DP_USER="+q.Account, "RCLONE_CONFIG_DP_PASS="+strings.TrimSpace(string(password)))
	if err := mount.Start(); err != nil {
		return "", err
	}
	r.mounts[q.Path] = mount
	r.t.Cleanup(func() { _ = r.Disconnect(context.Background(), q) })
	require.Eventually(r.t, func() bool { return mounted(r.t, dir) }, 30*time.Second, 20*time.Millisecond, "rclone does not mount")
	return dir, nil
}

func (r *rclone) Disconnect(_ context.Context, q machine.FolderRequest) error {
	mount := r.mounts[q.Path]
	if mount == nil {
		return nil
	}
	delete(r.mounts, q.Path)
	_ = mount.Process.Signal(os.Interrupt) // it unmounts
	_ = mount.Wait()
	_ = exec.Command("fusermount3", "-uz", mount.Args[3]).Run() // when it did not
	return nil
}

func mounted(t *testing.T, dir string) bool {
	data, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	return strings.Contains(string(data), " "+dir+" ")
}

// nothingCached holds that the agent kept no content.
func (c *client) nothingCached() {
	c.b.t.Helper()
	for _, name := range []string{"Packages", "ClientCache"} {
		list, err := contentclient.List(filepath.Join(c.config.Dir, name))
		require.NoError(c.b.t, err)
		require.Empty(c.b.t, list)
	}
}

// scriptsInto is example three with scripts that really run and write to a file.
func (b *bench) scriptsInto(file string) (wire.DeploymentSpec, []wire.Package) {
	b.t.Helper()
	packages, steps := []wire.Package{}, []string{}
	for _, name := range []string{"first", "second"} {
		p := b.pkgAs(map[string]any{"name": name, "packageShare": true}, "echo "+name+" $1 >>"+file+"\n")
		packages = append(packages, p)
		steps = append(steps, withPackage(name, p.ID, "sh run.sh %_SMSTSRunFromDP%", false))
	}
	return wire.DeploymentSpec{TaskSequence: b.tasks("Scripts", steps...).ID, Purpose: wire.Required, Assignments: asap, DeploymentOption: wire.DirectFromDP}, packages
}

func direct(t *testing.T) {
	b := newShareBench(t)
	if b == nil {
		return
	}
	c := b.client("pc-1", "UTC")
	if !c.inPlace() {
		return
	}
	out := filepath.Join(t.TempDir(), "out")
	spec, packages := b.scriptsInto(out)
	b.arrived(packages...)
	spec.Collection = b.collection("One", c.device).ID
	d := b.create(spec)
	_, before := b.journal.since(0)
	c.round()
	runs := b.runs(d.ID)
	require.Len(t, runs, 1)
	require.Equal(t, wire.RunSucceeded, runs[0].State, runs[0].Message)
	said, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "first true\nsecond true\n", string(said), "TS-130: _SMSTSRunFromDP")
	lines, _ := b.journal.since(before)
	require.Len(t, lines, 2, "nothing but the two programs: no file was downloaded")
	c.nothingCached()
	data, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(data), "dp:packages", "disconnected at the end")
	log, err := os.ReadFile(filepath.Join(b.share.dir, "samba", "log"))
	require.NoError(t, err)
	for _, p := range packages {
		require.Contains(t, string(log), "opened file "+p.ID+"/run.sh read=Yes write=No", "the distribution point's own log")
	}
	text := c.screen.String()
	require.Contains(t, text, "its hash is not verified (DOP-15)")
	require.NotContains(t, text, b.share.Password())
	require.NoError(t, filepath.WalkDir(c.config.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NotContains(t, string(data), b.share.Password(), path)
		return err
	}))
}

// alteredRuns is the second half of S-97: who administers the distribution point decides what runs.
func alteredRuns(t *testing.T) {
	b := newShareBench(t)
	if b == nil {
		return
	}
	c := b.client("pc-1", "UTC")
	if !c.inPlace() {
		return
	}
	out := filepath.Join(t.TempDir(), "out")
	spec, packages := b.scriptsInto(out)
	file := filepath.Join(b.arrived(packages...), packages[0].ID, "run.sh")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "first", "f1rst", 1)), 0o755))
	spec.Collection = b.collection("One", c.device).ID
	require.Contains(t, rules(b.dry(spec).Warnings), "DOP-15")
	require.NotContains(t, rules(b.dry(spec).Warnings), "DOP-13", "there is a share")
	d := b.create(spec)
	c.round()
	require.Equal(t, wire.RunSucceeded, b.runs(d.ID)[0].State)
	said, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "f1rst true\nsecond true\n", string(said), "one byte was changed, and it ran")
}

// sharePresent is the second half of S-103.
func sharePresent(t *testing.T) {
	b := newShareBench(t)
	if b == nil {
		return
	}
	_, packages := onlyScripts(b, true)
	tree := b.arrived(packages...)
	for _, p := range packages {
		require.FileExists(t, filepath.Join(tree, p.ID, "run.sh"))
	}
	require.False(t, call[wire.Package](b, "POST", "/packages/"+packages[0].ID+"/unshare", nil).PackageShare)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(tree, packages[0].ID))
		return os.IsNotExist(err)
	}, time.Minute, 20*time.Millisecond)
	require.True(t, call[wire.Package](b, "POST", "/packages/"+packages[0].ID+"/share", nil).PackageShare)
	b.arrived(packages...)
	folders, why := connector(t)
	if folders == nil {
		partly(t, "the share was not listed by a client here: "+why)
		return
	}
	dir, err := folders.Connect(t.Context(), machine.FolderRequest{Path: `\\127.0.0.1\packages`, Account: packageshare.Account, Password: b.share.Password(), Port: b.share.Port(), ReadOnly: true, Sealed: true})
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

// exampleThreeDirect is the third option of S-105.
func exampleThreeDirect(t *testing.T) {
	b := newShareBench(t)
	if b == nil {
		return
	}
	c := b.client("pc-1", "UTC")
	if !c.inPlace() {
		return
	}
	out := filepath.Join(t.TempDir(), "out")
	spec, packages := b.scriptsInto(out)
	b.arrived(packages...)
	spec.Collection = b.collection("One", c.device).ID
	for n, o := range []wire.Option{wire.AsNeeded, wire.AllBefore, wire.DirectFromDP} {
		spec.DeploymentOption = o
		d := b.create(spec)
		c.round()
		require.Equal(t, wire.RunSucceeded, b.runs(d.ID)[0].State, o)
		said, err := os.ReadFile(out)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSpace(string(said)), "\n")
		require.Len(t, lines, 2*(n+1))
		require.Equal(t, fmt.Sprint("second ", o == wire.DirectFromDP), lines[len(lines)-1])
	}
}
