package appliance

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/packageshare"
	"github.com/bootyard/bootyard/internal/wire"
)

// DOP-5: the appliance serves the share while it runs, with the packages that ask for it, and tells where.
func TestDOP5ApplianceServesTheShare(t *testing.T) {
	if _, err := exec.LookPath("smbd"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs smbd and root")
	}
	cfg := testConfig(t)
	cfg.Share.Enabled, cfg.Share.Listen = true, freePort(t)
	stop, out := start(t, cfg)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.sh"), []byte("echo hello"), 0o644))
	body, err := json.Marshal(map[string]any{"name": "Tools", "dir": dir})
	require.NoError(t, err)
	socket := overSocket(cfg.Socket)
	made, err := socket.Post("http://appliance/api/v1/packages", "application/json", strings.NewReader(string(body)))
	require.NoError(t, err)
	defer made.Body.Close()
	var p wire.Package
	require.NoError(t, json.NewDecoder(made.Body).Decode(&p))
	require.False(t, p.PackageShare)
	shared := filepath.Join(cfg.DataDir, "share", "packages", p.ID, "run.sh")
	require.NoFileExists(t, shared)
	answer, err := socket.Post("http://appliance/api/v1/packages/"+p.ID+"/share", "application/json", nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, 200, answer.StatusCode)
	require.Eventually(t, func() bool { _, err := os.Stat(shared); return err == nil }, 20*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", cfg.Share.Listen)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	require.NoError(t, stop())
	_, err = net.Dial("tcp", cfg.Share.Listen)
	require.Error(t, err, "stopped with the appliance")
	require.NotContains(t, out.String(), "level=ERROR")
}

func TestDOP13WhereTheShareIs(t *testing.T) {
	if _, err := exec.LookPath("smbd"); err != nil {
		t.Skip("needs smbd")
	}
	off := openBench(t, testConfig(t))
	require.Nil(t, off.shared)
	require.Nil(t, off.site.Share, "an interface without a value would not be nil")
	for name, c := range map[string]struct{ listen, url, want string }{
		"an address of its own":      {"127.0.0.2:4450", "http://boot.example:8080", `\\127.0.0.2\packages`},
		"the name machines know":     {":4450", "http://boot.example:8080", `\\boot.example\packages`},
		"every address means itself": {"0.0.0.0:4450", "http://boot.example", `\\boot.example\packages`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Share.Enabled, cfg.Share.Listen, cfg.HTTP.URL = true, c.listen, c.url
			b := openBench(t, cfg)
			require.Nil(t, b.shared.Locate(t.Context(), "BYD00001", 1), "not there yet")
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644))
			p, err := b.site.ImportPackage(t.Context(), wire.Package{Name: "Tools", PackageShare: true}, dir)
			require.NoError(t, err)
			require.NoError(t, b.shared.Sync(t.Context()))
			got := b.shared.Locate(t.Context(), p.ID, p.Version)
			require.Equal(t, &wire.ContentShare{Path: c.want, Port: 4450, Account: packageshare.Account, Password: b.shared.Password()}, got)
			require.Len(t, got.Password, 40)
		})
	}
}
