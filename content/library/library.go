package library

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

var (
	// ErrNotFound is wrapped when a package, a version or a file is not in the library.
	ErrNotFound = errors.New("not in the content library")
	// ErrExists is wrapped by Add for a package that is there already.
	ErrExists = errors.New("package is in the content library already")
	// ErrBusy is wrapped by every change of a package that another goroutine is changing.
	ErrBusy = errors.New("package is being changed by another request")
	// ErrLocked is wrapped by Open when another process has the library open.
	ErrLocked = errors.New("content library is in use by another process")
)

// Options configure a Library.
type Options struct {
	// Signer holds the Ed25519 key that signs manifests; an ed25519.PrivateKey will do. Required.
	Signer crypto.Signer
	// Trusted are further keys whose manifests are accepted, e.g. the one before the last change of key.
	Trusted []ed25519.PublicKey
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger gets one line per import, removal and damaged file; nil means none.
	Logger *slog.Logger
}

// Library is a content library that this process has open. All methods may be called concurrently.
type Library struct {
	root    string
	lock    *safefile.Lock
	signer  crypto.Signer
	trusted []ed25519.PublicKey
	now     func() time.Time
	log     *slog.Logger

	mu sync.Mutex
	// pins counts the running imports that rely on a blob; a pinned blob is not removed.
	pins map[content.Hash]int
	// busy holds the packages that are being changed, so that two imports of one package do not race for a version.
	busy map[string]bool

	held holdings
}

// Open opens the library below root and creates it if needed. Only one process may have it open. Close it when done.
func Open(root string, options Options) (*Library, error) {
	if options.Signer == nil {
		return nil, errors.New("open content library: no signing key given")
	}
	public, ok := options.Signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("open content library: signing key is a %T, want an Ed25519 key", options.Signer.Public())
	}
	for _, dir := range []string{root, filepath.Join(root, "blobs"), filepath.Join(root, "packages"), filepath.Join(root, "temp")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("open content library: %w", err)
		}
	}
	lock, err := safefile.TryLock(filepath.Join(root, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open content library: %w", err)
	}
	if lock == nil {
		return nil, fmt.Errorf("open content library %s: %w: stop it, or give this one its own data_dir", root, ErrLocked)
	}
	l := &Library{
		root: root, lock: lock, signer: options.Signer,
		trusted: append([]ed25519.PublicKey{public}, options.Trusted...),
		now:     options.Now, log: options.Logger,
		pins: map[content.Hash]int{}, busy: map[string]bool{},
		held: holdings{sets: map[version]*holding{}, limit: maxHoldings},
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := l.clearTemp(); err != nil {
		return nil, errors.Join(fmt.Errorf("open content library: %w", err), lock.Close())
	}
	return l, nil
}

// Close gives the library back to other processes. Imports must have returned before.
func (l *Library) Close() error { return l.lock.Close() }

// clearTemp removes what imports left that were cut off; the lock makes sure that none is running.
func (l *Library) clearTemp() error {
	entries, err := os.ReadDir(l.tempDir())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(l.tempDir(), entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) tempDir() string { return filepath.Join(l.root, "temp") }

func (l *Library) blobName(h content.Hash) string {
	name := h.String()
	return filepath.Join(l.root, "blobs", name[:2], name)
}

// OpenBlob opens a stored file by its hash. The caller closes it; it stays readable after its package was removed.
func (l *Library) OpenBlob(h content.Hash) (*os.File, error) {
	f, err := os.Open(l.blobName(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("file %s: %w", h, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open content: %w", err)
	}
	return f, nil
}

// claim reserves a package for one change at a time; the function it returns gives it back.
func (l *Library) claim(packageID string) (release func(), err error) {
	if err := content.CheckPackageID(packageID); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[packageID] {
		return nil, fmt.Errorf("%s: %w: try again when that is done", packageID, ErrBusy)
	}
	l.busy[packageID] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.busy, packageID)
	}, nil
}

// pin keeps a blob from being removed until unpin, whether it exists yet or not.
func (l *Library) pin(h content.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pins[h]++
}

func (l *Library) unpin(hashes []content.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hashes {
		if l.pins[h]--; l.pins[h] <= 0 {
			delete(l.pins, h)
		}
	}
}

// ctxReader makes a long read end when the context does.
type ctxReader struct {
	ctx context.Context
	f   fs.File
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.f.Read(p)
}
