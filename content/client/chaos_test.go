package client_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/client"
)

// chaosServer answers each request for one file in the way that comes next.
type chaosServer struct {
	data []byte

	mu   sync.Mutex
	ways []string
	n    int
}

var chaosWays = []string{"ok", "drop", "error", "no range", "no range, no length", "wrong range", "other range", "flip", "short", "garbage behind", "gone", "nothing"}

func (s *chaosServer) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ways) == 0 {
		return "ok"
	}
	way := s.ways[0]
	s.ways, s.n = s.ways[1:], s.n+1
	return way
}

func (s *chaosServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	way := s.next()
	data := bytes.Clone(s.data)
	offset := 0
	if text := r.Header.Get("Range"); text != "" {
		_, _ = fmt.Sscanf(text, "bytes=%d-", &offset)
	}
	answer := func(status, from, to int) {
		if status == http.StatusPartialContent {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(data)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(to-from))
		w.WriteHeader(status)
		_, _ = w.Write(data[from:to])
	}
	status := http.StatusOK
	if offset > 0 {
		status = http.StatusPartialContent
	}
	switch way {
	case "ok":
		answer(status, offset, len(data))
	case "drop":
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, len(data)-1, len(data)))
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-offset))
		w.WriteHeader(status)
		_, _ = w.Write(data[offset : offset+(len(data)-offset)*2/3])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "error":
		http.Error(w, "", http.StatusBadGateway)
	case "gone":
		http.NotFound(w, r)
	case "nothing":
		panic(http.ErrAbortHandler)
	case "no range":
		answer(http.StatusOK, 0, len(data))
	case "no range, no length":
		w.(http.Flusher).Flush()
		_, _ = w.Write(data)
	case "wrong range": // says what was asked, sends from the start
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, len(data)-1, len(data)))
		w.WriteHeader(status)
		_, _ = w.Write(data[:len(data)-offset])
	case "other range":
		answer(http.StatusPartialContent, offset/2, len(data))
	case "flip":
		data[offset+(len(data)-offset)/2] ^= 0x80
		answer(status, offset, len(data))
	case "short":
		w.WriteHeader(status)
		w.(http.Flusher).Flush()
		_, _ = w.Write(data[offset : len(data)-1])
	case "garbage behind":
		w.WriteHeader(status)
		w.(http.Flusher).Flush()
		_, _ = w.Write(append(data[offset:], 0))
	}
}

// chaosManifest has small chunks, so that parts are resumed in the middle of a small file.
func chaosManifest(data []byte) content.Manifest {
	const chunk = 64 << 10
	file := content.File{Path: "image", Size: int64(len(data)), SHA256: content.HashOf(data)}
	for at := 0; at < len(data); at += chunk {
		file.Chunks = append(file.Chunks, content.HashOf(data[at:min(at+chunk, len(data))]))
	}
	return content.Manifest{Format: 1, PackageID: "BYD00001", Version: 1, ChunkSize: chunk, Files: []content.File{file}, TotalSize: file.Size}
}

// TestPropertyWhateverServersDo lets several servers misbehave in any order: what appears is right or does not appear, and as
// soon as one server behaves the package is there.
func TestPropertyWhateverServersDo(t *testing.T) {
	data := make([]byte, 300_000)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(data)
	manifest := chaosManifest(data)
	servers := []*chaosServer{{data: data}, {data: data}}
	var sources []client.Source
	for _, s := range servers {
		server := httptest.NewServer(s)
		defer server.Close()
		sources = append(sources, client.Source{BaseURL: server.URL, Kind: client.KindCurrent})
	}
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		for _, s := range servers {
			s.mu.Lock()
			s.ways = rapid.SliceOfN(rapid.SampledFrom(chaosWays), 0, 12).Draw(t, "ways")
			s.mu.Unlock()
		}
		for range 30 {
			folder, _, err := client.Fetch(context.Background(), client.Request{
				Manifest: manifest, Sources: sources, Dir: dir, StallTimeout: 20 * time.Second,
				Sleep: func(context.Context, time.Duration) error { return nil },
			})
			entries, readErr := os.ReadDir(dir)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if err != nil {
				for _, entry := range entries {
					if !strings.HasPrefix(entry.Name(), ".") {
						t.Fatalf("%s is visible after %v", entry.Name(), err)
					}
				}
				continue
			}
			got, err := os.ReadFile(filepath.Join(folder, "image"))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("wrong bytes are visible (%v)", err)
			}
			return
		}
		t.Fatal("no success though the servers behave by now")
	})
}
