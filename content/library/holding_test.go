package library_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/library"
)

func TestHoldsFollowsWhatIsImportedAndRemoved(t *testing.T) {
	l := open(t, t.TempDir())
	one, two := content.HashOf([]byte("one")), content.HashOf([]byte("two"))
	holds := func(version int, h content.Hash) bool {
		t.Helper()
		ok, err := l.Holds(pkg, version, h)
		require.NoError(t, err)
		return ok
	}
	_, err := l.Holds(pkg, 1, one)
	require.ErrorIs(t, err, library.ErrNotFound)
	_, err = l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "one"}), nil)
	require.NoError(t, err)
	require.True(t, holds(1, one))
	require.False(t, holds(1, two))
	_, err = l.Update(t.Context(), pkg, tree(t, map[string]string{"a": "two"}), nil)
	require.NoError(t, err)
	require.True(t, holds(1, one), "an old version is as it was")
	require.True(t, holds(2, two))
	require.False(t, holds(2, one))

	require.NoError(t, failure(l.Remove(pkg, nil)))
	for version := range 3 {
		_, err = l.Holds(pkg, version, one)
		require.ErrorIs(t, err, library.ErrNotFound)
	}
	_, err = l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "two"}), nil)
	require.NoError(t, err)
	require.True(t, holds(1, two), "the number was used before, for something else")
	require.False(t, holds(1, one))
}

// More versions than are remembered are asked about at once, while another package comes and goes.
func TestHoldsOfManyVersions(t *testing.T) {
	l := open(t, t.TempDir())
	l.RememberHoldings(2)
	ids := []string{"BYD00011", "BYD00012", "BYD00013", "BYD00014"}
	for _, id := range ids {
		_, err := l.Add(t.Context(), id, tree(t, map[string]string{"a": id, "b": "all"}), nil)
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			for n := range 200 {
				id := ids[(i+n)%len(ids)]
				for data, want := range map[string]bool{id: true, "all": true, "none": false, ids[(i+n+1)%len(ids)]: false} {
					got, err := l.Holds(id, 1, content.HashOf([]byte(data)))
					if err != nil || got != want {
						t.Errorf("%s holds %s: %v, %v", id, data, got, err)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "one"}), nil); err != nil {
				t.Error(err)
			}
			if ok, err := l.Holds(pkg, 1, content.HashOf([]byte("one"))); err != nil || !ok {
				t.Errorf("not held: %v", err)
			}
			if _, err := l.Remove(pkg, nil); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	require.LessOrEqual(t, l.Remembered(), 2)
}
