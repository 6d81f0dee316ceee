package library

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/internal/safefile"
)

// Report is the outcome of a validation (DOP-21).
type Report struct {
	PackageID string `json:"packageId"`
	Version   int    `json:"version"`
	// Files and Bytes count what was read and hashed.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Bad lists the files that clients would refuse; empty means all is well.
	Bad []BadFile `json:"bad,omitempty"`
}

// BadFile is a file whose stored bytes are not those of the manifest.
type BadFile struct {
	Path     string       `json:"path"`
	Expected content.Hash `json:"expected"`
	// Got is the hash of what is stored; zero when Missing.
	Got     content.Hash `json:"got,omitzero"`
	Missing bool         `json:"missing,omitempty"`
}

// Verify reads every file of the newest version and compares hashes. A mismatch is in the report, not in the error.
func (l *Library) Verify(ctx context.Context, packageID string) (Report, error) {
	_, m, err := l.Manifest(packageID)
	if err != nil {
		return Report{}, err
	}
	report := Report{PackageID: m.PackageID, Version: m.Version}
	for _, file := range m.Files {
		bad, err := l.check(ctx, file)
		if err != nil {
			return report, fmt.Errorf("verify package %s: %w", packageID, err)
		}
		report.Files++
		report.Bytes += file.Size
		if bad != nil {
			report.Bad = append(report.Bad, *bad)
			l.log.Error("stored content is damaged", "package", packageID, "file", file.Path, "expected", file.SHA256,
				"got", bad.Got, "missing", bad.Missing, "remedy", "redistribute the package from its source")
		}
	}
	return report, nil
}

func (l *Library) check(ctx context.Context, file content.File) (*BadFile, error) {
	f, err := l.OpenBlob(file.SHA256)
	if errors.Is(err, ErrNotFound) {
		return &BadFile{Path: file.Path, Expected: file.SHA256, Missing: true}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := hashFile(ctx, f, file.Path)
	if err != nil {
		return nil, err
	}
	if got.SHA256 != file.SHA256 {
		return &BadFile{Path: file.Path, Expected: file.SHA256, Got: got.SHA256}, nil
	}
	return nil, nil
}

// Redistribute repairs the newest version of a package from its source: damaged and missing files are written again. The
// source must still hold exactly that content, otherwise the error says which file to update. It returns the number of
// files repaired.
func (l *Library) Redistribute(ctx context.Context, packageID, dir string) (repaired int, err error) {
	release, err := l.claim(packageID)
	if err != nil {
		return 0, err
	}
	defer release()
	report, err := l.Verify(ctx, packageID)
	if err != nil {
		return 0, err
	}
	if len(report.Bad) == 0 {
		return 0, nil
	}
	src, err := openSource(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer src.close()
	for _, bad := range report.Bad {
		if err := l.repair(ctx, src, bad); err != nil {
			return repaired, fmt.Errorf("redistribute package %s: %w", packageID, err)
		}
		repaired++
	}
	l.log.Info("package repaired", "package", packageID, "files", repaired)
	return repaired, nil
}

// repair copies beside the damaged blob and replaces it only when the copy has the hash the manifest wants.
func (l *Library) repair(ctx context.Context, src *source, bad BadFile) error {
	f, err := src.open(bad.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	temp, err := os.CreateTemp(l.tempDir(), "blob-*")
	if err != nil {
		return fmt.Errorf("content library: %w", err)
	}
	defer os.Remove(temp.Name())
	got, err := copyHashed(ctx, temp, f)
	if err != nil {
		temp.Close()
		return l.explain(fmt.Errorf("copy %s into the content library: %w", bad.Path, err))
	}
	if got != bad.Expected {
		temp.Close()
		return fmt.Errorf("the source's %q has SHA-256 %s, the package has %s: the source changed, so update the package instead", bad.Path, got, bad.Expected)
	}
	if err := safefile.Finish(temp); err != nil {
		return l.explain(fmt.Errorf("write %s into the content library: %w", bad.Path, err))
	}
	return l.place(temp.Name(), bad.Expected)
}
