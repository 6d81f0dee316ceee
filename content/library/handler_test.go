package library_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
)

func TestHandler(t *testing.T) {
	root := t.TempDir()
	l := open(t, root)
	_, err := l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "0123456789"}), nil)
	require.NoError(t, err)
	server := httptest.NewServer(l.Handler())
	defer server.Close()
	hash := content.HashOf([]byte("0123456789")).String()

	for name, test := range map[string]struct {
		method, path string
		header       map[string]string
		status       int
		body         string
	}{
		"whole":         {path: "/" + hash, status: 200, body: "0123456789"},
		"head":          {method: "HEAD", path: "/" + hash, status: 200},
		"range":         {path: "/" + hash, header: map[string]string{"Range": "bytes=4-"}, status: 206, body: "456789"},
		"suffix":        {path: "/" + hash, header: map[string]string{"Range": "bytes=-2"}, status: 206, body: "89"},
		"beyond":        {path: "/" + hash, header: map[string]string{"Range": "bytes=10-"}, status: 416},
		"not changed":   {path: "/" + hash, header: map[string]string{"If-None-Match": `"` + hash + `"`}, status: 304},
		"listing":       {path: "/", status: 404},
		"upper case":    {path: "/" + strings.ToUpper(hash), status: 404},
		"unknown":       {path: "/" + strings.Repeat("0", 64), status: 404},
		"below":         {path: "/" + hash + "/", status: 404},
		"prefix folder": {path: "/" + hash[:2] + "/" + hash, status: 404},
		"traversal":     {path: "/..%2f..%2flock", status: 404},
		"manifest":      {path: "/../packages/" + pkg + "/1.json", status: 404},
		"write":         {method: "PUT", path: "/" + hash, status: 405},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(test.method, server.URL+test.path, nil)
			require.NoError(t, err)
			for key, value := range test.header {
				request.Header.Set(key, value)
			}
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Equal(t, test.status, response.StatusCode)
			if test.status < 300 {
				assert.Equal(t, test.body, string(body))
				assert.Equal(t, `"`+hash+`"`, response.Header.Get("ETag"))
				assert.Equal(t, "bytes", response.Header.Get("Accept-Ranges"))
			} else {
				assert.NotContains(t, string(body), root, "no path goes to the wire")
			}
		})
	}

	// An altered blob is served as it is: the client's hash check refuses it (DOP-17), the library's Verify reports it.
	require.NoError(t, os.WriteFile(blobName(root, "0123456789"), []byte("012345678X"), 0o644))
	response, err := server.Client().Get(server.URL + "/" + hash)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, 200, response.StatusCode)
}
