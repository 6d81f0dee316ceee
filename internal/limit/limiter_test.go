package limit_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/limit"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	l := limit.New(2, 3, func() time.Time { return now })
	for range 3 {
		require.True(t, l.Allow("a"))
	}
	require.False(t, l.Allow("a"))
	require.True(t, l.Allow("b"), "each key by itself")
	now = now.Add(500 * time.Millisecond)
	require.True(t, l.Allow("a"))
	require.False(t, l.Allow("a"))
	now = now.Add(time.Hour)
	for range 3 {
		require.True(t, l.Allow("a"), "no more than the burst is saved up")
	}
	require.False(t, l.Allow("a"))
	l.Forgive("a")
	require.True(t, l.Allow("a"))
	now = now.Add(-time.Hour) // a clock that was set back takes nothing away
	require.True(t, l.Allow("a"))
}

func TestLimiterForgetsKeys(t *testing.T) {
	now := time.Unix(1000, 0)
	l := limit.New(1, 1, func() time.Time { return now })
	for i := range 100_000 {
		require.True(t, l.Allow(strconv.Itoa(i)))
	}
	require.LessOrEqual(t, l.Len(), 4096)
}
