package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// Whoever opens a session has shown nothing yet: what it may make the
// appliance hold, and for how long, is small.
func TestOpeningASessionTakesNoLargeBody(t *testing.T) {
	b := newBench(t)
	status, _ := b.call(t, "", "POST", wire.PathSession, `{"protocol":1,"bootToken":"`+strings.Repeat("x", 100<<10)+`"}`)
	require.Equal(t, 413, status)
}
