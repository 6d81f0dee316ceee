package agent_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
)

// For an applied Windows the agent's program comes from the appliance, whole or not at all, and its settings name a place
// of Windows (TS-118).
func TestTS118AgentForWindows(t *testing.T) {
	whole := []byte("MZ the agent for Windows")
	sum := fmt.Sprintf("%x", sha256.Sum256(whole))
	pieces := []wire.ProgramPiece{{Data: whole[:10], Pieces: 2, SHA256: sum}, {Data: whole[10:], Pieces: 2, SHA256: sum}}
	for name, c := range map[string]struct {
		program []wire.ProgramPiece
		want    string
	}{
		"whole":   {pieces, ""},
		"none":    {nil, "not found"},
		"damaged": {[]wire.ProgramPiece{pieces[0], {Data: []byte("x"), Pieces: 2, SHA256: sum}}, "damaged"},
		"changed": {[]wire.ProgramPiece{pieces[0], {Data: whole[10:], Pieces: 2, SHA256: "other"}}, "updated just now"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.addPackage("BYD00002", "image.tar", "image")
			b.run.SequenceXML, b.program = osSequence(command("in the new OS", "echo two")), c.program
			d := &disk{dir: t.TempDir(), os: "windows"}
			b.config.NewTarget = func(r agent.TargetRequest) agent.Target {
				d.files = r.Files
				return d
			}
			err := b.boot(context.Background())
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			got, err := os.ReadFile(d.agent.Binary)
			require.NoError(t, err)
			require.Equal(t, string(whole), string(got))
			var s agent.Settings
			require.NoError(t, json.Unmarshal(d.agent.Config, &s))
			require.Equal(t, `C:\ProgramData\bootyard\ca.pem`, s.CAFile)
		})
	}
}
