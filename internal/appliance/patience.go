package appliance

import (
	"io"
	"net/http"
	"time"
)

const (
	// stall is how long a client may take nothing of what is written to it.
	stall = time.Minute
	// slowestClient is how slow, in bytes a second, a client may take a file.
	slowestClient = 32 << 10
)

// patient closes the connection of a client that stops reading: it would hold a
// connection, a goroutine and an open file for ever. It goes around all
// handlers, so that none has to think of it.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&patientWriter{ResponseWriter: w, control: http.NewResponseController(w)}, r)
	})
}

// patientWriter moves the deadline on with each write.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patientWriter) allow(bytes int64) {
	_ = p.control.SetWriteDeadline(time.Now().Add(stall + time.Duration(bytes/slowestClient)*time.Second))
}

// WriteHeader implements http.ResponseWriter.
func (p *patientWriter) WriteHeader(status int) {
	p.allow(0)
	p.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (p *patientWriter) Write(b []byte) (int, error) {
	p.allow(int64(len(b)))
	return p.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile possible: http.ServeContent says how much it sends.
func (p *patientWriter) ReadFrom(r io.Reader) (int64, error) {
	to, fast := p.ResponseWriter.(io.ReaderFrom)
	part, sized := r.(*io.LimitedReader)
	if !fast || !sized {
		return io.Copy(struct{ io.Writer }{p}, r)
	}
	p.allow(part.N)
	return to.ReadFrom(r)
}

// Unwrap lets http.ResponseController find the connection.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
