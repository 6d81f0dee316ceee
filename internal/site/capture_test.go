package site_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/site/sitetest"
	"github.com/bootyard/bootyard/internal/wire"
)

// shelf is a content library that remembers what it was given.
type shelf struct {
	sitetest.Content
	mu    sync.Mutex
	files map[string]map[string][]byte // by package, by name
	fails error
}

func (l *shelf) Import(ctx context.Context, id string, version int, dir string) (wire.Manifest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil {
		return wire.Manifest{}, l.fails
	}
	names, err := os.ReadDir(dir)
	l.files[id] = map[string][]byte{}
	for _, n := range names {
		data, e := os.ReadFile(filepath.Join(dir, n.Name()))
		l.files[id][n.Name()], err = data, errors.Join(err, e)
	}
	m, _ := l.Manifest(ctx, id, version)
	return m, err
}

// capturing is a run of a sequence that captures images.
type capturing struct {
	*sitetest.Site
	t    *testing.T
	who  site.Session
	run  string
	lib  *shelf
	free int64
	look func() // called once, when the free room is next asked for
}

func newCapturing(t *testing.T, sequence string) *capturing {
	c := &capturing{t: t, lib: &shelf{files: map[string]map[string][]byte{}}, free: 1 << 40}
	c.Site = sitetest.New(t, c.config)
	d := c.Device("ref-01", 1)
	seq, err := c.ImportSequence(c.Ctx, wire.SequenceImport{XML: sequence, BootImage: c.Image.ID})
	require.NoError(t, err)
	dep := c.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: c.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{c.Site, t, 1}
	c.who = m.session()
	c.run = m.run(c.who, dep.ID, "k").ID
	return c
}

func (c *capturing) config(f *site.Config) {
	f.CaptureDir, f.Content = filepath.Join(filepath.Dir(f.LogDir), "captures"), c.lib
	f.FreeSpace = func(string) (int64, error) {
		if look := c.look; look != nil {
			c.look = nil
			look()
		}
		return c.free, nil
	}
}

func (c *capturing) request(step, name string) (wire.CaptureStore, error) {
	return c.RequestCapture(c.Ctx, c.who, c.run, wire.CaptureRequest{Step: step, Name: name, Format: wire.CaptureTar})
}

func (c *capturing) opened(step, name string) wire.CaptureStore {
	c.t.Helper()
	s, err := c.request(step, name)
	require.NoError(c.t, err)
	return s
}

func cut(data []byte) (pieces []wire.CapturePieceData, hashes []string) {
	for ; len(data) > 0; data = data[min(len(data), wire.CapturePiece):] {
		p := data[:min(len(data), wire.CapturePiece)]
		sum := sha256.Sum256(p)
		pieces, hashes = append(pieces, wire.CapturePieceData{Data: p, SHA256: hex.EncodeToString(sum[:])}), append(hashes, hex.EncodeToString(sum[:]))
	}
	return pieces, hashes
}

func (c *capturing) put(id string, number int, p wire.CapturePieceData) error {
	return c.PutCapturePiece(c.Ctx, c.who, c.run, id, number, p)
}

func (c *capturing) complete(id string, data []byte, hashes []string) (wire.CaptureStored, error) {
	return c.CompleteCapture(c.Ctx, c.who, c.run, id, wire.CaptureComplete{Pieces: hashes, Size: int64(len(data)), Author: "me", Description: "text", Version: "7", Unpacked: 4711})
}

// storing runs the appliance's part until the image is stored, or has failed.
func (c *capturing) storing(id string, data []byte, hashes []string) (string, error) {
	c.t.Helper()
	var out wire.CaptureStored
	var err error
	c.until(func() bool {
		out, err = c.complete(id, data, hashes)
		return err != nil || out.Package != ""
	})
	return out.Package, err
}

func (c *capturing) until(is func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.Ctx)
	ended := make(chan error)
	go func() { ended <- c.StoreCaptures(ctx) }()
	defer func() { cancel(); require.ErrorIs(c.t, <-ended, context.Canceled) }()
	require.Eventually(c.t, is, 20*time.Second, 5*time.Millisecond)
}

func imageBytes(n int, seed byte) []byte {
	return bytes.Repeat([]byte{seed, 1, 2, 3, 5, 7, 11}, n/7+1)[:n]
}

// IMG-1: an image comes in pieces, in any order, over restarts of the appliance, and becomes one new package.
func TestIMG1Capture(t *testing.T) {
	c := newCapturing(t, `<sequence name="capture" captures="2"/>`)
	before, err := c.ImportPackage(c.Ctx, wire.Package{Name: "Reference", Kind: "osImage"}, t.TempDir())
	require.NoError(t, err)
	long, data := imageBytes(3*wire.CapturePiece, 'x'), imageBytes(2*wire.CapturePiece+17, 'y')
	copy(data, long[:wire.CapturePiece]) // the first piece is the same
	st := c.opened("1 Capture", "Reference")
	require.False(t, st.Complete)
	require.Empty(t, st.Pieces)
	old, _ := cut(long)
	require.NoError(t, c.put(st.ID, 2, old[2]))
	require.NoError(t, c.put(st.ID, 0, old[0]))

	// The machine is switched off and on, and the appliance too.
	c.Open(c.config)
	st = c.opened("1 Capture", "Reference")
	require.Equal(t, []string{old[0].SHA256, "", old[2].SHA256}, st.Pieces)
	pieces, hashes := cut(data)
	_, err = c.complete(st.ID, data, hashes)
	require.Contains(t, problem(t, err).Detail, "piece 1 is not here")
	for i := 1; i < len(pieces); i++ {
		require.NoError(t, c.put(st.ID, i, pieces[i]))
		require.NoError(t, c.put(st.ID, i, pieces[i]), "repeated")
	}
	none, err := c.complete(st.ID, data, hashes)
	require.NoError(t, err)
	require.Empty(t, none.Package, "nobody has stored it yet")
	require.Equal(t, 409, problem(t, c.put(st.ID, 0, old[1])).Status, "it is complete")

	c.Open(c.config) // a crash before it is stored
	id, err := c.storing(st.ID, data, hashes)
	require.NoError(t, err)
	require.NotEqual(t, before.ID, id)
	p, err := c.Package(c.Ctx, id)
	require.NoError(t, err)
	require.Equal(t, wire.Package{ID: id, Name: "Reference", Kind: "osImage", Version: 1, Description: "text", Author: "me", ImageVersion: "7", CapturedFrom: "ref-01",
		Files: p.Files, Size: p.Size, Created: p.Created, Updated: p.Updated}, p)
	require.True(t, bytes.Equal(data, c.lib.files[id]["image.tar.zst"]), "the longer one that came before has left nothing")
	require.JSONEq(t, `{"unpacked": 4711}`, string(c.lib.files[id]["image.json"]))
	left, err := os.ReadDir(c.CaptureDir)
	require.NoError(t, err)
	require.Empty(t, left)

	// Asked again, the answer is the same; the step makes no second one.
	again, err := c.complete(st.ID, nil, nil)
	require.NoError(t, err)
	require.Equal(t, id, again.Package)
	require.True(t, c.opened("1 Capture", "Reference").Complete)
	_, err = c.request("1 Capture", "Another")
	require.Equal(t, 409, problem(t, err).Status)
	require.Equal(t, 1, func() int { p, _ := c.Package(c.Ctx, before.ID); return p.Version }(), "what was there is as it was")
	list, err := c.Packages(c.Ctx)
	require.NoError(t, err)
	require.Len(t, list, 2)
	messages, err := c.Messages(c.Ctx, "audit")
	require.NoError(t, err)
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	assert.Contains(t, strings.Join(texts, "\n"), `ref-01 begins to capture the image "Reference" (tar.zst) into the appliance`)
	assert.Contains(t, strings.Join(texts, "\n"), `image "Reference" captured from ref-01 is package `+id)

	c.Clock.Advance(8 * 24 * time.Hour)
	c.until(func() bool {
		_, err = c.complete(st.ID, nil, nil)
		return err != nil
	})
	require.Equal(t, 404, problem(t, err).Status, "nobody asks for it any more")
}

// IMG-1: who may bring an image, and how large.
func TestIMG1CaptureIsRefused(t *testing.T) {
	status := func(err error) int { t.Helper(); return problem(t, err).Status }
	c := newCapturing(t, `<sequence name="other"/>`)
	_, err := c.request("1 Capture", "x")
	require.Contains(t, problem(t, err).Detail, "has 0 enabled steps")

	c = newCapturing(t, `<sequence name="capture" captures="1"/>`)
	for _, name := range []string{"", "\x00"} {
		_, err := c.request("1 Capture", name)
		require.Equal(t, 422, status(err))
	}
	_, err = c.RequestCapture(c.Ctx, c.who, c.run, wire.CaptureRequest{Step: "1", Name: "x", Format: "../../x"})
	require.Equal(t, 422, status(err))
	st := c.opened("1 Capture", "x")
	_, err = c.request("2 Capture", "y")
	require.Equal(t, 403, status(err), "one image for each step")

	// The words of the step changed while the machine was off: the upload begins anew.
	data := imageBytes(100, 'a')
	pieces, hashes := cut(data)
	require.NoError(t, c.put(st.ID, 0, pieces[0]))
	next := c.opened("1 Capture", "y")
	require.NotEqual(t, st.ID, next.ID)
	require.Empty(t, next.Pieces)
	require.Equal(t, 404, status(c.put(st.ID, 0, pieces[0])))
	st = next

	other := c.Device("other", 2)
	dep := c.Deploy(wire.DeploymentSpec{TaskSequence: c.Site.Sequence("os", true).ID, Collection: c.Collection("others", other).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	m := machine{c.Site, t, 2}
	thief := m.session()
	theirs := m.run(thief, dep.ID, "k")
	require.Error(t, c.PutCapturePiece(c.Ctx, thief, c.run, st.ID, 0, pieces[0]), "another machine's run")
	require.Equal(t, 404, status(c.PutCapturePiece(c.Ctx, thief, theirs.ID, st.ID, 0, pieces[0])), "another run's upload")

	require.Equal(t, 404, status(c.put("../../etc", 0, pieces[0])))
	require.Equal(t, 404, status(c.put(st.ID, -1, pieces[0])))
	require.Equal(t, 404, status(c.put(st.ID, wire.MaxCapturePieces, pieces[0])))
	require.Equal(t, 422, status(c.put(st.ID, 0, wire.CapturePieceData{Data: data, SHA256: "00"})))
	require.Equal(t, 422, status(c.put(st.ID, 0, wire.CapturePieceData{Data: make([]byte, wire.CapturePiece+1)})))
	for _, size := range []int64{0, -5, wire.CapturePiece + 1, 1 << 60} {
		_, err := c.CompleteCapture(c.Ctx, c.who, c.run, st.ID, wire.CaptureComplete{Pieces: hashes, Size: size})
		require.Equal(t, 422, status(err))
	}
	c.free = captureFree - 1
	require.Equal(t, 507, status(c.put(st.ID, 0, pieces[0])), "the disk is full")
	c.free = 1 << 40
	set, err := c.Settings(c.Ctx)
	require.NoError(t, err)
	set.CaptureMaxBytes = 50
	require.NoError(t, c.SetSettings(c.Ctx, set))
	require.Equal(t, 413, status(c.put(st.ID, 0, pieces[0])))
	set.CaptureMaxBytes = 0
	require.NoError(t, c.SetSettings(c.Ctx, set))
	_, err = c.request("1 Capture", "y")
	require.Equal(t, 403, status(err))
	set.CaptureMaxBytes = 1 << 30
	require.NoError(t, c.SetSettings(c.Ctx, set))

	require.NoError(t, c.Finish(c.Ctx, c.who, c.run, wire.Finish{Succeeded: true}))
	require.Error(t, c.put(st.ID, 0, pieces[0]), "the run is over")
}

// captureFree is the least that must be free for one piece more.
const captureFree = wire.CapturePiece + 1<<30

// What was damaged on the disk, or does not get into the library, is told, and can be captured again.
func TestIMG1CaptureThatFails(t *testing.T) {
	c := newCapturing(t, `<sequence name="capture" captures="1"/>`)
	data := imageBytes(100, 'a')
	pieces, hashes := cut(data)
	for name, damage := range map[string]func(id string){
		"damaged": func(id string) {
			require.NoError(t, os.WriteFile(filepath.Join(c.CaptureDir, id, "image", "part"), imageBytes(100, 'b'), 0o600))
		},
		"could not store": func(string) { c.lib.fails = errors.New("no space left") },
	} {
		st := c.opened("1 Capture", "x")
		require.Empty(t, st.Pieces, "it begins anew")
		require.NoError(t, c.put(st.ID, 0, pieces[0]))
		damage(st.ID)
		_, err := c.storing(st.ID, data, hashes)
		require.Contains(t, problem(t, err).Detail, name)
		c.lib.fails = nil
	}
	list, err := c.Packages(c.Ctx)
	require.NoError(t, err)
	require.Empty(t, list)
	st := c.opened("1 Capture", "x")
	require.NoError(t, c.put(st.ID, 0, pieces[0]))
	_, err = c.storing(st.ID, data, hashes)
	require.NoError(t, err)
}

// IMG-1: what a killed appliance left of an upload that has no record goes; uploads that go on stay, and foreign files too.
func TestIMG1CaptureLeftovers(t *testing.T) {
	c := newCapturing(t, `<sequence name="capture" captures="1"/>`)
	st := c.opened("1 Capture", "x")
	pieces, _ := cut(imageBytes(100, 'a'))
	require.NoError(t, c.put(st.ID, 0, pieces[0]))
	left := filepath.Join(c.CaptureDir, "0b6a5a3e-52a5-4c5e-9c3e-3f6a37f1c0de")
	require.NoError(t, os.MkdirAll(filepath.Join(left, "image"), 0o700))
	foreign := filepath.Join(c.CaptureDir, "lost+found")
	require.NoError(t, os.Mkdir(foreign, 0o700))
	c.until(func() bool {
		_, err := os.Stat(left)
		return os.IsNotExist(err)
	})
	require.DirExists(t, foreign)
	require.NotEmpty(t, c.opened("1 Capture", "x").Pieces)
}

// IMG-1: the words by which an agent tells its step are characters, and not only those of English.
func TestIMG1CaptureStepInAnyLanguage(t *testing.T) {
	c := newCapturing(t, `<sequence name="capture" captures="1"/>`)
	words := strings.Repeat("\U0001F4BE", 60)
	c.opened("123 "+words+" "+words, "x")
}

// IMG-1: a piece that is checked before its image is complete, and would be written after, is refused: it would be a second
// file in the package.
func TestIMG1CaptureLatePiece(t *testing.T) {
	c := newCapturing(t, `<sequence name="capture" captures="1"/>`)
	st := c.opened("1 Capture", "x")
	data := imageBytes(100, 'a')
	pieces, hashes := cut(data)
	require.NoError(t, c.put(st.ID, 0, pieces[0]))
	c.look = func() {
		_, err := c.complete(st.ID, data, hashes)
		require.NoError(t, err)
		dir := filepath.Join(c.CaptureDir, st.ID, "image") // as the one who stores it does
		require.NoError(t, os.Rename(filepath.Join(dir, "part"), filepath.Join(dir, "image.tar.zst")))
	}
	require.Equal(t, 409, problem(t, c.put(st.ID, 0, pieces[0])).Status)
	id, err := c.storing(st.ID, data, hashes)
	require.NoError(t, err)
	require.Len(t, c.lib.files[id], 2, "the image and its metadata")
}

// IMG-1: a machine that asks under ever other names fills neither the record of what happened nor the disk.
func TestIMG1CaptureNamesWithoutEnd(t *testing.T) {
	c := newCapturing(t, `<sequence name="capture" captures="1"/>`)
	begun, last := 0, error(nil)
	for i := range 30 {
		if _, err := c.request("1 Capture", strings.Repeat("x", i+1)); err == nil {
			begun++
		} else {
			last = err
		}
	}
	require.Equal(t, 11, begun)
	require.Contains(t, problem(t, last).Detail, "began to capture an image")
	messages, err := c.Messages(c.Ctx, "audit")
	require.NoError(t, err)
	require.Less(t, len(messages), 25)
}
