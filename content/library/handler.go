package library

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bootyard/bootyard/content"
)

// slowestClient is how slow, in bytes a second, a client may read before its connection is closed. Without such a limit a
// client that stops reading would keep a connection and an open file for ever.
const slowestClient = 32 << 10

// Handler serves the stored files: GET and HEAD of /<sha-256>, with ranges and conditional requests (RFC 9110). There is
// no listing, and no other name exists. Who may ask is decided in front of it, e.g. by signed URLs; what is put in front must
// pass its http.ResponseWriter through or forward io.ReaderFrom, or sendfile is lost.
func (l *Library) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h, err := content.ParseHash(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			l.refuse(w, r, http.StatusNotFound, err)
			return
		}
		l.serveBlob(w, r, h)
	})
}

func (l *Library) serveBlob(w http.ResponseWriter, r *http.Request, h content.Hash) {
	f, err := l.OpenBlob(h)
	if errors.Is(err, ErrNotFound) {
		l.refuse(w, r, http.StatusNotFound, err)
		return
	}
	if err != nil {
		l.refuse(w, r, http.StatusInternalServerError, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		l.refuse(w, r, http.StatusInternalServerError, errors.Join(err, errors.New("stored content is not a plain file")))
		return
	}
	header := w.Header()
	header.Set("ETag", `"`+h.String()+`"`)
	header.Set("Content-Type", "application/octet-stream")
	header.Set("X-Content-Type-Options", "nosniff")
	// The name is the hash of the bytes, so they can never change.
	header.Set("Cache-Control", "private, max-age=31536000, immutable")

	controller := http.NewResponseController(w)
	allowed := time.Minute + time.Duration(info.Size()/slowestClient)*time.Second
	if err := controller.SetWriteDeadline(time.Now().Add(allowed)); err == nil {
		defer controller.SetWriteDeadline(time.Time{}) // for the next request on this connection
	}
	// With an *os.File and a plain connection this ends in sendfile(2). The modification time is left out: it says nothing
	// about bytes that never change, and the ETag is stronger.
	http.ServeContent(w, r, "", time.Time{}, f)
}

// refuse answers with a fixed text; the cause stays in the log.
func (l *Library) refuse(w http.ResponseWriter, r *http.Request, status int, cause error) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	l.log.Log(r.Context(), level, "content not served", "remote", r.RemoteAddr, "status", status, "err", cause)
	http.Error(w, strings.ToLower(http.StatusText(status)), status)
}
