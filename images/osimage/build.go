package osimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/bootyard/bootyard/images/internal/cache"
)

// Names of what BuildDebian leaves in Config.OutDir.
const (
	ImageFile    = "image.tar.zst"
	MetadataFile = "image.json"
)

// workPrefix begins the folders of builds at work in the cache; the image is made
// in outDir of such a folder.
const (
	workPrefix = "build-"
	outDir     = "out"
)

// roomNeeded is for the unpacked system, its packages and the archive; measured
// 0.8 GB.
const roomNeeded = 1 << 30

// Config says what to build and where.
type Config struct {
	// OutDir receives ImageFile and MetadataFile. Made if missing.
	OutDir string
	// CacheDir keeps finished images by the hash of their inputs. Made if missing.
	CacheDir string
	// Mirror is the archive to take packages from, such as a local mirror's URL.
	// Empty: the host's own apt sources of the release, with its updates.
	Mirror string
	// Release is Debian's code name. Empty: bookworm.
	Release string
	// Autologin opens a root shell on the serial line without a password. For
	// labs and demonstrations only: whoever reaches the line owns the machine.
	Autologin bool
	// KernelArgs are added to the kernel's command line, such as
	// "no_timer_check" for machines emulated on a busy host, whose timer looks
	// broken to the kernel otherwise.
	KernelArgs string
	// CompressionLevel is zstd's, 1 to 19. Zero: 12.
	CompressionLevel int
	// Refresh builds even when the cache has an image of the same inputs, to
	// take in newer package versions.
	Refresh bool
	// Logger may be nil.
	Logger *slog.Logger
	// Progress, if set, gets a short line about what is being done, at most a
	// few a second. Called from one goroutine.
	Progress func(line string)
}

// Image is a built image. It is stored as MetadataFile, without Path.
type Image struct {
	Path   string    `json:"-"`      // of the archive
	Size   int64     `json:"size"`   // of the archive in bytes
	SHA256 string    `json:"sha256"` // of the archive, lower-case hex
	Built  time.Time `json:"built"`  // UTC
	Key    string    `json:"key"`    // hash of the inputs
	Metadata
	Cached bool `json:"-"` // nothing had to be built
}

// BuildDebian makes a small Debian for amd64. It needs root (owners, device
// nodes, programs run in the new system), mmdebstrap, zstd, the network, and
// one to three minutes; with unchanged Config the cached image is returned at
// once. The cache does not look at newer package versions: see Config.Refresh.
func BuildDebian(ctx context.Context, cfg Config) (Image, error) {
	img, err := cfg.build(ctx)
	if err != nil {
		return Image{}, fmt.Errorf("build OS image: %w", err)
	}
	return img, nil
}

func (c Config) build(ctx context.Context) (Image, error) {
	r, err := c.recipe()
	if err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(c.OutDir, 0o755); err != nil {
		return Image{}, fmt.Errorf("make folder: %w", err)
	}
	held, err := cache.Lock(ctx, c.CacheDir)
	if err != nil {
		return Image{}, err
	}
	defer func() { _ = held.Close() }() // an empty file
	if left := cache.Sweep(c.CacheDir, workPrefix); len(left) > 0 {
		c.log().Warn("remains of an interrupted build cannot be deleted", "folders", left)
	}
	cache.SweepTemporary(c.OutDir, ImageFile, MetadataFile)
	if img, ok := load(c.OutDir, r.key); ok && !c.Refresh {
		c.log().Info("OS image is up to date", "file", img.Path, "bytes", img.Size)
		return img, nil
	}
	kept := filepath.Join(c.CacheDir, "debian-"+r.key[:32])
	img, ok := load(kept, r.key)
	if !ok || c.Refresh {
		if img, err = c.bootstrap(ctx, r, kept, held); err != nil {
			return Image{}, err
		}
		img.Cached = false
	}
	for _, name := range []string{ImageFile, MetadataFile} { // metadata last: it says that the rest is whole
		if err := cache.LinkFile(filepath.Join(kept, name), filepath.Join(c.OutDir, name)); err != nil {
			return Image{}, err
		}
	}
	img.Path = filepath.Join(c.OutDir, ImageFile)
	return img, nil
}

// load returns the image in dir if it is whole and made of these inputs.
func load(dir, key string) (Image, bool) {
	var img Image
	data, err := os.ReadFile(filepath.Join(dir, MetadataFile))
	if err != nil || json.Unmarshal(data, &img) != nil || img.Key != key {
		return img, false
	}
	img.Path, img.Cached = filepath.Join(dir, ImageFile), true
	sum, size, err := cache.HashFile(img.Path)
	return img, err == nil && size == img.Size && sum == img.SHA256
}

// bootstrap makes the image and stores it in dir, in one step. The lock is lent
// to the programs that write into the cache, which may outlive a killed build.
func (c Config) bootstrap(ctx context.Context, r recipe, dir string, lock *os.File) (Image, error) {
	if os.Geteuid() != 0 {
		return Image{}, errors.New("root is needed to make a system of files with owners: run as root, or bring an image made elsewhere")
	}
	if err := cache.Room(c.CacheDir, roomNeeded); err != nil {
		return Image{}, err
	}
	tmp, err := os.MkdirTemp(c.CacheDir, workPrefix)
	if err != nil {
		return Image{}, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, outDir)
	if err := os.Mkdir(out, 0o755); err != nil {
		return Image{}, fmt.Errorf("make folder: %w", err)
	}
	start := time.Now()
	c.log().Info("making a Debian", "release", r.release, "sources", r.sources)
	m, err := c.run(ctx, r, tmp, lock)
	if err != nil {
		return Image{}, err
	}
	img := Image{Built: start.UTC().Truncate(time.Second), Key: r.key, Metadata: m}
	if img.SHA256, img.Size, err = cache.HashFile(filepath.Join(out, ImageFile)); err != nil {
		return Image{}, err
	}
	data, err := json.MarshalIndent(img, "", "  ")
	if err != nil {
		return Image{}, fmt.Errorf("describe image: %w", err)
	}
	if err := cache.WriteFile(filepath.Join(out, MetadataFile), append(data, '\n')); err != nil {
		return Image{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return Image{}, fmt.Errorf("replace image: %w", err)
	}
	if err := os.Rename(out, dir); err != nil {
		return Image{}, fmt.Errorf("replace image: %w", err)
	}
	c.log().Info("OS image made", "bytes", img.Size, "unpacked", img.Unpacked, "files", img.Files, "packages", len(img.Packages),
		"seconds", int(time.Since(start).Seconds()), "sha256", img.SHA256)
	return img, nil
}

func (c Config) log() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}
