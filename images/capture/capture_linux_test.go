package capture_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/capture"
)

func shell(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, err := exec.Command("sh", append([]string{"-ec", script, "sh"}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// list says of every file what a copy of it must have too. Times to 100 ns, which is what a WIM keeps.
const list = `cd "$1"; find . -path ./lost+found -prune -o -printf '%p %y %m %U:%G %l %n %T@ ' \( -type f -exec sha256sum {} \; -o -printf '\n' \) | sed -E 's/(\.[0-9]{7})[0-9]*/\1/' | sort
	getfattr -R -h -d -m - --absolute-names . 2>/dev/null | sort; getfacl -R -n . 2>/dev/null`

// Apply, change, capture, apply again: the same files with all that belongs to them.
func TestCaptureAndApplyAgain(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: owners and device nodes")
	}
	for _, tool := range []string{"wimlib-imagex", "tar", "setfattr", "setfacl", "getcap"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	tree := t.TempDir()
	shell(t, `cd "$1"; mkdir -p etc bin dev proc/1 home/u var/lib/bootyard/run _SMSTaskSequence/State empty swapdir run/x; chmod 755 .
		echo "/swapdir/file none swap sw 0 0" > etc/fstab; echo "/other[1] none swap sw 0 0" >> etc/fstab; head -c 100000 /dev/zero > swapdir/file; echo x > swapfile; echo p > pagefile.sys; echo o > 'other[1]'
		echo text > home/u/f; chown -R 1000:1001 home/u; chmod 4755 bin; echo prog > bin/su; chmod 4755 bin/su; ln bin/su bin/hard; ln -s ../bin/su etc/link; ln -s /nowhere etc/dangling
		mknod dev/console c 5 1; mkfifo home/u/pipe; truncate -s 20M home/u/sparse; echo end >> home/u/sparse
		setfattr -n user.note -v kept home/u/f; setfacl -m u:1234:r,g:4321:rw home/u/f; setfacl -d -m u:1234:rx home/u; setcap cap_net_raw+ep bin/su 2>/dev/null || true
		echo id > _SMSTaskSequence/State/id; echo r > var/lib/bootyard/run/r; echo x > run/x/y; echo "name with  blanks" > "home/u/ä b"; touch -d '2020-01-02 03:04:05.678901234' home/u/f`, tree)
	want := filepath.Join(t.TempDir(), "want")
	shell(t, `cp -a "$1" "$2"; cd "$2"; rm -rf _SMSTaskSequence var/lib/bootyard swapfile pagefile.sys swapdir/file 'other[1]'; find dev proc run -mindepth 1 -delete; touch -r "$1/home" home; for d in dev proc run swapdir . var/lib; do touch -r "$1/$d" $d; done; touch -r "$1" .`, tree, want)
	for name, make := range map[string]func(file string, o capture.Options) error{
		"a.tar.zst": func(file string, o capture.Options) error {
			return capture.Tar(t.Context(), capture.Source{Dir: tree}, file, o)
		},
		"a.wim": func(file string, o capture.Options) error {
			return capture.WIM(t.Context(), []capture.Source{{Dir: tree, Name: "system"}, {Dir: filepath.Join(tree, "home"), Name: "data"}}, file, o)
		},
		"stream.tar.zst": func(file string, o capture.Options) error {
			out, err := os.Create(file)
			require.NoError(t, err)
			unpacked, err := capture.TarTo(t.Context(), capture.Source{Dir: tree}, out, o)
			assert.Greater(t, unpacked, int64(10<<10))
			// Again the same, so that an upload can go on, also when somebody has read the files meanwhile.
			shell(t, `find "$1" -type f -exec cat {} + > /dev/null`, tree)
			var again, first bytes.Buffer
			_, err = capture.TarTo(t.Context(), capture.Source{Dir: tree}, &again, o)
			require.NoError(t, err)
			_, err = first.ReadFrom(openAgain(t, file))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(first.Bytes(), again.Bytes()), "the same files give the same stream")
			return errors.Join(err, out.Close())
		},
		"stream.wim": func(file string, o capture.Options) error {
			out, err := os.Create(file)
			require.NoError(t, err)
			return errors.Join(capture.WIMTo(t.Context(), capture.Source{Dir: tree, Name: "system"}, out, o), out.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name)
			require.NoError(t, make(file, capture.Options{Creator: "me & you", Description: "Größe", Version: "1.2", Progress: func(int64, int64) {}}))
			assert.NoFileExists(t, file+".part")
			root := filepath.Join(t.TempDir(), "root")
			require.NoError(t, os.Mkdir(root, 0o755))
			_, err := apply.Extract(t.Context(), file, apply.FormatAuto, root, apply.Options{})
			require.NoError(t, err)
			assert.Equal(t, shell(t, list, want), shell(t, list, root))
			if filepath.Ext(name) == ".wim" {
				info := shell(t, `wimlib-imagex info "$1"; wimlib-imagex verify "$1"; wimlib-imagex info "$1" --extract-xml=/dev/stdout | iconv -f UTF-16`, file)
				assert.Contains(t, info, "<CREATOR>me &amp; you</CREATOR>")
				assert.Contains(t, info, "<VERSION>1.2</VERSION>")
				assert.Contains(t, info, "<DESCRIPTION>Größe</DESCRIPTION>")
				assert.Equal(t, name == "a.wim", strings.Contains(info, "<IMAGE INDEX=\"2\">"))
			} else {
				info, err := os.Stat(file)
				require.NoError(t, err)
				assert.Less(t, info.Size(), int64(100_000), "holes take no room")
			}
		})
	}
}

func openAgain(t *testing.T, file string) *os.File {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

// A capture that fails leaves nothing that looks like an image.
func TestCaptureFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tar.zst")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	err := capture.Tar(t.Context(), capture.Source{Dir: filepath.Join(t.TempDir(), "nothing")}, file, capture.Options{})
	require.Error(t, err)
	assert.NoFileExists(t, file+".part")
	old, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "old", string(old))
	require.Error(t, capture.Tar(t.Context(), capture.Source{Dir: t.TempDir()}, "/nowhere/a.tar.zst", capture.Options{}))
}
