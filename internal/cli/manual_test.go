package cli_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/cli"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

func TestManualIsNotStale(t *testing.T) {
	const name = "../../docs/cli.md"
	var now bytes.Buffer
	require.NoError(t, cli.Manual(&now))
	if *update {
		require.NoError(t, os.WriteFile(name, now.Bytes(), 0o644))
	}
	kept, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(kept), now.String(), "a command changed: go test ./internal/cli -run TestManual -update")
}
