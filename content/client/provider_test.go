package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/client"
)

func TestTS134ProviderIsCheckedLikeADownload(t *testing.T) {
	files := map[string]string{"a": "aa", "sub/b": "bb", "c": "cc"}
	put := func(t *testing.T, dir, name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	for name, c := range map[string]struct {
		leaves     map[string]string
		downloaded int
	}{
		"everything":        {files, 0},
		"nothing":           {nil, 3},
		"a part":            {map[string]string{"a": "aa"}, 2},
		"wrong bytes":       {map[string]string{"a": "aX", "sub/b": "bb", "c": "cc"}, 1},
		"another length":    {map[string]string{"a": "aaa", "sub/b": "bb", "c": "cc"}, 1},
		"foreign files too": {map[string]string{"a": "aa", "sub/b": "bb", "c": "cc", "evil": "x"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, files)
			r := b.request(b.serve(nil))
			called := 0
			r.Provider = func(_ context.Context, dir string) error {
				called++
				require.True(t, filepath.IsAbs(dir))
				for name, text := range c.leaves {
					put(t, dir, name, text)
				}
				b.nothingVisible()
				return nil
			}
			dir, stats, err := client.Fetch(t.Context(), r)
			require.NoError(t, err)
			b.checkDir(dir)
			assert.Equal(t, c.downloaded, stats.Files)
			assert.GreaterOrEqual(t, stats.HashesChecked, 3, "whoever brought it")
			if c.downloaded == 0 {
				assert.Equal(t, client.ProviderName, stats.LastSource)
			} else {
				assert.NotEqual(t, client.ProviderName, stats.LastSource)
			}
			_, _, err = client.Fetch(t.Context(), r)
			require.NoError(t, err)
			assert.Equal(t, 1, called, "what is here needs no provider")
		})
	}
}

func TestTS134ProviderLinksLeadNowhere(t *testing.T) {
	b := newBench(t, map[string]string{"sub/a": "aa"})
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "a"), []byte("aa"), 0o644))
	r := b.request(b.serve(nil))
	r.Provider = func(_ context.Context, dir string) error { return os.Symlink(outside, filepath.Join(dir, "sub")) }
	dir, stats, err := client.Fetch(t.Context(), r)
	require.NoError(t, err)
	b.checkDir(dir)
	assert.Equal(t, 1, stats.Files)
	info, err := os.Lstat(filepath.Join(dir, "sub"))
	require.NoError(t, err)
	assert.True(t, info.IsDir())
}

func TestTS134ProviderMayEndTheFetch(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	r := b.request(b.serve(nil))
	final := errors.New("abort code")
	r.Provider = func(context.Context, string) error { return final }
	_, stats, err := client.Fetch(t.Context(), r)
	require.ErrorIs(t, err, final)
	assert.Zero(t, stats.Bytes, "no source was asked")
	assert.Equal(t, client.ProviderName, stats.LastSource)
	b.nothingVisible()
}
