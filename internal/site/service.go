package site

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// SequenceFacts is what the site needs to know of a task sequence's XML.
type SequenceFacts struct {
	ID, Name, BootImage string
	Disabled            bool
	// DeploysOS is true when a step applies an image, partitions a disk or
	// upgrades an OS (HRD-2).
	DeploysOS     bool
	MaxRunMinutes int
	Steps         int
	Captures      int              // enabled steps that capture an operating system image
	References    []wire.Reference // of enabled steps only (TSV-3)
	Problems      []wire.Reason    // steps that lack a required value (TSV-5)
}

// SequenceInspector reads a task sequence. Its error is shown to the user.
type SequenceInspector interface {
	Inspect(xml string) (SequenceFacts, error)
}

// ContentLibrary holds the bytes of packages. All methods are safe for
// concurrent use.
type ContentLibrary interface {
	// Manifest lists the files of a stored version.
	Manifest(ctx context.Context, packageID string, version int) (wire.Manifest, error)
	// Sources says where a device gets the files, best first.
	Sources(ctx context.Context, m wire.Manifest) ([]wire.ContentSource, error)
	// Import stores the files below dir as the package's next version and
	// returns its manifest, whose version counts: it stays when nothing
	// changed. version is the one expected, 1 for a new package.
	Import(ctx context.Context, packageID string, version int, dir string) (wire.Manifest, error)
	// Remove frees what only this package uses; that there is nothing is no
	// error. agreed is asked once nobody can change the package any more, and
	// its error stops the removal. Busy with a change, Remove fails with
	// ErrContentBusy, before agreed.
	Remove(ctx context.Context, packageID string, agreed func() error) (wire.PackageDeleted, error)
}

// PackageShare offers packages as plain folders (DOP-5).
type PackageShare interface {
	// Locate says where a version of a package lies, for a machine that reached
	// us by the request in ctx; nil when it is not there yet.
	Locate(ctx context.Context, packageID string, version int) *wire.ContentShare
}

// ErrContentBusy is wrapped by a ContentLibrary for a package that another
// request changes.
var ErrContentBusy = errors.New("package is being changed by another request")

// Waker sends magic packets. It returns what it sent to, as text, also beside
// an error.
type Waker interface {
	Wake(ctx context.Context, macs []string, address string, prefix int) (targets []string, err error)
}

// Config is what a Service is made of. Store, SiteCode and LogDir are needed;
// what is nil of the rest is not available and answers say so.
type Config struct {
	Store    *store.Store
	SiteCode string // three characters A-Z 0-9
	LogDir   string // run logs
	StateDir string // user state of devices; empty keeps none
	// CaptureDir is where images that are captured come in; empty takes none.
	CaptureDir string
	// FreeSpace is how many bytes are free on the disk of a folder, for user state (USM-1) and captured images (IMG-1); nil
	// does not look.
	FreeSpace func(dir string) (int64, error)
	Log       *slog.Logger
	Now       func() time.Time
	Random    io.Reader
	Inspector SequenceInspector
	Content   ContentLibrary
	Share     PackageShare
	Waker     Waker
	// CheckCondition reads the requirement of an application; its error is shown to the user.
	CheckCondition func(xml string) error
	// URL and CASPKI go onto media.
	URL, CASPKI string
	// Instance names this appliance in claims of due work.
	Instance string
}

// Service is the site. It is safe for concurrent use.
type Service struct {
	Config
	feed     feed
	logs     sync.Mutex
	boots    bootLimiter
	guesses  guesses
	debug    debugDesk
	captures captureDesk
}

// New makes the site's built-in objects and keys when they are missing.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Store == nil || len(c.SiteCode) != 3 || !wire.ValidObjectID(c.SiteCode+"00000") {
		return nil, fmt.Errorf("site code %q must be three characters of A-Z and 0-9", c.SiteCode)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Instance == "" {
		c.Instance = uuid.NewString()
	}
	if err := os.MkdirAll(c.LogDir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for run logs: %w", err)
	}
	s := &Service{Config: c}
	s.feed.init()
	s.guesses = s.newGuesses()
	return s, s.ensureBuiltIn(ctx)
}

func (s *Service) ensureBuiltIn(ctx context.Context) error {
	now := s.Now().UTC()
	return s.Store.Update(ctx, func(tx *store.Tx) error {
		for _, c := range []wire.Collection{
			{ID: wire.AllSystems, Name: "All Systems", BuiltIn: true, Created: now},
			{ID: wire.AllUnknownComputers, Name: "All Unknown Computers", BuiltIn: true, Created: now},
		} {
			if _, err := tx.Collection(c.ID); errors.Is(err, store.ErrNotFound) {
				if err := tx.PutCollection(c); err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
		}
		// COL-11; x86 machines have no boot image of ours, arm64 ones do.
		for arch, name := range map[string]string{"amd64": "x64 Unknown Computer", "386": "x86 Unknown Computer", "arm64": "ARM64 Unknown Computer"} {
			if _, err := tx.UnknownObjectOf(arch); err == nil {
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err := tx.PutDevice(wire.Device{ID: s.newID(), Name: name, Kind: wire.UnknownObject, Arch: arch, Created: now}); err != nil {
				return err
			}
		}
		return nil
	})
}

// EnsureSecret returns the site's key of that name; when there is none it
// stores fresh and returns that. It is how the appliance keeps its CA and its
// signing key.
func (s *Service) EnsureSecret(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	var v []byte
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		v, err = ensureSecret(tx, name, fresh)
		return err
	})
	return v, err
}

func ensureSecret(tx *store.Tx, name string, fresh []byte) ([]byte, error) {
	v, err := tx.Secret(name)
	if errors.Is(err, store.ErrNotFound) {
		return fresh, tx.PutSecret(name, fresh)
	}
	return v, err
}

// newID makes a UUIDv7: ids of devices, runs and boots sort by time.
func (s *Service) newID() string {
	id, err := uuid.NewV7FromReader(s.Random)
	if err != nil {
		// The system's random source does not fail on the systems we run on.
		panic(fmt.Sprintf("read random source: %v", err))
	}
	return id.String()
}

// objectID allocates the next package, image or sequence id.
func (s *Service) objectID(tx *store.Tx) (string, error) {
	n, err := tx.Next("objects", 1)
	if err != nil {
		return "", err
	}
	if n >= wire.FirstDeploymentNumber {
		return "", errors.New("all ids for packages, images and sequences of this site are used up")
	}
	return wire.FormatObjectID(s.SiteCode, n), nil
}

type actorKey struct{}

// WithActor says who asks, for audit messages (STA-10).
func WithActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

func actor(ctx context.Context) string {
	if name, ok := ctx.Value(actorKey{}).(string); ok {
		return name
	}
	return "appliance"
}

func (s *Service) audit(ctx context.Context, tx *store.Tx, m wire.StatusMessage) error {
	m.Kind, m.Time, m.Actor = "audit", s.Now().UTC(), actor(ctx)
	if m.Severity == "" {
		m.Severity = "info"
	}
	_, err := tx.AddMessage(m)
	return err
}
