package bootimage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/bootyard/bootyard/images/internal/cache"
	"github.com/bootyard/bootyard/images/internal/command"
)

// buildVersion is part of every key: raise it when the same inputs are turned
// into other bytes.
const buildVersion = 3

// inputs are everything but packages and agent that decides about the bytes.
type inputs struct {
	modules              []Pattern
	tools                []Tool
	moduleText, toolText string
	level                int
}

func (c Config) inputs() (inputs, error) {
	in := inputs{moduleText: c.ModuleList, toolText: c.ToolList, level: c.CompressionLevel}
	if in.moduleText == "" {
		in.moduleText = defaultModules
	}
	if in.toolText == "" {
		in.toolText = defaultTools
	}
	if in.level == 0 {
		in.level = ReleaseLevel
	}
	if in.level < 1 || in.level > 19 {
		return in, fmt.Errorf("compression level %d: want 1 to 19", in.level)
	}
	var err error
	if in.modules, err = ParseModuleList(in.moduleText); err != nil {
		return in, err
	}
	in.tools, err = ParseToolList(in.toolText)
	return in, err
}

// baseArchive is a cached archive of everything but the agent.
type baseArchive struct {
	Lock      Lock     `json:"lock"`
	Modules   int      `json:"modules"`
	Unmatched []string `json:"unmatched"`
	SHA256    string   `json:"sha256"` // of the archive

	key, archive, kernel string
}

// baseKey is the hash of all that decides about the base archive's bytes.
func baseKey(l Lock, in inputs) (string, error) {
	h := sha256.New()
	lock, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	add := func(part []byte) { fmt.Fprintf(h, "%d:%s,", len(part), part) }
	add([]byte(strconv.Itoa(buildVersion)))
	add(lock)
	add([]byte(in.moduleText))
	add([]byte(in.toolText))
	add([]byte(strconv.Itoa(in.level)))
	err = fs.WalkDir(rootfs, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := rootfs.ReadFile(name)
		add([]byte(name))
		add(data)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// imageKey is the hash of all that decides about the whole image's bytes.
func imageKey(base, agentSHA256 string) string {
	sum := sha256.Sum256([]byte(base + "+" + agentSHA256))
	return hex.EncodeToString(sum[:])
}

// base returns the base archive for the lock file that is asked for, or, where
// that cannot be had any more and AllowRelock is set, for a new one.
func (c Config) base(ctx context.Context, in inputs) (b baseArchive, relocked bool, err error) {
	asked, err := c.readLock()
	if err != nil {
		return b, false, err
	}
	if b, err = c.baseOf(ctx, asked, in); err == nil {
		return b, false, nil
	}
	if !errors.Is(err, ErrVersionGone) {
		return b, false, err
	}
	if !c.AllowRelock {
		return b, false, fmt.Errorf("%w; build with re-locking allowed (--update), which takes the current versions and writes a new lock file", err)
	}
	key, keyErr := baseKey(asked, in)
	if keyErr != nil {
		return b, false, keyErr
	}
	name := filepath.Join(c.CacheDir, "relock-"+key[:16]+".json")
	if kept, err := ReadLock(name); err == nil {
		if b, err = c.baseOf(ctx, kept, in); err == nil {
			return b, true, nil
		}
	}
	c.log().Warn("locked package versions are gone, taking current ones", "why", err, "new_lock", name)
	fresh, err := makeLock(ctx, c, in)
	if err != nil {
		return b, false, err
	}
	if err := fresh.Write(name); err != nil {
		return b, false, err
	}
	b, err = c.baseOf(ctx, fresh, in)
	return b, true, err
}

func (c Config) readLock() (Lock, error) {
	if c.LockFile == "" {
		return DefaultLock()
	}
	return ReadLock(c.LockFile)
}

// baseOf returns the base archive made from exactly these packages.
func (c Config) baseOf(ctx context.Context, l Lock, in inputs) (baseArchive, error) {
	key, err := baseKey(l, in)
	if err != nil {
		return baseArchive{}, err
	}
	stem := filepath.Join(c.CacheDir, "base-"+key[:32])
	b := baseArchive{key: key, archive: stem + ".cpio.zst", kernel: stem + ".vmlinuz"}
	if b.load(stem + ".json") {
		return b, nil
	}
	if err := cache.Room(c.CacheDir, roomNeeded); err != nil {
		return b, err
	}
	tmp, err := os.MkdirTemp(c.CacheDir, workPrefix)
	if err != nil {
		return b, fmt.Errorf("cache folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	c.progress("download packages", 0, len(l.Packages))
	var files map[string]string
	err = c.withIndex(ctx, func(lists string) (err error) {
		files, err = c.packages(tmp, lists).fetch(ctx, l.Packages)
		return err
	})
	if err != nil {
		return b, err
	}
	st, err := unpackAndStage(ctx, c, tmp, files, l.kernelPackage(), in)
	if err != nil {
		return b, err
	}
	if st.kernelVersion != l.KernelVersion {
		return b, fmt.Errorf("package %s holds kernel %s", l.kernelPackage(), st.kernelVersion)
	}
	if len(st.unmatched) > 0 {
		c.log().Warn("patterns of the module list cover nothing in this kernel", "patterns", st.unmatched)
	}
	c.progress("compress", 0, 1)
	s, err := newStager(filepath.Join(tmp, "pkgs"), slices.DeleteFunc(slices.Collect(maps.Keys(files)), func(p string) bool { return p == l.kernelPackage() }))
	if err != nil {
		return b, err
	}
	cmd, err := s.program("usr/bin/zstd")
	if err != nil {
		return b, err
	}
	// Two workers whatever the host has: with workers the result depends on the
	// level alone, and the locked zstd makes it independent of the host.
	cmd = append(cmd, "-"+strconv.Itoa(in.level), "-T2", "-q", "-c")
	err = cache.Replace(b.archive, func(f *os.File) error {
		return compressWith(ctx, f, cmd, func(w io.Writer) error { return st.files.write(w, uint64(l.Epoch)) })
	})
	if err != nil {
		return b, err
	}
	if err := cache.CopyFile(st.kernel, b.kernel); err != nil {
		return b, err
	}
	b.Lock, b.Modules, b.Unmatched = l, st.modules, st.unmatched
	if b.SHA256, _, err = cache.HashFile(b.archive); err != nil {
		return b, err
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return b, fmt.Errorf("describe base archive: %w", err)
	}
	return b, cache.WriteFile(stem+".json", data)
}

// load says whether the cache holds the archive whole.
func (b *baseArchive) load(name string) bool {
	data, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(data, b) != nil {
		return false
	}
	sum, _, err := cache.HashFile(b.archive)
	if err != nil || sum != b.SHA256 {
		return false
	}
	_, err = os.Stat(b.kernel)
	return err == nil
}

// compressWith pipes what fill writes through a program into w.
func compressWith(ctx context.Context, w io.Writer, cmd []string, fill func(io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stderr := &command.Head{Limit: maxOutput}
	c := exec.CommandContext(ctx, cmd[0], cmd[1:]...)
	c.Stdout, c.Stderr = w, stderr
	c.WaitDelay = 10 * time.Second
	in, err := c.StdinPipe()
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	fillErr := fill(in)
	if fillErr != nil {
		cancel()
	}
	in.Close()
	if err := c.Wait(); err != nil {
		return errors.Join(fillErr, fmt.Errorf("compress: %w: %s", err, stderr.Tail(500)))
	}
	return fillErr
}

// compressGo compresses a small archive without any package's help.
func compressGo(t tree, epoch uint64) (io.Reader, error) {
	var out bytes.Buffer
	enc, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := t.write(enc, epoch); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return &out, nil
}
