package appliance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bootyard/bootyard/pxe"
)

// noMachine asks reach for the addresses that are good for everybody.
var noMachine = netip.Addr{}

const (
	headerLimit  = 32 << 10
	idleTimeout  = 2 * time.Minute
	headTimeout  = 10 * time.Second
	bodyTimeout  = time.Minute // operations with long bodies set their own
	shutdownTime = 5 * time.Second
)

// listeners are what clients reach the appliance by. They are opened before
// anything is answered: what cannot be opened ends the start.
type listeners struct{ http, https, socket net.Listener }

func (a *appliance) listen() (_ *listeners, err error) {
	l := &listeners{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.http, err = listenTCP("http.listen", a.cfg.HTTP.Listen); err != nil {
		return nil, err
	}
	if l.https, err = listenTCP("https.listen", a.cfg.HTTPS.Listen); err != nil {
		return nil, err
	}
	l.socket, err = openSocket(a.cfg.Socket) // last: where it is, the rest is too
	return l, err
}

func (l *listeners) close() {
	for _, ln := range []net.Listener{l.http, l.https, l.socket} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

func listenTCP(key, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w; stop what uses the port ('ss -ltnp' shows it), or choose another", key, address, err)
	}
	return limitConnections(ln, maxConnections, maxPerAddress), nil
}

// bootHandler serves boot scripts, loaders, boot files and content.
func (a *appliance) bootHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(bootFilePrefix+"/", http.StripPrefix(bootFilePrefix, a.files))
	mux.Handle(contentPrefix+"/", http.StripPrefix(contentPrefix, a.content.handler()))
	if a.pxe != nil {
		mux.Handle("/boot/", a.pxe.Handler())
	}
	return pxe.CleanPath(mux)
}

func (a *appliance) withTLS(ln net.Listener) (net.Listener, error) {
	source := a.certificates()
	if _, err := source.get(); err != nil {
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return source.get() },
	}), nil
}

// openSocket opens the API for root of this machine: who may open the socket
// may do everything.
func openSocket(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of the socket: %w; run as root, or set socket in the configuration", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("another appliance answers at %s: stop it first, or set socket in the configuration", path)
	}
	// The mode must be right from the first moment on, and umask belongs to
	// the whole process: bind in a private folder, then move.
	private, err := os.MkdirTemp(filepath.Dir(path), ".socket-*")
	if err != nil {
		return nil, fmt.Errorf("make folder for the socket: %w", err)
	}
	defer os.RemoveAll(private)
	temp := filepath.Join(private, "s")
	ln, err := net.Listen("unix", temp)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	// The rename replaces what a killed appliance left.
	if err := errors.Join(os.Chmod(temp, 0o600), os.Rename(temp, path)); err != nil {
		ln.Close()
		return nil, fmt.Errorf("put socket in place: %w", err)
	}
	return &socket{Listener: ln, remove: sync.OnceFunc(func() { _ = os.Remove(path) })}, nil
}

// socket takes its file away when it is closed, once: later there may be
// another appliance's in its place.
type socket struct {
	net.Listener
	remove func()
}

// Close implements net.Listener.
func (s *socket) Close() error {
	s.remove()
	return s.Listener.Close()
}

func (a *appliance) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: patient(a.recovered(handler)), MaxHeaderBytes: headerLimit,
		ReadHeaderTimeout: headTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		ErrorLog: log.New(debugWriter{a.log}, "", 0),
	}
}

func (a *appliance) serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	s := a.server(handler)
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		err := s.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close() // long downloads go on after the restart
		}
		stopped <- err
	})
	err := s.Serve(ln)
	if !stop() {
		err = errors.Join(<-stopped, ctx.Err())
	}
	return err
}

// endless are the routes whose answer goes on until somebody goes away. They
// would keep a stop waiting for as long as it may.
var endless = []string{"/events", "/api/v1/stream"}

// waits says whether a request may be answered late: those, and the debugger's,
// which wait for news (TS-173).
func waits(r *http.Request) bool {
	path := r.URL.Path
	switch {
	case slices.Contains(endless, path):
		return true
	case !strings.Contains(path, "/runs/"):
		return false
	case strings.HasSuffix(path, "/debug"):
		return r.Method == http.MethodGet || strings.HasPrefix(path, "/api/v1/agent/")
	}
	return strings.Contains(path, "/shells/")
}

// ending ends them with ctx. All other requests are let finish.
func ending(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if waits(r) {
			until, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			r = r.WithContext(until)
		}
		next.ServeHTTP(w, r)
	})
}

// recovered keeps one request's panic from ending the service.
func (a *appliance) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				// No path: it may be a signed one.
				a.log.Error("panic in a request", "method", r.Method, "remote", r.RemoteAddr, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// debugWriter puts the HTTP server's own remarks (broken handshakes, mostly)
// where they do not drown the rest.
type debugWriter struct{ log *slog.Logger }

func (d debugWriter) Write(p []byte) (int, error) {
	d.log.Debug("http", "text", string(p))
	return len(p), nil
}
