package tftpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/pin/tftp/v3"
	"golang.org/x/sync/errgroup"
)

// Files is the set of files that may be fetched. It must be safe for concurrent use.
type Files interface {
	// File returns the content of the file of that name, which comes from the network and is a key, not a path.
	// The content is shared and must not be changed by anybody.
	File(name string) (data []byte, ok bool)
}

// Outcome says how a request ended.
type Outcome string

// Outcomes of a request.
const (
	Sent    Outcome = "sent"    // the last block was acknowledged
	Aborted Outcome = "aborted" // the client read the size only, as edk2 does; not a failure
	Missing Outcome = "missing" // no such name
	Refused Outcome = "refused" // malformed, a write, or over a limit
	Failed  Outcome = "failed"  // the transfer began and did not end
)

// Transfer is the record of one request.
type Transfer struct {
	Client  netip.AddrPort
	Name    string // as asked for; untrusted
	Bytes   int    // of the file, acknowledged by the client
	Took    time.Duration
	Window  int // 1 when the library sent it
	Outcome Outcome
	Reason  string // why it was not sent
}

// Config of a Server. Files is required.
type Config struct {
	Files     Files
	Log       *slog.Logger
	Done      func(Transfer) // called for every request, must not block
	Max       int            // transfers at once; default 256: at a window of 64 blocks 24 MB are on the way
	MaxClient int            // of one address; default 8: a client has one transfer and perhaps a forgotten one
}

// Server serves Files on one socket.
type Server struct {
	cfg Config

	mu     sync.Mutex
	active map[netip.AddrPort]time.Time // when it began
	per    map[netip.Addr]int
}

// New makes a server; Serve starts it.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Done == nil {
		cfg.Done = func(Transfer) {}
	}
	if cfg.Max <= 0 {
		cfg.Max = 256
	}
	if cfg.MaxClient <= 0 {
		cfg.MaxClient = 8
	}
	return &Server{cfg: cfg, active: map[netip.AddrPort]time.Time{}, per: map[netip.Addr]int{}}
}

// maxTransfer ends a transfer that crawls: the largest loader takes seconds even at 512 bytes a round trip.
const maxTransfer = 3 * time.Minute

// Serve answers requests on conn until ctx ends, and closes conn. local is the address from which windowed transfers
// are sent; the zero Addr leaves the choice to the kernel. Transfers under way are broken off at the end.
func (s *Server) Serve(ctx context.Context, conn *net.UDPConn, local netip.Addr) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	f := &filter{UDPConn: conn, srv: s, ctx: ctx, local: local}
	lib := tftp.NewServer(func(name string, rf io.ReaderFrom) error { return s.libraryRead(ctx, name, rf) }, nil)
	// The filter is no *net.UDPConn, so the library would clamp every block to 512 bytes: it has no interface to ask.
	lib.SetBlockSizeNegotiation(false)
	lib.SetBlockSize(maxBlock)
	lib.SetTimeout(2 * time.Second)
	lib.SetRetries(maxTries)
	g.Go(func() error {
		<-ctx.Done()
		lib.Shutdown() // closes conn; waits for the transfers of the library, which end when their reader says so
		_ = conn.Close()
		return nil
	})
	g.Go(func() error {
		defer cancel()
		return lib.Serve(f)
	})
	err := g.Wait()
	f.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serve tftp on %s: %w", conn.LocalAddr(), err)
	}
	return nil
}

// begin counts a transfer; false with a reason when it must not start.
func (s *Server) begin(peer netip.AddrPort) (reason string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.active) >= s.cfg.Max || s.per[peer.Addr()] >= s.cfg.MaxClient {
		s.purge()
	}
	_, repeated := s.active[peer]
	switch {
	case repeated:
		return "repeated request", false
	case len(s.active) >= s.cfg.Max:
		return fmt.Sprintf("%d transfers are running, which is the limit", s.cfg.Max), false
	case s.per[peer.Addr()] >= s.cfg.MaxClient:
		return fmt.Sprintf("%d transfers to this client are running, which is the limit", s.cfg.MaxClient), false
	}
	s.active[peer] = time.Now()
	s.per[peer.Addr()]++
	return "", true
}

// purge forgets transfers that cannot be running any more: the library drops a request without a word when it finds
// no port for it.
func (s *Server) purge() {
	for peer, began := range s.active {
		if time.Since(began) > maxTransfer+time.Minute {
			s.forget(peer)
		}
	}
}

func (s *Server) end(peer netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(peer)
}

func (s *Server) forget(peer netip.AddrPort) {
	if _, ok := s.active[peer]; !ok {
		return
	}
	delete(s.active, peer)
	if s.per[peer.Addr()]--; s.per[peer.Addr()] <= 0 {
		delete(s.per, peer.Addr())
	}
}

// Active is the number of transfers under way.
func (s *Server) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.active)
}

var errGone = errors.New("file not found")

// libraryRead is the handler given to the library. It always reads or returns an error, so no socket leaks.
func (s *Server) libraryRead(ctx context.Context, name string, rf io.ReaderFrom) (err error) {
	out, ok := rf.(tftp.OutgoingTransfer)
	if !ok {
		return errGone
	}
	ra := out.RemoteAddr()
	ap := ra.AddrPort()
	peer := netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	defer s.end(peer)
	tr := Transfer{Client: peer, Name: name, Window: 1, Outcome: Sent}
	start := time.Now()
	defer func() {
		if r := recover(); r != nil {
			s.cfg.Log.Error("tftp transfer panicked", "file", name, "err", r, "stack", string(debug.Stack()))
			tr.Outcome, tr.Reason, err = Failed, "internal error", errGone
		}
		tr.Took = time.Since(start)
		s.cfg.Done(tr)
	}()
	data, ok := s.cfg.Files.File(key(name))
	if !ok {
		tr.Outcome, tr.Reason = Missing, "no loader of this name"
		return errGone
	}
	ctx, cancel := context.WithTimeout(ctx, maxTransfer)
	defer cancel()
	rd := &countingReader{ctx: ctx, data: data}
	out.SetSize(int64(len(data)))
	_, e := rf.ReadFrom(rd)
	tr.Bytes = rd.off
	if e != nil {
		tr.Outcome, tr.Reason, tr.Bytes = Failed, e.Error(), max(0, rd.off-maxBlock)
		if rd.off == 0 && strings.Contains(tr.Reason, "code=8") { // the library has no type for it
			tr.Outcome, tr.Reason = Aborted, errAborted.Error()
		}
	}
	return nil // the library has told the client already
}

// countingReader ends a transfer when ctx ends. It is no io.Seeker, so that the library takes the size we set.
type countingReader struct {
	ctx  context.Context
	data []byte
	off  int
}

var errStopping = errors.New("server is stopping")

func (r *countingReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, errStopping
	}
	if r.off == len(r.data) {
		return 0, io.EOF
	}
	n := copy(p, r.data[r.off:])
	r.off += n
	return n, nil
}
