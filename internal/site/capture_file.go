package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// The folder of an upload holds the image, written piece by piece, in a folder of its own that becomes the package, and
// beside it the hashes of the pieces that are on the disk, 32 bytes each, zeros for those that are not.
const (
	captureImageDir = "image"
	capturePieces   = "pieces"
	// captureMeta tells how much the image needs before anything is erased (images/osimage.MetadataFile).
	captureMeta = "image.json"
)

// captureFolder maps an id to its folder. Only UUIDs are ids, so nothing from the network becomes part of a path.
func (s *Service) captureFolder(id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil || s.CaptureDir == "" {
		return "", missing("capture", "there is no such upload", "request it")
	}
	return filepath.Join(s.CaptureDir, u.String()), nil
}

func checkPiece(number int, p wire.CapturePieceData) error {
	sum := sha256.Sum256(p.Data)
	switch {
	case number < 0 || number >= wire.MaxCapturePieces:
		return missing("number", "there is no such piece", "")
	case len(p.Data) == 0 || len(p.Data) > wire.CapturePiece || hex.EncodeToString(sum[:]) != p.SHA256:
		return invalid("IMG-1", "data", fmt.Sprintf("a piece has 1 to %d bytes that match its hash", wire.CapturePiece), "send it again")
	}
	return nil
}

// keepPiece writes a piece, and its hash once the piece is on the disk.
func (s *Service) keepPiece(id string, number int, p wire.CapturePieceData) error {
	dir, err := s.captureFolder(id)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, captureImageDir), 0o700)
	}
	if err == nil {
		err = writeAt(filepath.Join(dir, captureImageDir, "part"), p.Data, int64(number)*wire.CapturePiece)
	}
	if err == nil {
		sum := sha256.Sum256(p.Data)
		err = writeAt(filepath.Join(dir, capturePieces), sum[:], int64(number)*sha256.Size)
	}
	if err != nil {
		return fullDisk(err, wire.Problem{Rule: "IMG-1", Field: "captured image"})
	}
	return nil
}

func writeAt(file string, data []byte, at int64) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// captured lists the hashes of the pieces that are there.
func (s *Service) captured(id string) (pieces []string, err error) {
	dir, err := s.captureFolder(id)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, capturePieces))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read captured image: %w", err)
	}
	for ; len(data) >= sha256.Size; data = data[sha256.Size:] {
		piece := ""
		if sum := [sha256.Size]byte(data); sum != [sha256.Size]byte{} {
			piece = hex.EncodeToString(sum[:])
		}
		pieces = append(pieces, piece)
	}
	return pieces, nil
}

// agreeOnPieces compares what the agent sent with what came.
func (s *Service) agreeOnPieces(id string, pieces []string, size int64) error {
	count := int64(len(pieces))
	if count == 0 || count > wire.MaxCapturePieces || size <= (count-1)*wire.CapturePiece || size > count*wire.CapturePiece {
		return invalid("IMG-1", "pieces", fmt.Sprintf("an image has 1 to %d pieces of %d bytes, the last one to that", wire.MaxCapturePieces, wire.CapturePiece), "")
	}
	have, err := s.captured(id)
	if err != nil {
		return err
	}
	for i, want := range pieces {
		if i >= len(have) || have[i] != want {
			return refusal(409, "IMG-1", "pieces", fmt.Sprintf("piece %d is not here as it was announced", i), "send it again")
		}
	}
	return nil
}

// checkCapture hashes an upload anew from the disk, gives the image its name and its metadata, and returns the folder that
// becomes a package. It may be repeated.
func (s *Service) checkCapture(ctx context.Context, c store.Capture) (dir string, err error) {
	folder, err := s.captureFolder(c.ID)
	if err != nil {
		return "", err
	}
	pieces, err := s.captured(c.ID)
	if err != nil {
		return "", err
	}
	if c.Count < 1 || c.Count > len(pieces) {
		return "", errDamagedCapture
	}
	dir = filepath.Join(folder, captureImageDir)
	image := filepath.Join(dir, "image."+c.Format)
	if err := os.Rename(filepath.Join(dir, "part"), image); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.Truncate(image, c.Complete.Size); err != nil { // an upload that this one replaced may have been longer
		return "", errors.Join(errDamagedCapture, err)
	}
	if err := hashPieces(ctx, image, pieces[:c.Count]); err != nil {
		return "", err
	}
	meta, err := json.Marshal(map[string]int64{"unpacked": c.Complete.Unpacked})
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, captureMeta), meta, 0o600)
}

// errDamagedCapture is an upload that is not on the disk any more as it came.
var errDamagedCapture = errors.New("the image was damaged on the appliance's disk")

func hashPieces(ctx context.Context, image string, pieces []string) error {
	f, err := os.Open(image)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	buf := make([]byte, wire.CapturePiece)
	for i, want := range pieces {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(f, buf)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.Join(errDamagedCapture, err)
		}
		if sum := sha256.Sum256(buf[:n]); hex.EncodeToString(sum[:]) != want {
			return fmt.Errorf("%w (piece %d)", errDamagedCapture, i)
		}
	}
	return nil
}

func (s *Service) removeCapture(id string) error {
	dir, err := s.captureFolder(id)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove captured image: %w", err)
	}
	return nil
}
