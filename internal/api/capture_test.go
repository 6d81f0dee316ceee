package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

// IMG-1: an image goes up over the session of a run, in whole pieces, and that
// session is the only way.
func TestIMG1CaptureOverTheAPI(t *testing.T) {
	b := newBench(t, func(c *site.Config) { c.CaptureDir = filepath.Join(t.TempDir(), "captures") })
	d := b.Device("ref", 1)
	seq, err := b.ImportSequence(b.Ctx, wire.SequenceImport{XML: `<sequence name="c" captures="1"/>`, BootImage: b.Image.ID})
	require.NoError(t, err)
	dep := b.Deploy(wire.DeploymentSpec{TaskSequence: seq.ID, Collection: b.Collection("lab", d).ID, Purpose: wire.Required, MakeAvailableTo: wire.MediaAndPXE})
	a := b.boot(t, 1)
	run := a.claim(dep.ID, "key").ID
	ask := wire.CaptureRequest{Step: "1", Name: "Reference", Format: wire.CaptureWIM}
	open := decode[wire.CaptureStore](t, a.ok("POST", runPath(wire.PathCapture, run), ask))
	require.Positive(t, open.MaxBytes)

	data := make([]byte, wire.CapturePiece)
	sum := sha256.Sum256(data)
	piece := wire.CapturePieceData{Data: data, SHA256: hex.EncodeToString(sum[:])}
	at := func(pattern, number string) string {
		return strings.NewReplacer("{run}", run, "{capture}", open.ID, "{number}", number).Replace(pattern)
	}
	a.ok("PUT", at(wire.PathCapturePiece, "0"), piece)
	for _, number := range []string{"-1", "x", "99999999999999999999", "131072", "..%2f..%2fx"} {
		status, _ := a.ask("PUT", at(wire.PathCapturePiece, number), piece)
		require.GreaterOrEqual(t, status, 400, number)
	}
	status, _ := b.call(t, "", "PUT", at(wire.PathCapturePiece, "1"), piece)
	require.Equal(t, 401, status)
	piece.Data = append(piece.Data, make([]byte, 1<<20)...)
	status, _ = a.ask("PUT", at(wire.PathCapturePiece, "1"), piece)
	require.Equal(t, 413, status, "no body is larger than a piece")

	end := wire.CaptureComplete{Pieces: []string{piece.SHA256}, Size: wire.CapturePiece}
	require.Empty(t, decode[wire.CaptureStored](t, a.ok("POST", at(wire.PathCaptureComplete, ""), end)).Package)
	ctx, cancel := context.WithCancel(b.Ctx)
	stopped := make(chan error)
	go func() { stopped <- b.StoreCaptures(ctx) }()
	defer func() { cancel(); <-stopped }()
	require.Eventually(t, func() bool {
		return decode[wire.CaptureStored](t, a.ok("POST", at(wire.PathCaptureComplete, ""), end)).Package != ""
	}, 20*time.Second, 10*time.Millisecond)
}
