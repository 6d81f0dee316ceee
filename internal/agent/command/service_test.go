package command

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A service that starts while Windows' setup goes on begins when that has ended (TS-118).
func TestTS118AwaitSetup(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	synctest.Test(t, func(t *testing.T) {
		asked, began := 0, time.Now()
		require.NoError(t, awaitSetup(t.Context(), func() bool { asked++; return asked < 4 }, watchEvery, log))
		require.Equal(t, 3*watchEvery, time.Since(began))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		require.ErrorIs(t, awaitSetup(ctx, func() bool { return true }, watchEvery, log), context.Canceled)
		require.NoError(t, awaitSetup(ctx, func() bool { return false }, watchEvery, log))
	})
}
