package client

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/bootyard/bootyard/content"
)

// CodeHashMismatch is what Configuration Manager reports for content whose hash is wrong (TS-135).
const CodeHashMismatch uint32 = 0x80091007

var (
	// ErrHashMismatch is what errors.Is finds in a *HashError.
	ErrHashMismatch = errors.New("content hash mismatch")
	// ErrUnavailable is what errors.Is finds in an *UnavailableError.
	ErrUnavailable = errors.New("content is not available from any source")
)

// HashError means that no source gave the bytes of the manifest and at least one gave others (DOP-17). Nothing of them was
// kept.
type HashError struct {
	PackageID, File string
	Expected, Got   content.Hash
	// Sources are the names of those that gave wrong bytes.
	Sources []string
	// Others tells why the remaining sources failed; nil when there were none.
	Others error
}

// Code is the task sequence's exit code.
func (e *HashError) Code() uint32 { return CodeHashMismatch }

func (e *HashError) Error() string {
	text := fmt.Sprintf("package %s, file %q: content refused, SHA-256 is %s, manifest says %s, from %s (0x%08X): "+
		"verify the package on these sources and redistribute it", e.PackageID, e.File, e.Got, e.Expected, strings.Join(e.Sources, ", "), CodeHashMismatch)
	if e.Others != nil {
		text += "; other sources: " + e.Others.Error()
	}
	return text
}

// Is makes errors.Is(err, ErrHashMismatch) true.
func (e *HashError) Is(target error) bool { return target == ErrHashMismatch }

// UnavailableError means that every source failed in every round.
type UnavailableError struct {
	PackageID, File string
	// Rounds is how often the list of sources was gone through.
	Rounds int
	// Last joins each source's last failure; nil when there are no sources.
	Last error
}

func (e *UnavailableError) Error() string {
	if e.Last == nil {
		return fmt.Sprintf("package %s: no source has it: distribute it to a distribution point of this machine's boundary group", e.PackageID)
	}
	return fmt.Sprintf("package %s, file %q: not available after %d rounds: %v: check that the package is distributed and the sources can be reached",
		e.PackageID, e.File, e.Rounds, e.Last)
}

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap gives the sources' failures.
func (e *UnavailableError) Unwrap() error { return e.Last }

// SpaceError means that the package does not fit.
type SpaceError struct {
	PackageID, Dir string
	// Needed and Available are in bytes; Needed counts only what is still missing.
	Needed, Available int64
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("package %s needs %d bytes more in %s, %d are free: make room or let the sequence use a larger disk",
		e.PackageID, e.Needed, e.Dir, e.Available)
}

// Unwrap makes errors.Is(err, syscall.ENOSPC) true.
func (e *SpaceError) Unwrap() error { return syscall.ENOSPC }
