package tftpd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

var (
	errAborted = errors.New("client ended the transfer after it had read the size")
	errGaveUp  = errors.New("client stopped answering")
)

// clientError is an ERROR packet of the client. Its text is untrusted and printed quoted.
type clientError struct {
	code uint16
	text string
}

func (e *clientError) Error() string { return fmt.Sprintf("client sent error %d %q", e.code, e.text) }

const (
	firstTimeout = 500 * time.Millisecond // a slow ROM acknowledges within that; then 1, 2, 4 s
	maxTries     = 5
)

// windowSender sends one file to one client, window blocks for each acknowledgement (RFC 7440).
type windowSender struct {
	conn   *net.UDPConn // of this transfer only: its port is our transfer id
	peer   netip.AddrPort
	req    request
	data   []byte
	block  int
	window int
	sent   int // bytes of the file acknowledged
	buf    [1500]byte
}

func newWindowSender(conn *net.UDPConn, peer netip.AddrPort, req request, data []byte) *windowSender {
	s := &windowSender{conn: conn, peer: peer, req: req, data: data, block: req.block, window: max(req.window, 1)}
	if s.block == 0 {
		s.block = defaultBlock
	}
	return s
}

// run sends the file and returns nil when the last block is acknowledged. It returns errAborted for edk2, which reads
// the size from the OACK, says ERROR 8 and asks again: that is no failure.
func (s *windowSender) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.sendOAck(ctx); err != nil {
		return err
	}
	// Blocks are counted from 1 without wrapping; the wire has the lower 16 bits.
	last := uint64(len(s.data)/s.block) + 1
	for base := uint64(1); base <= last; {
		next, err := s.sendWindow(ctx, base, min(base+uint64(s.window)-1, last))
		if err != nil {
			return err
		}
		base = next
		s.sent = min(int(base-1)*s.block, len(s.data))
	}
	return nil
}

func (s *windowSender) sendOAck(ctx context.Context) error {
	oack := s.req.oack(len(s.data))
	for try := range maxTries {
		if _, err := s.conn.WriteToUDPAddrPort(oack, s.peer); err != nil {
			return fmt.Errorf("send options: %w", err)
		}
		_, err := s.await(ctx, try, func(n uint16) bool { return n == 0 })
		var ce *clientError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &ce) && (ce.code == codeBadOptions || ce.code == codeUndefined):
			return errAborted
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
	}
	return errGaveUp
}

// sendWindow sends blocks from..to until one of them is acknowledged and returns the block to go on with.
func (s *windowSender) sendWindow(ctx context.Context, from, to uint64) (uint64, error) {
	honour := s.window > 1
	for try := range maxTries {
		for n := from; n <= to; n++ {
			if err := s.sendBlock(n); err != nil {
				return 0, err
			}
		}
		// An acknowledgement of the block before the window says that our first block was lost (RFC 7440 section 4).
		// It is honoured once, then not before a timeout: a client sends one for each block it cannot use.
		acked, err := s.await(ctx, try, func(n uint16) bool {
			d := n - uint16(from-1)
			return uint64(d) <= to-from+1 && (d > 0 || honour)
		})
		if err == nil {
			d := uint64(acked - uint16(from-1))
			if d == 0 {
				honour = false
				continue
			}
			return from + d, nil
		}
		honour = s.window > 1
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
	}
	return 0, errGaveUp
}

func (s *windowSender) sendBlock(n uint64) error {
	off := int(n-1) * s.block
	chunk := s.data[off:min(off+s.block, len(s.data))]
	p := append(s.buf[:0], 0, opData, byte(n>>8), byte(n))
	if _, err := s.conn.WriteToUDPAddrPort(append(p, chunk...), s.peer); err != nil {
		return fmt.Errorf("send block %d: %w", n, err)
	}
	return nil
}

// await reads until an acknowledgement is wanted, the client sends an error, or the time for this try is over.
func (s *windowSender) await(ctx context.Context, try int, wanted func(uint16) bool) (uint16, error) {
	var in [maxRequest]byte
	if err := s.conn.SetReadDeadline(time.Now().Add(firstTimeout << try)); err != nil {
		return 0, err
	}
	for {
		if err := ctx.Err(); err != nil { // after the deadline was set, so that the end of ctx is not overwritten
			return 0, err
		}
		n, from, err := s.conn.ReadFromUDPAddrPort(in[:])
		if err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return 0, err
		}
		if netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != s.peer || n < 4 {
			continue // a stranger must not end or advance a transfer (RFC 1350 section 4)
		}
		arg := binary.BigEndian.Uint16(in[2:])
		switch binary.BigEndian.Uint16(in[:]) {
		case opAck:
			if wanted(arg) {
				return arg, nil
			}
		case opError:
			return 0, &clientError{code: arg, text: string(in[4:min(n, 64)])}
		}
	}
}
