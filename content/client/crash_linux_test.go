package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/client"
)

const crashJob = "BOOTYARD_TEST_FETCH"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if job := os.Getenv(crashJob); job != "" {
		var request client.Request
		var err error
		if err = json.Unmarshal([]byte(job), &request); err == nil {
			_, _, err = client.Fetch(context.Background(), request)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestKilledInTheMiddleItGoesOn(t *testing.T) {
	b := newBench(t, map[string]string{"a": "first", "image": bigData, "z": "last"})
	// Each process gets one more chunk of the image and is then kept waiting until it is killed.
	image := content.HashOf([]byte(bigData)).String()
	stuck := make(chan struct{}, 1)
	slow := b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		if !strings.HasSuffix(r.URL.Path, image) {
			h.ServeHTTP(w, r)
			return
		}
		offset := 0
		if text := r.Header.Get("Range"); text != "" {
			_, err := fmt.Sscanf(text, "bytes=%d-", &offset)
			assert.NoError(t, err)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, len(bigData)-1, len(bigData)))
			w.WriteHeader(http.StatusPartialContent)
		}
		piece := bigData[offset:min(offset+content.DefaultChunkSize+4096, len(bigData))]
		_, _ = w.Write([]byte(piece))
		w.(http.Flusher).Flush()
		stuck <- struct{}{}
		<-r.Context().Done()
	})
	self, err := os.Executable()
	require.NoError(t, err)
	request := client.Request{Manifest: b.m, Dir: b.cache, Sources: []client.Source{slow}, StallTimeout: time.Minute}
	for round := 1; round <= 2; round++ {
		job, err := json.Marshal(jobOf(request))
		require.NoError(t, err)
		command := exec.CommandContext(t.Context(), self, "-test.run=^$")
		command.Env = append(os.Environ(), crashJob+"="+string(job))
		require.NoError(t, command.Start())
		<-stuck
		require.Eventually(t, func() bool { return partSize(b.cache) >= int64(round*content.DefaultChunkSize) }, 20*time.Second, 5*time.Millisecond)
		require.NoError(t, command.Process.Kill())
		var exit *exec.ExitError
		require.True(t, errors.As(command.Wait(), &exit))
		b.nothingVisible()
	}

	dir, stats, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	b.checkDir(dir)
	assert.Equal(t, 1, stats.Reused, "a was there")
	assert.EqualValues(t, len(bigData)-2*content.DefaultChunkSize+len("last"), stats.Bytes)
}

// jobOf is what can be written as JSON of a request.
func jobOf(r client.Request) any {
	return struct {
		Manifest     content.Manifest
		Dir          string
		Sources      []client.Source
		StallTimeout time.Duration
	}{r.Manifest, r.Dir, r.Sources, r.StallTimeout}
}

func partSize(cache string) (size int64) {
	parts, _ := filepath.Glob(filepath.Join(cache, ".staging", "*", "parts", "*"))
	for _, part := range parts {
		if info, err := os.Stat(part); err == nil {
			size += info.Size()
		}
	}
	return size
}
