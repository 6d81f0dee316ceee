package api_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// A machine gets the agent for the Windows it applies, in pieces that fit together, and nothing else of the appliance.
func TestTS118Program(t *testing.T) {
	b := newBench(t)
	b.Device("lab-01", 1)
	a := b.boot(t, 1)
	path := func(system, arch, number string) string {
		return strings.NewReplacer("{system}", system, "{arch}", arch, "{number}", number).Replace(wire.PathProgram)
	}
	status, data := a.ask("GET", path("windows", "amd64", "0"), nil)
	require.Equal(t, 404, status)
	require.Contains(t, decode[wire.Problem](t, data).Remedy, "bootyard-agent.exe")

	for _, size := range []int{3<<20 + 5, wire.MaxProgramPiece, 7} { // the file may change while the appliance runs
		whole := []byte(strings.Repeat("program", size/7+1)[:size])
		require.NoError(t, os.WriteFile(filepath.Join(b.Dir, "agent.exe"), whole, 0o600))
		var got []byte
		for n, pieces := 0, 1; n < pieces; n++ {
			p := decode[wire.ProgramPiece](t, a.ok("GET", path("windows", "amd64", strconv.Itoa(n)), nil))
			require.Equal(t, fmt.Sprintf("%x", sha256.Sum256(whole)), p.SHA256)
			got, pieces = append(got, p.Data...), p.Pieces
		}
		require.Equal(t, string(whole), string(got))
	}
	for _, bad := range [][3]string{{"windows", "amd64", "1"}, {"windows", "amd64", "-1"}, {"linux", "amd64", "0"}} {
		status, _ := a.ask("GET", path(bad[0], bad[1], bad[2]), nil)
		require.Contains(t, []int{404, 422}, status, bad)
	}
}
