package pxe_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe"
)

const query = "?mac=52:54:00:00:00:01&uuid=00112233-4455-6677-8899-aabbccddeeff&arch=0"

func ask(t *testing.T, s *pxe.Server, method, target, remote string) (*http.Response, string) {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = remote
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	return w.Result(), string(b)
}

func bootable(m pxe.Machine) (pxe.Decision, error) {
	return pxe.Decision{Action: pxe.BootEnvironment, Reason: "because", Args: "byd.token=secret mac=" + m.MAC.String(),
		Files: []pxe.BootFile{{Name: "vmlinuz", URL: "http://10.0.0.1/f/k?sig=1"}, {Name: "initrd.img", URL: "http://10.0.0.1/f/i"}}}, nil
}

func TestScripts(t *testing.T) {
	s := newServer(t, pxe.ModeProxy, policyFunc(bootable))
	r, body := ask(t, s, "GET", "/boot/ipxe"+query, "10.0.0.9:1234")
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, strconv.Itoa(len(body)), r.Header.Get("Content-Length"))
	require.True(t, strings.HasPrefix(body, "#!ipxe\n"))
	require.Contains(t, body, "kernel --name vmlinuz http://10.0.0.1/f/k?sig=1 byd.token=secret mac=52:54:00:00:00:01 initrd=initrd.img")
	head, none := ask(t, s, "HEAD", "/boot/ipxe"+query, "10.0.0.9:1234")
	require.Equal(t, r.Header.Get("Content-Length"), head.Header.Get("Content-Length"))
	require.Empty(t, none)
	for _, p := range []string{"/boot/grub/52:54:00:00:00:01/00112233-4455-6677-8899-aabbccddeeff", "/boot/grub/52-54-00-00-00-01/", "//boot//grub/525400000001"} {
		r, body = ask(t, s, "GET", p, "10.0.0.9:1234")
		require.Equal(t, 200, r.StatusCode, p)
		require.Contains(t, body, "linux '(http,10.0.0.1)/f/k?sig=1' 'byd.token=secret'")
	}
	r, _ = ask(t, s, "POST", "/boot/ipxe"+query, "10.0.0.9:1234")
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
}

func TestScriptRefusedWhereItDoesNotFit(t *testing.T) {
	s := newServer(t, pxe.ModeServer, policyFunc(bootable))
	offer, _, _ := answer(t, s, discover(t, pxeClient(0, "PXEClient")))
	from := offer.YourIPAddr.String() + ":999"
	r, _ := ask(t, s, "GET", "/boot/ipxe"+query, from)
	require.Equal(t, 200, r.StatusCode)
	for name, target := range map[string]string{
		"another machine": "/boot/ipxe" + strings.Replace(query, "00:01", "00:02", 1),
		"another uuid":    "/boot/ipxe" + strings.Replace(query, "ddeeff", "ddee00", 1),
		"no machine":      "/boot/ipxe",
		"broadcast":       "/boot/ipxe?mac=ff:ff:ff:ff:ff:ff",
		"grub":            "/boot/grub/52:54:00:00:00:02",
		"grub, nothing":   "/boot/grub/",
	} {
		r, body := ask(t, s, "GET", target, from)
		require.Equal(t, http.StatusForbidden, r.StatusCode, name)
		require.NotContains(t, body, "secret")
	}
}

func TestEveryOutcomeIsAScript(t *testing.T) {
	for name, tt := range map[string]struct {
		policy policyFunc
		want   string
	}{
		"policy fails": {func(pxe.Machine) (pxe.Decision, error) {
			return pxe.Decision{}, errors.New("database /var/lib/x is locked")
		}, "chain --replace --autofree http://"},
		"ignored":        {always(pxe.Ignore), "sanboot --no-describe --drive 0x80"},
		"local disk":     {always(pxe.LocalDisk), "sanboot --no-describe --drive 0x80"},
		"nothing to run": {always(pxe.BootEnvironment), "the appliance cannot write the boot script"},
		"menu": {func(m pxe.Machine) (pxe.Decision, error) {
			if m.Choice == "BYD20000" {
				return bootable(m)
			}
			return pxe.Decision{Action: pxe.Menu, Entries: []pxe.MenuEntry{{ID: "BYD20000", Title: "x"}}}, nil
		}, "choice=BYD20000"},
	} {
		s := newServer(t, pxe.ModeProxy, tt.policy)
		r, body := ask(t, s, "GET", "/boot/ipxe"+query, "10.0.0.9:1")
		require.Equal(t, 200, r.StatusCode, name)
		require.Contains(t, body, tt.want, name)
		require.NotContains(t, body, "/var/lib", "causes stay in the log")
	}
	s := newServer(t, pxe.ModeProxy, policyFunc(func(m pxe.Machine) (pxe.Decision, error) {
		require.Equal(t, "BYD20000", m.Choice)
		require.Equal(t, pxe.StageScript, m.Stage)
		require.Equal(t, netip.MustParseAddr("10.0.0.9"), m.Address)
		return bootable(m)
	}))
	ask(t, s, "GET", "/boot/ipxe"+query+"&choice=BYD20000", "10.0.0.9:1")
	ask(t, s, "GET", "/boot/grub/52:54:00:00:00:01/choice/BYD20000", "10.0.0.9:1")
	ask(t, s, "GET", "/boot/grub/52:54:00:00:00:01/00112233-4455-6677-8899-aabbccddeeff/choice/BYD20000", "10.0.0.9:1")
}

func TestTriesEnd(t *testing.T) {
	s := newServer(t, pxe.ModeProxy, policyFunc(func(pxe.Machine) (pxe.Decision, error) { return pxe.Decision{}, errors.New("x") }))
	for try, again := range map[string]bool{"": true, "&try=1": true, "&try=4": true, "&try=5": false, "&try=99999999999": false, "&try=-4": true, "&try=77": false} {
		_, body := ask(t, s, "GET", "/boot/ipxe"+query+try, "10.0.0.9:1")
		require.Equal(t, again, strings.Contains(body, "\nchain "), try)
		require.Contains(t, body, "sanboot", "the local disk is the end of every way")
	}
}

func TestLoaderByHTTP(t *testing.T) {
	s := newServer(t, pxe.ModeProxy, always(pxe.LocalDisk))
	for target, status := range map[string]int{
		"/boot/loader/grub-x64-10.0.0.1-80.efi":  200,
		"/boot//loader//undionly.kpxe":           200, // shim asks with two slashes and follows no redirect
		"//boot/loader/undionly.kpxe":            200,
		"/boot/loader/../../etc/passwd":          404,
		"/boot/loader/..%2f..%2fetc%2fpasswd":    404,
		"/boot/loader/%2e%2e/loader/nothing.efi": 404,
		"/boot/loader/":                          404,
		"/etc/passwd":                            404,
	} {
		r, _ := ask(t, s, "GET", target, "10.0.0.9:1")
		require.Equal(t, status, r.StatusCode, target)
		require.Empty(t, r.Header.Get("Location"), target)
	}
	r, body := ask(t, s, "HEAD", "/boot/loader/undionly.kpxe", "10.0.0.9:1")
	require.Equal(t, "1", r.Header.Get("Content-Length"))
	require.Equal(t, "application/efi", r.Header.Get("Content-Type"))
	require.Empty(t, body)
}

func TestUEFIiPXEReachesItsDisk(t *testing.T) {
	s := newServer(t, pxe.ModeProxy, always(pxe.LocalDisk), func(c *pxe.Config) { c.HTTPAddr = netip.MustParseAddr("10.0.0.1") })
	_, body := ask(t, s, "GET", "/boot/ipxe"+strings.Replace(query, "arch=0", "arch=7", 1), "10.0.0.9:1")
	require.Contains(t, body, "chain --autofree http://10.0.0.1/boot/loader/grub-x64-10.0.0.1-80.efi || exit 1")
}

func FuzzHandler(f *testing.F) {
	f.Add("/boot/ipxe"+query, "10.0.0.9:1")
	f.Add("/boot/grub/52:54:00:00:00:01/x/choice/y", "[fe80::1]:1")
	f.Add("/boot/loader/..", "x")
	f.Fuzz(func(t *testing.T, target, remote string) {
		r, err := http.NewRequest("GET", "http://h/", nil)
		if err != nil {
			return
		}
		path, q, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery, r.RemoteAddr = path, q, remote
		w := httptest.NewRecorder()
		newServer(t, pxe.ModeProxy, policyFunc(bootable)).Handler().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d for %q", w.Code, target)
		}
	})
}
