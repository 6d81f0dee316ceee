package appliance

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/signedurl"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/pxe"
)

func TestBootFilesAreServedAtSignedPaths(t *testing.T) {
	b := newBench(t)
	i := b.image()
	for name, want := range map[string]string{kernelName: "the kernel", initrdName: "the archive"} {
		w := b.ask("GET", b.files.path(testMAC, i.ID, name))
		require.Equal(t, 200, w.Code)
		require.Equal(t, want, w.Body.String())
		require.Equal(t, "bytes", w.Header().Get("Accept-Ranges"))
	}
	w := b.ask("GET", b.files.path(testMAC, i.ID, siteName))
	require.Contains(t, w.Body.String(), strings.TrimPrefix(wire.SiteCAFile, "/"), "the archive brings the CA")
	require.Contains(t, w.Body.String(), "BEGIN CERTIFICATE")
	require.NotContains(t, w.Body.String(), "PRIVATE KEY")
}

func TestBootFilesByRangeAndHead(t *testing.T) {
	b := newBench(t)
	path := b.files.path(testMAC, b.image().ID, kernelName)
	w := b.ask("GET", path, "Range", "bytes=4-")
	require.Equal(t, 206, w.Code)
	require.Equal(t, "kernel", w.Body.String())
	require.Equal(t, "bytes 4-9/10", w.Header().Get("Content-Range"))
	w = b.ask("HEAD", path)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "10", w.Header().Get("Content-Length"))
	require.Zero(t, w.Body.Len())
	require.Equal(t, 416, b.ask("GET", path, "Range", "bytes=99-").Code)
	require.Equal(t, 405, b.ask("POST", path).Code)
}

func TestBootFilesAreWithheld(t *testing.T) {
	b := newBench(t)
	i := b.image()
	good := b.files.path(testMAC, i.ID, kernelName)
	cut := strings.TrimSuffix(good, testMAC+"/"+i.ID+"/"+kernelName)
	later, err := signedurl.New([]byte(strings.Repeat("k", 32)), time.Now)
	require.NoError(t, err)
	for name, path := range map[string]string{
		"no signature":         "/f/" + testMAC + "/" + i.ID + "/" + kernelName,
		"another file":         cut + testMAC + "/" + i.ID + "/" + initrdName,
		"another machine":      cut + "52:54:00:00:00:02/" + i.ID + "/" + kernelName,
		"upwards, encoded":     cut + "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
		"content's scope":      bootFilePrefix + b.content.signer.Path(scopeContent, testMAC+"/"+i.ID+"/"+kernelName, time.Hour),
		"expired":              bootFilePrefix + b.files.signer.Path(scopeBoot, testMAC+"/"+i.ID+"/"+kernelName, -time.Minute),
		"another key":          bootFilePrefix + later.Path(scopeBoot, testMAC+"/"+i.ID+"/"+kernelName, time.Hour),
		"nothing":              "/f/",
		"a prefix of contents": "/f" + b.content.signer.Prefix(scopeContent, time.Hour) + kernelName,
	} {
		t.Run(name, func(t *testing.T) {
			w := b.ask("GET", path)
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Equal(t, "forbidden\n", w.Body.String(), "all refusals look the same")
		})
	}
	require.Equal(t, 404, b.ask("GET", cut+"../../../../etc/passwd").Code, "such a path is cleaned before anything looks at it")
	require.NotContains(t, b.out.String(), strings.Split(good, "/")[3], "no signature in the log")
}

func TestSignedNamesThatAreNoBootFile(t *testing.T) {
	b := newBench(t)
	i := b.image()
	for name, file := range map[string]string{
		"two parts": i.ID + "/" + kernelName, "four parts": testMAC + "/" + i.ID + "/a/" + kernelName,
		"no such image": testMAC + "/BYD0FFFF/" + kernelName,
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, 404, b.ask("GET", bootFilePrefix+b.files.signer.Path(scopeBoot, file, time.Hour)).Code)
		})
	}
}

func TestMissingBootImageIsNamedInTheLogAndNotToTheMachine(t *testing.T) {
	b := newBench(t)
	i := b.image()
	require.NoError(t, os.Remove(filepath.Join(i.Dir, "vmlinuz")))
	w := b.ask("GET", b.files.path(testMAC, i.ID, kernelName))
	require.Equal(t, 404, w.Code)
	require.NotContains(t, w.Body.String(), i.Dir)
	require.Contains(t, b.out.String(), "build or register the boot image again")
}

// Issue 2, part 12: the boot argument names the token once, and no log does.
func TestBootTokenIsInTheScriptOnly(t *testing.T) {
	b := newBench(t)
	b.deploy(wire.Required)
	d := b.decide(b.policy(), machine(pxe.StageScript))
	_, rest, ok := strings.Cut(d.Args, wire.ArgToken+"=")
	require.True(t, ok, d.Args)
	token, _, _ := strings.Cut(rest, " ")
	require.Greater(t, len(token), 40)
	require.NotContains(t, b.out.String(), token)
	boots, err := b.site.Boots(t.Context(), "", 0)
	require.NoError(t, err)
	require.NotEmpty(t, boots)
	for _, boot := range boots {
		for _, a := range boot.Answers {
			require.NotContains(t, a.Asked+a.Answer+a.Reason, token)
		}
	}
	for _, f := range d.Files {
		u, err := url.Parse(f.URL)
		require.NoError(t, err)
		require.Equal(t, 200, b.ask("GET", u.Path).Code, f.Name)
	}
}
