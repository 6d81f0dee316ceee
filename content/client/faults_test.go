package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/client"
)

// cut serves only the first n bytes of the first answer and then drops the connection.
func cut(n int64) func(http.ResponseWriter, *http.Request, http.Handler) {
	var asked atomic.Int32
	return func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		if asked.Add(1) > 1 {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(bigData)))
		_, _ = w.Write([]byte(bigData[:n]))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

const afterTwoChunks = 2*content.DefaultChunkSize + 100_000

func TestDroppedConnectionIsResumed(t *testing.T) { // DOP-19
	b := newBench(t, map[string]string{"image": bigData})
	var ranges []string
	drop := cut(afterTwoChunks)
	source := b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		ranges = append(ranges, r.Header.Get("Range"))
		drop(w, r, h)
	})
	dir, stats, err := client.Fetch(t.Context(), b.request(source))
	require.NoError(t, err)
	b.checkDir(dir)
	assert.Equal(t, []string{"", fmt.Sprintf("bytes=%d-", 2*content.DefaultChunkSize)}, ranges)
	assert.EqualValues(t, len(bigData)+100_000, stats.Bytes)
	assert.Equal(t, []time.Duration{client.DefaultRetryDelay}, b.sleeps)
}

func TestResumeAtAnotherSourceAndAfterARestart(t *testing.T) {
	b := newBench(t, map[string]string{"image": bigData})
	request := b.request(b.serve(cut(afterTwoChunks)))
	request.Retry.Count = -1
	_, _, err := client.Fetch(t.Context(), request)
	assert.ErrorIs(t, err, client.ErrUnavailable)
	b.nothingVisible()

	dir, stats, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	b.checkDir(dir)
	assert.EqualValues(t, len(bigData)-2*content.DefaultChunkSize, stats.Bytes)
}

func TestDamagedPartIsNotBuiltOn(t *testing.T) {
	b := newBench(t, map[string]string{"image": bigData})
	request := b.request(b.serve(cut(afterTwoChunks)))
	request.Retry.Count = -1
	_, _, err := client.Fetch(t.Context(), request)
	require.Error(t, err)
	parts, err := filepath.Glob(filepath.Join(b.cache, ".staging", "*", "parts", "*"))
	require.NoError(t, err)
	require.Len(t, parts, 1)
	f, err := os.OpenFile(parts[0], os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("!!"), content.DefaultChunkSize+5)
	require.NoError(t, errors.Join(err, f.Close()))

	dir, stats, err := client.Fetch(t.Context(), b.request(b.serve(nil)))
	require.NoError(t, err)
	b.checkDir(dir)
	assert.EqualValues(t, len(bigData)-content.DefaultChunkSize, stats.Bytes)
}

func TestServersThatAnswerOddly(t *testing.T) {
	whole := func(w http.ResponseWriter) { _, _ = w.Write([]byte(bigData)) }
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request, h http.Handler){
		"ignores range": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { whole(w) },
		"ignores range, no length": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.(http.Flusher).Flush()
			whole(w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, map[string]string{"image": bigData})
			drop := cut(afterTwoChunks)
			var asked atomic.Int32
			source := b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
				if asked.Add(1) == 1 {
					drop(w, r, h)
				} else {
					answer(w, r, h)
				}
			})
			dir, _, err := client.Fetch(t.Context(), b.request(source))
			require.NoError(t, err)
			b.checkDir(dir)
		})
	}
}

func TestServersThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, h http.Handler)
		want   string
		rounds int
	}{
		"404": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) { http.NotFound(w, r) }, "404", 1},
		"403": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "", 403) }, "403", 1},
		"500": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "", 500) }, "500", 3},
		"503": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "", 503) }, "503", 3},
		"429": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "", 429) }, "429", 3},
		"204": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(204) }, "204", 3},
		"206 unasked": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(206)
			_, _ = w.Write([]byte("aa"))
		}, "206", 3},
		"too short": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte("a")) }, "holds another file", 3},
		"too long":  {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte("aaa")) }, "holds another file", 3},
		"too long, no length": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.(http.Flusher).Flush()
			for range 1000 {
				_, _ = w.Write(make([]byte, 32<<10))
			}
		}, "more bytes", 3},
		"too short, no length": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.(http.Flusher).Flush()
			_, _ = w.Write([]byte("a"))
		}, "bad content length", 3},
		"drops": {func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }, "EOF", 3},
		"redirects for ever": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, r.URL.Path, 302)
		}, "redirects", 3},
		"gzip unasked": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte("aa"))
			_ = z.Close()
		}, "content encoding", 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, map[string]string{"a": "aa"})
			bad := b.serve(test.answer)
			_, _, err := client.Fetch(t.Context(), b.request(bad))
			var unavailable *client.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			assert.ErrorContains(t, err, test.want)
			assert.Equal(t, test.rounds, unavailable.Rounds)
			assert.Len(t, b.sleeps, test.rounds-1)
			b.nothingVisible()

			b.sleeps = nil
			dir, stats, err := client.Fetch(t.Context(), b.request(bad, b.serve(nil)))
			require.NoError(t, err)
			b.checkDir(dir)
			assert.Empty(t, b.sleeps, "the next source is asked at once")
			assert.NotEqual(t, bad.BaseURL, stats.Sources["a"])
		})
	}
}

func TestStalledServerIsLeft(t *testing.T) {
	const silent, sends, trickles = 0, 1, 2
	for name, kind := range map[string]int{"before the answer": silent, "in the body": sends, "a byte now and then": trickles} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, map[string]string{"image": bigData, "other": bigData[1:] + "x"})
			release := make(chan struct{})
			stalled := b.serve(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if kind != silent {
					w.Header().Set("Content-Length", strconv.Itoa(len(bigData)))
					_, _ = w.Write([]byte(bigData[:100]))
					w.(http.Flusher).Flush()
				}
				ticker := time.NewTicker(20 * time.Millisecond)
				defer ticker.Stop()
				for {
					select {
					case <-release:
						return
					case <-r.Context().Done():
						return
					case <-ticker.C:
						if kind == trickles {
							_, _ = w.Write([]byte{bigData[100]})
							w.(http.Flusher).Flush()
						}
					}
				}
			})
			t.Cleanup(func() { close(release) }) // runs before the server's Close, which waits for handlers
			request := b.request(stalled, b.serve(nil))
			request.StallTimeout = 1500 * time.Millisecond // far more than a busy machine lets the good source wait
			var log bytes.Buffer
			request.Logger = slog.New(slog.NewTextHandler(&log, nil))
			dir, _, err := client.Fetch(t.Context(), request)
			require.NoError(t, err)
			b.checkDir(dir)
			assert.Equal(t, 1, strings.Count(log.String(), "too few bytes in time"), "a stalled source is asked last from then on\n"+log.String())
		})
	}
}

func TestBackoffGrowsToACap(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	request := b.request(b.serve(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "", 500) }))
	request.Retry = client.Retry{Count: 6, Delay: 20 * time.Second}
	request.Jitter = func() float64 { return 0.5 }
	_, _, err := client.Fetch(t.Context(), request)
	require.ErrorIs(t, err, client.ErrUnavailable)
	assert.Equal(t, []time.Duration{22 * time.Second, 44 * time.Second, 88 * time.Second, 176 * time.Second, 330 * time.Second, 330 * time.Second}, b.sleeps)
}

func TestNoSourceAtAll(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	_, _, err := client.Fetch(t.Context(), b.request())
	assert.ErrorIs(t, err, client.ErrUnavailable)
	assert.ErrorContains(t, err, "distribute it")
	assert.Empty(t, b.sleeps)
	_, _, err = client.Fetch(t.Context(), b.request(client.Source{BaseURL: "file:///etc"}))
	assert.ErrorContains(t, err, "not an http or https URL")
}

func TestCancel(t *testing.T) {
	b := newBench(t, map[string]string{"image": bigData})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("operator stopped the run")
	source := b.serve(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		cancel(why)
		<-r.Context().Done()
	})
	_, _, err := client.Fetch(ctx, b.request(source))
	assert.ErrorIs(t, err, why)
	b.nothingVisible()
}

func TestSecretsStayOutOfLogsAndErrors(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	var got atomic.Value
	source := b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		got.Store(r.URL.RawQuery + " " + r.Header.Get("Authorization"))
		http.Error(w, "", 500)
	})
	source.BaseURL += "/c/1790000000/s3cret/?sig=s3cret" // signed by path, and by query
	source.Header = http.Header{"authorization": {"Bearer t0ken"}}
	dead := client.Source{BaseURL: "http://user:s3cret@127.0.0.1:1/?sig=s3cret", Name: "depot-2"}
	request := b.request(source, dead)
	var log bytes.Buffer
	request.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, stats, err := client.Fetch(t.Context(), request)
	require.Error(t, err)
	assert.Equal(t, "sig=s3cret Bearer t0ken", got.Load())
	for _, text := range []string{log.String(), err.Error(), fmt.Sprint(stats)} {
		assert.NotContains(t, text, "s3cret")
		assert.NotContains(t, text, "t0ken")
	}
	assert.Contains(t, err.Error(), "depot-2", "sources are called by their names")
	assert.Contains(t, log.String(), "content sources in order") // BGR-15
}

func TestTokenDoesNotFollowARedirectToAnotherPlace(t *testing.T) {
	b := newBench(t, map[string]string{"a": "aa"})
	var here, there atomic.Value
	other := b.serve(func(w http.ResponseWriter, r *http.Request, h http.Handler) {
		there.Store(r.Header.Get("X-Token") + r.Header.Get("Authorization"))
		h.ServeHTTP(w, r)
	})
	source := b.serve(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		here.Store(r.Header.Get("X-Token") + r.Header.Get("Authorization"))
		http.Redirect(w, r, other.BaseURL+r.URL.Path, http.StatusFound)
	})
	source.Header = http.Header{"x-token": {"one"}, "Authorization": {"two"}}
	dir, _, err := client.Fetch(t.Context(), b.request(source))
	require.NoError(t, err)
	b.checkDir(dir)
	assert.Equal(t, "onetwo", here.Load())
	assert.Equal(t, "", there.Load(), "same host, other port")
}
