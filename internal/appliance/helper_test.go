package appliance

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

const (
	testMAC  = "52:54:00:00:00:01"
	testUUID = "8a8a8a8a-0000-4000-8000-000000000001"
)

// output is a log that several goroutines write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// bench is an appliance on loopback, without DHCP.
type bench struct {
	*appliance
	t   testing.TB
	out *output
}

func testConfig(t testing.TB) *config.Config {
	t.Helper()
	dir := t.TempDir()
	httpAt, httpsAt := freePort(t), freePort(t)
	c, err := config.Parse(fmt.Appendf(nil, `
data_dir: %s
socket: %s
http: {listen: "%s", url: "http://%s"}
https: {listen: "%s", url: "https://%s"}
`, filepath.Join(dir, "data"), filepath.Join(dir, "run", "s"), httpAt, httpAt, httpsAt, httpsAt))
	require.NoError(t, err)
	return c
}

// freePort finds a port that nobody uses: the appliance wants fixed ones.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

func newBench(t testing.TB) *bench { return openBench(t, testConfig(t)) }

func openBench(t testing.TB, cfg *config.Config) *bench {
	t.Helper()
	out := &output{}
	a, err := open(t.Context(), cfg, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	t.Cleanup(a.close)
	return &bench{appliance: a, t: t, out: out}
}

// image registers a boot image of small files.
func (b *bench) image() wire.BootImage {
	b.t.Helper()
	dir := b.t.TempDir()
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "vmlinuz"), []byte("the kernel"), 0o600))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "initrd"), []byte("the archive"), 0o600))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "secret"), []byte("nobody's business"), 0o600))
	i, err := b.site.PutBootImage(b.t.Context(), wire.BootImage{Name: "boot", Arch: "amd64", Dir: dir, Kernel: "vmlinuz", Initrd: "initrd", Ready: true, Default: true})
	require.NoError(b.t, err)
	return i
}

const bootSequence = `<sequence version="3.10"><group name="G"><step type="SMS_TaskSequence_RunCommandLineAction" name="S" runIn="WinPEandFullOS" successCodeList="0">
<action>smsswd.exe /run: true</action><defaultVarList><variable name="CommandLine" property="CommandLine">true</variable></defaultVarList></step></group></sequence>`

// deploy imports the test's machine and gives it a deployment.
func (b *bench) deploy(purpose wire.Purpose) (wire.Deployment, wire.BootImage) {
	b.t.Helper()
	ctx := b.t.Context()
	image := b.image()
	_, err := b.site.ImportDevice(ctx, wire.DeviceImport{Name: "lab-01", MACs: []string{testMAC}, UUID: testUUID, Arch: "amd64"})
	require.NoError(b.t, err)
	seq, err := b.site.ImportSequence(ctx, wire.SequenceImport{XML: bootSequence, Name: "seq", BootImage: image.ID})
	require.NoError(b.t, err)
	_, err = b.site.CreateCollection(ctx, wire.CollectionCreate{Name: "lab", Members: []string{"lab-01"}})
	require.NoError(b.t, err)
	spec := wire.DeploymentSpec{TaskSequence: seq.ID, Collection: "lab", Purpose: purpose, MakeAvailableTo: wire.MediaAndPXE}
	if purpose == wire.Required {
		spec.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
	}
	r, err := b.site.CreateDeployment(ctx, wire.DeploymentCreate{DeploymentSpec: spec, AcceptHighRisk: true})
	require.NoError(b.t, err)
	return r.Deployment, image
}

func (b *bench) policy() *policy {
	return &policy{site: b.site, files: b.files, reach: b.reach, spki: b.ca.SPKI(), live: b.live, recent: b.files.recent}
}

func machine(stage pxe.Stage) pxe.Machine {
	mac, _ := net.ParseMAC(testMAC)
	return pxe.Machine{MAC: mac, UUID: testUUID, Arch: pxe.ArchX64, Firmware: pxe.UEFI, Loader: pxe.LoaderGRUB, Stage: stage, Address: netip.MustParseAddr("127.0.0.1")}
}

func (b *bench) decide(p *policy, m pxe.Machine) pxe.Decision {
	b.t.Helper()
	d, err := p.Decide(b.t.Context(), m)
	require.NoError(b.t, err)
	return d
}

// ask sends a request to the boot handler.
func (b *bench) ask(method, path string, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequestWithContext(context.WithoutCancel(b.t.Context()), method, "http://appliance"+path, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.bootHandler().ServeHTTP(w, r)
	return w
}
