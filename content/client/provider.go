package client

import (
	"context"
	"path/filepath"

	"github.com/bootyard/bootyard/content"
)

// provided lets the provider work and returns what is missing after it. Its files are in the staged tree, where nothing is
// visible to others, so wrong and foreign ones are gone before the package appears (TS-134, TS-135).
func (f *fetch) provided(ctx context.Context, wanted int) ([]content.File, error) {
	f.stats.LastSource = ProviderName
	f.progress.Source = ProviderName
	dir, err := filepath.Abs(filepath.Join(f.Dir, stagingDir, f.name, "tree"))
	if err != nil {
		return nil, f.local(err)
	}
	if err := f.Provider(ctx, dir); err != nil {
		return nil, err
	}
	f.resetCounts()
	here := f.stats.HashesChecked
	missing, err := f.takeStock(ctx)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		f.Logger.Warn("the alternate content provider left files missing or wrong: they are downloaded", "missing_files", len(missing), "wanted", wanted,
			"hashes", f.stats.HashesChecked-here)
	}
	return missing, nil
}
