package cli_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/cli"
	"github.com/bootyard/bootyard/internal/wire"
)

// ask runs a command against answers by path and returns what it printed.
func ask(t *testing.T, answers map[string]any, args ...string) (code int, out, errOut string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[strings.TrimPrefix(r.URL.RequestURI(), "/api/v1")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	})}}
	s.Start()
	defer s.Close()
	var o, e bytes.Buffer
	code = cli.Execute(t.Context(), append([]string{"--socket", path}, args...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// What firmware said cannot move the cursor, and every time shows its zone.
func TestBootsAreShown(t *testing.T) {
	zone := time.Now().Format("MST")
	boot := wire.Boot{ID: "b1", DeviceName: "lab-\x1b[2J01", MAC: "52:54:00:12:34:01", Firmware: "uefi", Action: wire.ActionRun, Last: time.Now(), Answers: []wire.BootAnswer{
		{Time: time.Now(), Stage: wire.StageDHCP, Protocol: "dhcp", Asked: "DISCOVER\r\nx", Answer: "OFFER", Reason: "a deployment is waiting", Rule: "PXE-16"},
	}}
	code, out, _ := ask(t, map[string]any{"/boots?device=lab-01&limit=7": []wire.Boot{boot}}, "boot", "list", "--device", "lab-01", "--limit", "7")
	require.Zero(t, code)
	require.Contains(t, out, "lab- [2J01")
	require.Contains(t, out, "a deployment is waiting")
	require.Contains(t, out, " "+zone+" ")

	code, out, _ = ask(t, map[string]any{"/boots/b1": boot}, "boot", "show", "b1")
	require.Zero(t, code)
	require.Contains(t, out, "a deployment is waiting (PXE-16)")
	require.Contains(t, out, "DISCOVER  x")
	require.Contains(t, out, " "+zone+" ")
	require.NotContains(t, out, "\x1b")
}

func TestARefusalCannotMoveTheCursor(t *testing.T) {
	code, _, errOut := ask(t, nil, "boot", "show", "b\x1b1")
	require.Equal(t, 1, code)
	require.NotContains(t, errOut, "\x1b")
	require.Contains(t, errOut, "404")
}

func TestFollowEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		status wire.DeploymentStatus
		code   int
		says   string
	}{
		"all well":    {wire.DeploymentStatus{Targeted: 2, Success: 2}, 0, ""},
		"one failed":  {wire.DeploymentStatus{Targeted: 2, Success: 1, Error: 1}, 1, "1 of 2 machines failed"},
		"not fit":     {wire.DeploymentStatus{Targeted: 2, Success: 1, RequirementsNotMet: 1}, 1, "do not meet the requirements"},
		"no members":  {wire.DeploymentStatus{}, 1, "has no members"},
		"fails first": {wire.DeploymentStatus{Targeted: 2, Error: 1, RequirementsNotMet: 1}, 1, "1 of 2 machines failed"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errOut := ask(t, map[string]any{"/deployments/D/status": tc.status}, "status", "D", "--follow")
			require.Equal(t, tc.code, code)
			require.Contains(t, errOut, tc.says)
		})
	}
}
