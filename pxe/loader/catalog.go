package loader

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Loader is one file that machines may load.
type Loader struct {
	Name    string `json:"name"`    // as asked for by TFTP, and below /boot/loader/
	For     string `json:"for"`     // which machines
	Source  string `json:"source"`  // file or modules it comes from
	Package string `json:"package"` // Debian package, or "operator" for a file no package owns
	Version string `json:"version"`
	Size    int    `json:"size"` // bytes
	SHA256  string `json:"sha256"`
}

// Catalog is the set of loaders, held in memory. It is safe for concurrent use.
type Catalog struct {
	cfg Config

	mu      sync.RWMutex
	list    []Loader
	data    map[string][]byte
	missing []error
	ready   map[netip.AddrPort]bool // servers for which GRUB images were made
}

// Config says where loaders come from.
type Config struct {
	Cache   string            // directory for built images; made when missing
	Servers []netip.AddrPort  // addresses under which machines reach the boot handler; one GRUB image each
	Root    string            // where the Debian packages are installed; "" means /
	Extra   map[string]string // operator's own loaders: name -> file; they replace ours of the same name
	Log     *slog.Logger
}

const operator = "operator" // Loader.Package of a file that no package owns

// maxLoader bounds a file: iPXE has 0.1 MB, GRUB 1 MB, a unified kernel image 20 MB.
const maxLoader = 64 << 20

// ErrMissing is wrapped by the error for a loader whose Debian package is not installed.
var ErrMissing = errors.New("loader is missing")

// Build collects the loaders. A loader that cannot be had is no failure while there is at least one; Missing tells which
// and what to install. Building a GRUB image takes about a second; later calls find it in the cache.
func Build(ctx context.Context, cfg Config) (*Catalog, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Root == "" {
		cfg.Root = "/"
	}
	c := &Catalog{cfg: cfg, data: map[string][]byte{}, ready: map[netip.AddrPort]bool{}}
	for _, f := range []struct{ name, use, file, pkg string }{
		{"undionly.kpxe", "BIOS PXE", "usr/lib/ipxe/undionly.kpxe", "ipxe"},
		{"snponly.efi", "x64 UEFI PXE, when there is no GRUB image", "usr/lib/ipxe/snponly.efi", "ipxe"},
	} {
		file := filepath.Join(cfg.Root, f.file)
		data, err := readFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			c.missing = append(c.missing, fmt.Errorf("%w: %s for %s; apt-get install %s", ErrMissing, f.name, f.use, f.pkg))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read loader: %w", err)
		}
		c.add(Loader{Name: f.name, For: f.use, Source: file, Package: f.pkg, Version: packageVersion(ctx, f.pkg)}, data)
	}
	c.missing = append(c.missing, missingGRUB(cfg.Root)...)
	for _, server := range cfg.Servers {
		if err := c.Prepare(ctx, server); err != nil {
			return nil, err
		}
	}
	for name, file := range cfg.Extra {
		data, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("read loader %s of the operator: %w", name, err)
		}
		c.add(Loader{Name: name, For: "as the operator says", Source: file, Package: operator}, data)
	}
	for _, err := range c.missing {
		cfg.Log.Warn("loader not available", "err", err)
	}
	if len(c.list) == 0 && len(c.missing) > 0 {
		return nil, errors.Join(c.missing...)
	}
	return c, nil
}

// Prepare makes the GRUB images for machines that reach the boot handler at server, about a second each, or takes them
// from the cache. It does nothing when they are there already or GRUB's modules are not installed.
func (c *Catalog) Prepare(ctx context.Context, server netip.AddrPort) error {
	c.mu.RLock()
	done := c.ready[server]
	c.mu.RUnlock()
	if done {
		return nil
	}
	for _, t := range grubTargets {
		if err := c.addGRUB(ctx, server, t); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready[server] = true
	return nil
}

func (c *Catalog) add(l Loader, data []byte) {
	sum := sha256.Sum256(data)
	l.Size, l.SHA256 = len(data), hex.EncodeToString(sum[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, own := c.cfg.Extra[l.Name]; own && l.Package != operator {
		return // the operator's own file of that name counts
	}
	c.list = slices.DeleteFunc(c.list, func(o Loader) bool { return o.Name == l.Name })
	c.list = append(c.list, l)
	slices.SortFunc(c.list, func(a, b Loader) int { return strings.Compare(a.Name, b.Name) })
	c.data[l.Name] = data
	c.cfg.Log.Info("loader", "file", l.Name, "for", l.For, "package", l.Package, "version", l.Version, "bytes", l.Size, "sha256", l.SHA256)
}

// File returns a loader by its name, which is only looked up. The content must not be changed.
func (c *Catalog) File(name string) ([]byte, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, ok := c.data[name]
	return b, ok
}

// List returns all loaders in the order of their names.
func (c *Catalog) List() []Loader {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.list)
}

// Missing returns why loaders are not there, with the package to install.
func (c *Catalog) Missing() []error { return slices.Clone(c.missing) }

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxLoader {
		return nil, fmt.Errorf("%s is not a file of at most %d MB", name, maxLoader>>20)
	}
	return io.ReadAll(io.LimitReader(f, maxLoader))
}

// packageVersion asks dpkg; "" when it does not know the package.
func packageVersion(ctx context.Context, pkg string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f=${Version}", pkg).Output()
	if err != nil || len(out) > 256 {
		return ""
	}
	return strings.TrimSpace(string(out))
}
