package agent_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const sharePassword = "share-password-secret"

// shareFolder stands in for a mounted share.
type shareFolder struct {
	dir       string
	err       error
	connected []machine.FolderRequest
	ended     int
}

func (f *shareFolder) Connect(_ context.Context, r machine.FolderRequest) (string, error) {
	f.connected = append(f.connected, r)
	return f.dir, f.err
}

func (f *shareFolder) Disconnect(context.Context, machine.FolderRequest) error {
	f.ended++
	return nil
}

// direct is a boot environment whose run uses two packages in place.
func direct(t *testing.T) (*bench, *shareFolder) {
	b, f := newBench(t), &shareFolder{dir: t.TempDir()}
	b.config.Local.Folders = f
	b.run.Option, b.run.Packages = wire.DirectFromDP, []string{"BYD00003", "BYD00004"}
	for _, id := range b.run.Packages {
		b.addPackage(id, "run.sh", "echo "+id)
		require.NoError(t, os.Mkdir(filepath.Join(f.dir, id), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(f.dir, id, "run.sh"), []byte("altered"), 0o755))
	}
	b.share = &wire.ContentShare{Path: `\\dp\packages`, Port: 4445, Account: "nobody", Password: sharePassword}
	b.run.SequenceXML = sequenceOf(command("how", "echo %_SMSTSRunFromDP% %_SMSTSDownloadOnDemand%"), packageCommand("one", "BYD00003", "sh run.sh"),
		packageCommand("two", "BYD00004", "sh run.sh"), command("where", "echo %_SMSTSLastContentDownloadLocation% %_SMSTSBYD00004%"))
	return b, f
}

// TS-130, DOP-13: content is used where it lies, nothing is kept, and it is said that nobody looked at its hash.
func TestTS130RunsFromTheShare(t *testing.T) {
	b, f := direct(t)
	var dirs []string
	b.commands.On = func(_ context.Context, c machine.Command) {
		if c.Line == "sh run.sh" {
			dirs = append(dirs, c.Dir)
			require.Zero(t, f.ended)
		}
	}
	require.NoError(t, b.boot(t.Context()))
	require.Equal(t, []string{filepath.Join(f.dir, "BYD00003"), filepath.Join(f.dir, "BYD00004")}, dirs)
	require.Equal(t, []string{"echo true false", "sh run.sh", "sh run.sh", `echo \\dp\packages\BYD00004 ` + filepath.Join(f.dir, "BYD00004")}, b.commands.All())
	require.Equal(t, []machine.FolderRequest{{Path: `\\dp\packages`, Account: "nobody", Password: sharePassword, Port: 4445, ReadOnly: true, Sealed: true}}, f.connected, "once")
	require.Equal(t, 1, f.ended, "disconnected at the end")
	require.NotContains(t, strings.Join(b.requests, "\n"), "/blobs/")
	require.Empty(t, cachedIDs(t, filepath.Join(b.config.Dir, "Packages")))
	require.Contains(t, b.screen.String(), "its hash is not verified (DOP-15)")
	require.Contains(t, string(b.log), "its hash is not verified (DOP-15)")
	told := 0
	for _, e := range b.events {
		if e.Kind == wire.EventContent {
			told++
			require.Contains(t, e.Text, "not verified (DOP-15)")
			require.Zero(t, e.Hashes)
		}
		require.NotContains(t, e.Text, sharePassword)
	}
	require.Equal(t, 2, told)
	require.NotContains(t, b.screen.String()+string(b.log), sharePassword)
	require.NoError(t, filepath.WalkDir(b.config.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		require.NotContains(t, readFile(t, path), sharePassword, path)
		return nil
	}))
}

func TestTS130WithoutAShareNothingRuns(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *bench, f *shareFolder)
		fails  string
	}{
		"the appliance names none": {func(b *bench, _ *shareFolder) { b.share = nil }, "names no package share"},
		"no client for shares":     {func(b *bench, _ *shareFolder) { b.config.Local.Folders = nil }, "cannot connect shares"},
		"the server refuses":       {func(_ *bench, f *shareFolder) { f.err = errors.New("refuses the account") }, "refuses the account"},
	} {
		t.Run(name, func(t *testing.T) {
			b, f := direct(t)
			c.change(b, f)
			require.ErrorContains(t, b.boot(t.Context()), c.fails)
			require.NotContains(t, b.commands.All(), "sh run.sh")
			require.NotContains(t, strings.Join(b.requests, "\n"), "/blobs/", "and nothing is downloaded instead")
		})
	}
	b, f := direct(t) // a step that fails leaves no connection behind
	b.commands.On = nil
	b.run.SequenceXML = sequenceOf(packageCommand("one", "BYD00003", "exit 9"))
	require.Error(t, b.boot(t.Context()))
	require.Len(t, f.connected, 1)
	require.Equal(t, 1, f.ended)
}

// A package that is not in the share yet is waited for.
func TestTS130WaitsForTheShare(t *testing.T) {
	b, f := direct(t)
	asked := 0
	b.fail = func(r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "BYD00003") {
			if asked++; asked < 4 {
				return http.StatusServiceUnavailable
			}
		}
		return 0
	}
	require.NoError(t, b.boot(t.Context()))
	require.Len(t, f.connected, 1)
}
