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
	shutdownTime = 5 * time.Second
	renewCheck   = time.Hour
)

// serveHTTP serves boot scripts, loaders, boot files and content.
func (a *appliance) serveHTTP(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle(bootFilePrefix+"/", http.StripPrefix(bootFilePrefix, a.files))
	mux.Handle(contentPrefix+"/", http.StripPrefix(contentPrefix, a.content.handler()))
	if a.pxe != nil {
		mux.Handle("/boot/", a.pxe.Handler())
	}
	ln, err := net.Listen("tcp", a.cfg.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("http.listen %s: %w", a.cfg.HTTP.Listen, err)
	}
	return a.serve(ctx, ln, pxe.CleanPath(mux))
}

func (a *appliance) serveHTTPS(ctx context.Context, handler http.Handler) error {
	certificate, err := a.certificate()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", a.cfg.HTTPS.Listen)
	if err != nil {
		return fmt.Errorf("https.listen %s: %w", a.cfg.HTTPS.Listen, err)
	}
	return a.serve(ctx, tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate() },
	}), handler)
}

// certificate returns a source of the server's certificate that looks once an
// hour whether it has to be renewed.
func (a *appliance) certificate() (func() (*tls.Certificate, error), error) {
	names, addrs := a.reach.certificateNames()
	var mu sync.Mutex
	var current tls.Certificate
	var checked time.Time
	get := func() (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(checked) > renewCheck {
			c, err := a.ca.Server(names, addrs, now)
			if err != nil {
				return nil, fmt.Errorf("server certificate: %w", err)
			}
			current, checked = c, now
		}
		return &current, nil
	}
	_, err := get()
	return get, err
}

// serveSocket serves the API to root of this machine: who may open the socket
// may do everything.
func (a *appliance) serveSocket(ctx context.Context, handler http.Handler) error {
	path := a.cfg.Socket
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder of the socket: %w", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("another appliance answers at %s: stop it first, or set socket in the configuration", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old socket: %w", err)
	}
	// The mode must be right from the first moment on, and umask belongs to
	// the whole process: bind in a private folder, then move.
	private, err := os.MkdirTemp(filepath.Dir(path), ".socket-*")
	if err != nil {
		return fmt.Errorf("make folder for the socket: %w", err)
	}
	defer os.RemoveAll(private)
	ln, err := net.Listen("unix", filepath.Join(private, "s"))
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(filepath.Join(private, "s"), 0o600), os.Rename(filepath.Join(private, "s"), path)); err != nil {
		ln.Close()
		return fmt.Errorf("put socket in place: %w", err)
	}
	defer os.Remove(path)
	return a.serve(ctx, ln, handler)
}

func (a *appliance) serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	s := &http.Server{
		Handler: a.recovered(handler), ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerLimit,
		ErrorLog: log.New(debugWriter{a.log}, "", 0),
	}
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

// recovered keeps one request's panic from ending the service.
func (a *appliance) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				a.log.Error("panic in a request", "path", r.URL.Path, "panic", fmt.Sprint(p))
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
