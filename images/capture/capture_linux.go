package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/bootyard/bootyard/images/internal/command"
	"github.com/bootyard/bootyard/images/internal/watch"
)

// missing is what is said of a program that is not there.
const missing = "is not in this boot environment; build the boot image with it"

const (
	// captureTime bounds one volume; a large one over a slow network takes hours.
	captureTime = 12 * time.Hour
)

// Source is one volume.
type Source struct {
	// Dir is where the volume is mounted. For NTFS it may be empty: then Device, which is not mounted, is read by wimlib's own
	// driver, which alone keeps all that Windows has there.
	Dir    string
	Device string
	Name   string // of the image in a WIM
}

// Options say how and with which words.
type Options struct {
	Creator     string
	Description string
	Version     string
	// Exclude are further paths, relative to a volume, that stay out with all below.
	Exclude []string
	// Progress is told bytes of the volumes that have been read and what they hold, about; it must not block.
	Progress func(done, total int64)
}

// excluded stays out of every image: what lives in memory or belongs to the machine. A folder itself stays, empty.
var (
	excludedInside = []string{"proc", "sys", "dev", "run", "tmp", "var/tmp", "mnt", "media", "lost+found"}
	excluded       = []string{
		"_SMSTaskSequence", "var/lib/bootyard", "var/lib/systemd/coredump", "swapfile", "swap.img", "var/swap",
		"pagefile.sys", "hiberfil.sys", "swapfile.sys", "$ntfs.log", "System Volume Information", "$RECYCLE.BIN",
	}
)

// Tar writes the files of one volume as tar, packed by zstd, with owners by number, extended attributes, access control lists,
// hard links and holes. The file appears under its name when it is whole and on the disk.
func Tar(ctx context.Context, source Source, file string, o Options) error {
	return finished(file, func(temporary string) error {
		out, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = TarTo(ctx, source, out, o)
		if err == nil {
			err = out.Sync()
		}
		return errors.Join(err, out.Close())
	})
}

// TarTo is Tar into a stream; unpacked is the size of the tar in it. The same files give the same stream: what a machine
// sent before it was cut off need not be sent again.
func TarTo(ctx context.Context, source Source, out io.Writer, o Options) (unpacked int64, err error) {
	packer, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(true))
	if err != nil {
		return 0, err
	}
	args := []string{"-C", source.Dir, "-c", "--format=posix", "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
		"--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--sparse",
		"--one-file-system", "--sort=name", "--anchored", "--wildcards", "--wildcards-match-slash", "--warning=no-file-ignored"}
	for _, name := range excludedInside {
		args = append(args, "--exclude=./"+name+"/*")
	}
	for _, name := range append(append(append([]string{}, excluded...), swapFiles(source.Dir)...), o.Exclude...) {
		args = append(args, "--exclude=./"+pattern(name))
	}
	counted := &counter{w: packer, total: used(source.Dir), progress: o.Progress}
	if err := stream(ctx, counted, "tar", append(args, ".")...); err != nil {
		_ = packer.Close() // what was written is thrown away
		return 0, err
	}
	if err := packer.Close(); err != nil {
		return 0, err
	}
	counted.end()
	return counted.done, nil
}

// stream runs a program whose output is the image.
func stream(ctx context.Context, out io.Writer, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, captureTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = environment(), "/"
	cmd.WaitDelay = 5 * time.Second
	// GNU tar writes its process id into the names of files with holes; in a namespace of its own that is always 1.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	said := &command.Head{Limit: 16 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New(name + " " + missing)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(said.String()))
	}
	return nil
}

func environment() []string {
	return []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root"}
}

// WIM writes one image for each volume into one WIM with an integrity table. The first is the system's.
func WIM(ctx context.Context, sources []Source, file string, o Options) error {
	return finished(file, func(temporary string) error {
		for i, source := range sources {
			if err := wimVolume(ctx, source, temporary, i == 0, o); err != nil {
				return err
			}
		}
		f, err := os.Open(temporary)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// WIMTo writes a WIM with one image into a stream. It is a pipable one: wimlib reads it everywhere, and Windows' own tools
// after 'wimlib-imagex optimize --not-pipable'.
func WIMTo(ctx context.Context, source Source, out io.Writer, o Options) error {
	config, err := exclusionFile(source, o.Exclude)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(config) }()
	counted := &counter{w: out, total: used(source.Dir), progress: o.Progress}
	if err := stream(ctx, counted, "wimlib-imagex", wimArgs("capture", source, "-", config, o)...); err != nil {
		return fmt.Errorf("capture %s: %w", source.Name, err)
	}
	counted.end()
	return nil
}

func wimVolume(ctx context.Context, source Source, file string, first bool, o Options) error {
	config, err := exclusionFile(source, o.Exclude)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(config) }()
	verb := "append"
	if first {
		verb = "capture"
	}
	stop := watch.Start(o.Progress, used(source.Dir), func() (int64, error) {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	})
	defer stop()
	tool := command.Tool{Limit: captureTime, Env: environment(), Dir: "/",
		Missing: missing}
	if _, err := tool.Run(ctx, "wimlib-imagex", wimArgs(verb, source, file, config, o)...); err != nil {
		return fmt.Errorf("capture %s: %w", source.Name, err)
	}
	return nil
}

func wimArgs(verb string, source Source, file, config string, o Options) []string {
	from := source.Dir
	if from == "" {
		from = source.Device
	}
	args := []string{verb, from, file, source.Name, o.Description, "--compress=fast", "--config=" + config} // as Windows' own tools do by default
	if file != "-" {
		args = append(args, "--check") // a stream cannot have the table; each file in it has its hash
	}
	if source.Dir != "" {
		args = append(args, "--unix-data")
	}
	for _, p := range [][2]string{{"CREATOR", o.Creator}, {"VERSION", o.Version}} {
		if p[1] != "" {
			args = append(args, "--image-property="+p[0]+"="+p[1])
		}
	}
	return args
}

func exclusionFile(source Source, more []string) (name string, err error) {
	f, err := os.CreateTemp("", "wim-*.ini")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(exclusionList(source, more))
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// exclusionList is wimlib's configuration (its manual, wimcapture).
func exclusionList(source Source, more []string) string {
	var b strings.Builder
	b.WriteString("[ExclusionList]\n")
	for _, name := range excludedInside {
		fmt.Fprintf(&b, "\"/%s/*\"\n", name)
	}
	names := append(append([]string{}, excluded...), more...)
	if source.Dir != "" {
		names = append(names, swapFiles(source.Dir)...)
	}
	for _, name := range names {
		fmt.Fprintf(&b, "\"/%s\"\n", pattern(name))
	}
	return b.String()
}

// pattern keeps a name from meaning others too. wimlib knows no quoting, so a question mark stands for what it cannot say.
func pattern(name string) string {
	return strings.NewReplacer("*", "?", "[", "?", "]", "?", `\`, "?", `"`, "?", "\n", "?", "\r", "?").Replace(name)
}

// swapFiles are those that fstab names.
func swapFiles(dir string) []string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }() // only read from
	info, err := root.Stat("etc/fstab")
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return nil
	}
	text, err := root.ReadFile("etc/fstab")
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "swap" || !strings.HasPrefix(f[0], "/") || strings.HasPrefix(f[0], "/dev/") {
			continue
		}
		if name := strings.TrimPrefix(filepath.Clean(f[0]), "/"); filepath.IsLocal(name) && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// finished makes a file under another name and renames it when it is whole.
func finished(file string, work func(temporary string) error) error {
	temporary := file + ".part"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("capture to %s: %w", file, err)
	}
	err := work(temporary)
	if err == nil {
		err = os.Rename(temporary, file)
	}
	if err != nil {
		if errors.Is(err, unix.ENOSPC) {
			err = fmt.Errorf("%w; free some space there or choose another destination", err)
		}
		_ = os.Remove(temporary)
		return fmt.Errorf("capture to %s: %w", file, err)
	}
	if dir, err := os.Open(filepath.Dir(file)); err == nil {
		_ = dir.Sync() // shares have no such order
		_ = dir.Close()
	}
	return nil
}

// used is about how many bytes a mounted volume holds; 0 when unknown.
func used(dir string) int64 {
	var st unix.Statfs_t
	if dir == "" || unix.Statfs(dir, &st) != nil {
		return 0
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize
}

type counter struct {
	w          io.Writer
	done, told int64
	total      int64
	progress   func(done, total int64)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.done += int64(n); c.progress != nil && c.done-c.told >= 8<<20 {
		c.told = c.done
		c.progress(min(c.done, c.total), c.total)
	}
	return n, err
}

func (c *counter) end() {
	if c.progress != nil {
		c.progress(max(c.total, c.done), max(c.total, c.done))
	}
}
