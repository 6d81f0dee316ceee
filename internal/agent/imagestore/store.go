package imagestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

const (
	// askEvery is how often is asked whether the appliance has stored the image.
	askEvery = 2 * time.Second
	// storeTime bounds the storing: the appliance reads and writes the whole image.
	storeTime = 6 * time.Hour
)

// Line is the way to the appliance.
type Line interface {
	Do(ctx context.Context, method, path string, in, out any) error
}

// Store is a machine.ImageStore. It is safe for concurrent use.
type Store struct {
	Line  Line
	Run   string
	Clock link.Clock
	Wait  link.Backoff                     // for an appliance that is away
	Say   func(format string, args ...any) // never nil
}

// Store implements machine.ImageStore. A piece that the appliance has from before an interruption is not sent again.
func (s *Store) Store(ctx context.Context, image machine.StoredImage, write func(io.Writer) (int64, error)) (string, error) {
	format := wire.CaptureWIM
	if image.Tar {
		format = wire.CaptureTar
	}
	var open wire.CaptureStore
	err := s.do(ctx, http.MethodPost, link.Path(wire.PathCapture, "run", s.Run), wire.CaptureRequest{Step: image.Step, Name: image.Name, Format: format}, &open)
	if err != nil {
		return "", err
	}
	end := wire.CaptureComplete{Author: image.Author, Description: image.Description, Version: image.Version}
	if open.Complete {
		s.Say("the appliance has the whole image %q from before", image.Name)
	} else {
		w := &pieceWriter{limit: open.MaxBytes, have: open.Pieces, send: func(number int, p wire.CapturePieceData) error {
			at := link.Path(wire.PathCapturePiece, "run", s.Run, "capture", open.ID, "number", strconv.Itoa(number))
			return s.do(ctx, http.MethodPut, at, p, nil)
		}}
		unpacked, err := write(w)
		if w.err != nil {
			return "", w.err // what the program that wrote says of a closed pipe explains nothing
		}
		if err == nil {
			err = w.flush()
		}
		if err != nil {
			return "", err
		}
		end.Pieces, end.Size, end.Unpacked = w.hashes, w.size, unpacked
		s.Say("image %q: %d bytes; %d of %d pieces were at the appliance before", image.Name, w.size, w.known, len(w.hashes))
	}
	return s.stored(ctx, link.Path(wire.PathCaptureComplete, "run", s.Run, "capture", open.ID), end)
}

// stored waits until the image is in the appliance's library.
func (s *Store) stored(ctx context.Context, path string, end wire.CaptureComplete) (string, error) {
	for until := s.Clock.Now().Add(storeTime); ; {
		var answer wire.CaptureStored
		if err := s.do(ctx, http.MethodPost, path, end, &answer); err != nil {
			return "", err
		}
		if answer.Package != "" {
			return answer.Package, nil
		}
		end.Pieces = nil // agreed on
		if s.Clock.Now().After(until) {
			return "", errors.New("the appliance has not stored the image in time; its log says why")
		}
		if err := s.Clock.Sleep(ctx, askEvery); err != nil {
			return "", err
		}
	}
}

// do waits for an appliance that is away.
func (s *Store) do(ctx context.Context, method, path string, in, out any) error {
	return link.Retry(ctx, s.Clock, s.Wait, func(err error, wait time.Duration) {
		s.Say("captured image: the appliance does not answer (%v), next try in %s", err, wait.Round(time.Second))
	}, func(ctx context.Context) error { return s.Line.Do(ctx, method, path, in, out) })
}

// pieceWriter cuts a stream into pieces. After an error it takes nothing more.
type pieceWriter struct {
	limit  int64
	have   []string // hashes of what the appliance has
	send   func(number int, p wire.CapturePieceData) error
	buf    []byte
	size   int64
	hashes []string
	known  int
	err    error
}

// Write implements io.Writer.
func (w *pieceWriter) Write(p []byte) (n int, err error) {
	if w.buf == nil {
		w.buf = make([]byte, 0, wire.CapturePiece)
	}
	for len(p) > 0 && w.err == nil {
		k := min(len(p), wire.CapturePiece-len(w.buf))
		w.buf, p, n = append(w.buf, p[:k]...), p[k:], n+k
		if len(w.buf) == wire.CapturePiece {
			_ = w.flush() // kept in w.err
		}
	}
	return n, w.err
}

func (w *pieceWriter) flush() error {
	if len(w.buf) == 0 || w.err != nil {
		return w.err
	}
	number := len(w.hashes)
	w.size += int64(len(w.buf))
	if w.size > w.limit || number >= wire.MaxCapturePieces {
		w.err = fmt.Errorf("the image is larger than the %d bytes that the site takes: raise it with `bootyard settings set --capture-max-bytes`, or capture to a share", w.limit)
		return w.err
	}
	sum := sha256.Sum256(w.buf)
	hash := hex.EncodeToString(sum[:])
	if number < len(w.have) && w.have[number] == hash {
		w.known++
	} else {
		w.err = w.send(number, wire.CapturePieceData{Data: w.buf, SHA256: hash})
	}
	w.hashes, w.buf = append(w.hashes, hash), w.buf[:0]
	return w.err
}
