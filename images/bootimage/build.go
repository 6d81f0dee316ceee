package bootimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/images/internal/cache"
)

// Names of what Build leaves in Config.OutDir.
const (
	KernelFile    = "vmlinuz"       // Debian's signed kernel, unchanged
	InitramfsFile = "initramfs.img" // base archive and agent archive
	ResultFile    = "bootimage.json"
)

// What the folders of builds at work in the cache begin with.
const (
	workPrefix     = "build-"
	downloadPrefix = "download-"
)

// roomNeeded is for the packages, most of it the kernel's modules, packed and
// unpacked; an estimate.
const roomNeeded = 800 << 20

// ReleaseLevel is the zstd level for images that are shipped: about a minute
// per build on two cores, a quarter smaller than QuickLevel.
const (
	ReleaseLevel = 19
	QuickLevel   = 3
)

// Config says what to build and where.
type Config struct {
	// OutDir receives KernelFile, InitramfsFile and ResultFile. Made if missing.
	OutDir string
	// CacheDir keeps downloaded packages and base archives (a few hundred MB).
	// Made if missing; may be shared by builds, also concurrent ones.
	CacheDir string
	// LockFile names the package versions. Empty: the one in this package.
	LockFile string
	// AllowRelock makes Build go on with current versions when locked ones are
	// gone from the mirror; the new lock is kept in CacheDir. Without it Build
	// fails with ErrVersionGone.
	AllowRelock bool
	// AgentBinary is the agent's program for linux/amd64, statically linked.
	AgentBinary string
	// CompressionLevel is zstd's, 1 to 19. Zero: ReleaseLevel.
	CompressionLevel int
	// ModuleList and ToolList replace the shipped lists; text, not file names.
	ModuleList, ToolList string
	// Logger may be nil.
	Logger *slog.Logger
	// Progress, if set, is called before each piece of work: step is a short
	// text, done of total pieces of it are behind. Called from one goroutine.
	Progress func(step string, done, total int)
}

// Result describes a built image. It is stored as ResultFile.
type Result struct {
	Kernel          string    `json:"kernel"`           // path of the kernel
	Initramfs       string    `json:"initramfs"`        // path of the initramfs
	KernelVersion   string    `json:"kernel_version"`   // as uname -r prints it
	KernelSize      int64     `json:"kernel_size"`      // bytes
	InitramfsSize   int64     `json:"initramfs_size"`   // bytes
	KernelSHA256    string    `json:"kernel_sha256"`    // lower-case hex
	InitramfsSHA256 string    `json:"initramfs_sha256"` // lower-case hex
	AgentSHA256     string    `json:"agent_sha256"`     // lower-case hex
	Modules         int       `json:"modules"`          // number of kernel modules
	Unmatched       []string  `json:"unmatched,omitempty"`
	Packages        []Package `json:"packages"` // what it is made of
	Relocked        bool      `json:"relocked"` // not from the lock file that was asked for
	Key             string    `json:"key"`      // hash of all inputs
	Cached          bool      `json:"-"`        // nothing had to be built
}

// Build makes kernel and initramfs of the boot environment. The same lock file,
// lists, agent and level give the same bytes on any machine. Nothing is done
// when OutDir holds the image of these inputs already; a new agent alone costs
// a second. Needs apt-get and dpkg-deb, the network for packages not in the
// cache, and not root. A machine on which apt-get update never ran will do, and
// a build that was interrupted, even killed, leaves nothing that matters.
func Build(ctx context.Context, cfg Config) (Result, error) {
	r, err := build(ctx, cfg)
	if err != nil {
		return Result{}, fmt.Errorf("build boot image: %w", err)
	}
	return r, nil
}

func build(ctx context.Context, cfg Config) (Result, error) {
	in, err := cfg.inputs()
	if err != nil {
		return Result{}, err
	}
	if err := checkAgent(cfg.AgentBinary); err != nil {
		return Result{}, err
	}
	agentSum, _, err := cache.HashFile(cfg.AgentBinary)
	if err != nil {
		return Result{}, err
	}
	held, err := cfg.openCache(ctx)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = held.Close() }() // an empty file
	if err := os.MkdirAll(cfg.OutDir, 0o755); err != nil {
		return Result{}, fmt.Errorf("output folder: %w", err)
	}
	cache.SweepTemporary(cfg.OutDir, KernelFile, InitramfsFile, ResultFile)
	b, relocked, err := cfg.base(ctx, in)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Kernel:        filepath.Join(cfg.OutDir, KernelFile),
		Initramfs:     filepath.Join(cfg.OutDir, InitramfsFile),
		KernelVersion: b.Lock.KernelVersion,
		AgentSHA256:   agentSum,
		Modules:       b.Modules,
		Unmatched:     b.Unmatched,
		Packages:      b.Lock.Packages,
		Relocked:      relocked,
		Key:           imageKey(b.key, agentSum),
	}
	if old, ok := readResult(cfg.OutDir, r.Key); ok {
		old.Kernel, old.Initramfs, old.Relocked, old.Cached = r.Kernel, r.Initramfs, relocked, true
		cfg.log().Info("boot image is up to date", "initramfs", old.Initramfs, "bytes", old.InitramfsSize)
		return old, nil
	}
	cfg.progress("add the agent", 0, 1)
	agent, err := agentArchive(cfg.AgentBinary, uint64(b.Lock.Epoch))
	if err != nil {
		return Result{}, err
	}
	if err := cache.CopyFile(b.kernel, r.Kernel); err != nil {
		return Result{}, err
	}
	err = cache.Replace(r.Initramfs, func(f *os.File) error {
		base, err := os.Open(b.archive)
		if err != nil {
			return fmt.Errorf("base archive: %w", err)
		}
		defer base.Close()
		return Concat(f, base, agent)
	})
	if err != nil {
		return Result{}, err
	}
	if r.KernelSHA256, r.KernelSize, err = cache.HashFile(r.Kernel); err != nil {
		return Result{}, err
	}
	if r.InitramfsSHA256, r.InitramfsSize, err = cache.HashFile(r.Initramfs); err != nil {
		return Result{}, err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return Result{}, fmt.Errorf("describe image: %w", err)
	}
	cfg.log().Info("boot image built", "kernel", r.KernelVersion, "initramfs", r.Initramfs,
		"bytes", r.KernelSize+r.InitramfsSize, "modules", r.Modules, "sha256", r.InitramfsSHA256)
	return r, cache.WriteFile(filepath.Join(cfg.OutDir, ResultFile), append(data, '\n'))
}

// readResult returns the description in dir if it is for key and the files
// beside it are whole.
func readResult(dir, key string) (Result, bool) {
	var r Result
	data, err := os.ReadFile(filepath.Join(dir, ResultFile))
	if err != nil || json.Unmarshal(data, &r) != nil || r.Key != key {
		return r, false
	}
	k, _, err := cache.HashFile(filepath.Join(dir, KernelFile))
	if err != nil || k != r.KernelSHA256 {
		return r, false
	}
	i, _, err := cache.HashFile(filepath.Join(dir, InitramfsFile))
	return r, err == nil && i == r.InitramfsSHA256
}

func (c Config) log() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c Config) progress(step string, done, total int) {
	if c.Progress != nil {
		c.Progress(step, done, total)
	}
}

// packages is the cache of packages, with a folder for apt to work in and its
// index of packages (apt.lists).
func (c Config) packages(tmp, lists string) packageCache {
	return packageCache{dir: filepath.Join(c.CacheDir, "packages"), apt: apt{arch: "amd64", tmp: tmp, lists: lists}, log: c.log()}
}

// withIndex calls work with the host's package index and, where that does not
// know the packages, once more with a new one: the host's may never have been
// fetched, or be older than the mirror. Work is told where the index is.
func (c Config) withIndex(ctx context.Context, work func(lists string) error) error {
	err := work("")
	if !errors.Is(err, ErrVersionGone) {
		return err
	}
	tmp, mkErr := os.MkdirTemp(c.CacheDir, workPrefix)
	if mkErr != nil {
		return fmt.Errorf("cache folder: %w", mkErr)
	}
	defer os.RemoveAll(tmp)
	c.progress("fetch the package index", 0, 1)
	c.log().Info("this machine's package index is missing or old, fetching another", "why", err)
	lists := filepath.Join(c.CacheDir, "apt-lists")
	if err := c.packages(tmp, lists).apt.update(ctx); err != nil {
		return fmt.Errorf("this machine's package index is missing or old (apt-get update), and fetching another did not work; look at the network and the apt sources: %w", err)
	}
	return work(lists)
}

// openCache keeps two builds from using the same cache at the same time, and
// deletes what one that was killed left there.
func (c Config) openCache(ctx context.Context) (*os.File, error) {
	held, err := cache.Lock(ctx, c.CacheDir)
	if err != nil {
		return nil, err
	}
	left := append(cache.Sweep(c.CacheDir, workPrefix), cache.Sweep(filepath.Join(c.CacheDir, "packages"), downloadPrefix)...)
	if len(left) > 0 {
		c.log().Warn("remains of an interrupted build cannot be deleted", "folders", left)
	}
	return held, nil
}

// agentArchive is the second archive: the agent alone.
func agentArchive(binary string, epoch uint64) (io.Reader, error) {
	t := tree{}
	t.add(entry{path: "usr/bin/bootyard-agent", mode: 0o755, source: binary})
	return compressGo(t, epoch)
}
