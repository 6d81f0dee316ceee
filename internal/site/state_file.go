package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// stateFolder maps an id to its folder. Only UUIDs are ids, so nothing from the network becomes part of a path.
func (s *Service) stateFolder(id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil || s.StateDir == "" {
		return "", missing("state", "there is no such state store", "request one")
	}
	return filepath.Join(s.StateDir, u.String()), nil
}

func (s *Service) pieceFile(id string, number int) (string, error) {
	dir, err := s.stateFolder(id)
	if err != nil || number < 0 || number >= wire.MaxStatePieces {
		return "", missing("number", "there is no such piece", "")
	}
	return filepath.Join(dir, fmt.Sprintf("%08d", number)), nil
}

// roomForState refuses when more bytes of user state would leave less free on the disk than the site wants (USM-1).
func (s *Service) roomForState(set wire.Settings, more int64) error {
	return s.roomIn(s.StateDir, set, more, wire.Problem{Rule: "USM-1", Field: "state"})
}

// roomIn refuses when more bytes in a folder would leave less free on its disk than the site wants. The refusal has the
// rule and the field of why.
func (s *Service) roomIn(dir string, set wire.Settings, more int64, why wire.Problem) error {
	if s.FreeSpace == nil {
		return nil
	}
	err := os.MkdirAll(dir, 0o700)
	var free int64
	if err == nil {
		free, err = s.FreeSpace(dir)
	}
	if err != nil {
		return fmt.Errorf("room in %s: %w", dir, err)
	}
	if free-more < set.StateMinFree {
		return refusal(507, why.Rule, why.Field, fmt.Sprintf("the appliance's disk has %d MiB left, and what machines send leaves %d MiB free", free>>20, set.StateMinFree>>20),
			"make room on the appliance, or change it with `bootyard settings set --state-min-free`")
	}
	return nil
}

// fullDisk turns the error of a disk that ran full all the same into that refusal.
func fullDisk(err error, why wire.Problem) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return refusal(507, why.Rule, why.Field, "the appliance's disk is full", "make room on the appliance")
	}
	return fmt.Errorf("keep %s: %w", why.Field, err)
}

// PutStatePiece stores one encrypted piece. The same number again replaces it.
func (s *Service) PutStatePiece(ctx context.Context, who Session, run, id string, number int, p wire.StatePiece) error {
	sum := sha256.Sum256(p.Data)
	if len(p.Data) == 0 || len(p.Data) > wire.MaxStatePiece || hex.EncodeToString(sum[:]) != p.SHA256 {
		return invalid("USM-2", "data", fmt.Sprintf("a piece has 1 to %d bytes that match its hash", wire.MaxStatePiece), "send it again")
	}
	var limit int64
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		limit = set.StateMaxBytes
		if _, err = stateOf(tx, who, run, id, true); err != nil {
			return err
		}
		return s.roomForState(set, int64(len(p.Data)))
	})
	if err != nil {
		return err
	}
	// All pieces but the last are of one size, so the number tells how much there is.
	if (int64(number)+1)*int64(len(p.Data)) > limit {
		return refusal(413, "USM-1", "data", fmt.Sprintf("the user state is larger than the %d bytes that this site keeps", limit), "raise stateMaxBytes in the settings, or capture less")
	}
	file, err := s.pieceFile(id, number)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fullDisk(err, wire.Problem{Rule: "USM-1", Field: "state"})
	}
	if err := atomicfile.Write(file, p.Data, 0o600); err != nil {
		return fullDisk(err, wire.Problem{Rule: "USM-1", Field: "state"})
	}
	return nil
}

// StatePiece returns one encrypted piece of a state that the run may restore.
func (s *Service) StatePiece(ctx context.Context, who Session, run, id string, number int) (p wire.StatePiece, err error) {
	var st wire.UserState
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		st, err = stateOf(tx, who, run, id, false)
		return err
	})
	if err != nil {
		return p, err
	}
	file, err := s.pieceFile(id, number)
	if err != nil {
		return p, err
	}
	if number >= len(st.Pieces) {
		return p, missing("number", fmt.Sprintf("the state has %d pieces", len(st.Pieces)), "")
	}
	if p.Data, err = os.ReadFile(file); err != nil {
		return p, fmt.Errorf("read user state: %w", err)
	}
	p.SHA256 = st.Pieces[number]
	return p, nil
}

// checkPieces hashes all pieces anew and returns their size together. Others that lie there are removed.
func (s *Service) checkPieces(id string, pieces []string) (size int64, err error) {
	for i, want := range pieces {
		file, err := s.pieceFile(id, i)
		if err != nil {
			return 0, err
		}
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("read user state: %w", err)
		}
		if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != want {
			return 0, refusal(409, "USM-2", "pieces", fmt.Sprintf("piece %d is not here as it was announced", i), "send it again")
		}
		size += int64(len(data))
	}
	for i := len(pieces); ; i++ {
		file, err := s.pieceFile(id, i)
		if err != nil {
			return size, nil //nolint:nilerr // no more numbers
		}
		if err := os.Remove(file); err != nil {
			return size, nil //nolint:nilerr // the first that is not there ends them
		}
	}
}

func (s *Service) removePieces(id string) error {
	dir, err := s.stateFolder(id)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove user state: %w", err)
	}
	return nil
}
