package tftpd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"
)

// filter is the socket as the library sees it: only read requests that the library can serve come through.
type filter struct {
	*net.UDPConn
	srv   *Server
	ctx   context.Context
	local netip.Addr
	wg    sync.WaitGroup
}

// ReadFrom returns the next request for the library, written so that it understands it.
func (f *filter) ReadFrom(p []byte) (int, net.Addr, error) {
	var buf [maxRequest + 1]byte
	for {
		n, from, err := f.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			if f.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				f.srv.cfg.Log.Warn("tftp receive", "err", err)
				f.pause() // an interface that is down fails at once, for ever
				continue
			}
			return 0, nil, err
		}
		peer := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if b := f.accept(buf[:n], peer); b != nil {
			return copy(p, b), net.UDPAddrFromAddrPort(peer), nil
		}
	}
}

func (f *filter) pause() {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.ctx.Done():
	}
}

// accept answers a request itself and returns nil, or returns what the library shall see.
func (f *filter) accept(p []byte, peer netip.AddrPort) []byte {
	req, err := parseRequest(p)
	if err != nil {
		if !errors.Is(err, errOpcode) { // an error or acknowledgement must not be answered with an error (RFC 1350)
			f.refuse(peer, codeIllegal, "illegal request")
		}
		f.srv.cfg.Done(Transfer{Client: peer, Name: req.name, Outcome: Refused, Reason: err.Error()})
		return nil
	}
	if req.write {
		f.refuse(peer, codeAccess, "read only")
		f.srv.cfg.Done(Transfer{Client: peer, Name: req.name, Outcome: Refused, Reason: "write request: this server is read only"})
		return nil
	}
	data, ok := f.srv.cfg.Files.File(key(req.name))
	if !ok {
		f.refuse(peer, codeNotFound, "file not found")
		f.srv.cfg.Done(Transfer{Client: peer, Name: req.name, Outcome: Missing, Reason: "no loader of this name"})
		return nil
	}
	if reason, ok := f.srv.begin(peer); !ok {
		// Silence: the client repeats its request, and by then there is room.
		f.srv.cfg.Done(Transfer{Client: peer, Name: req.name, Outcome: Refused, Reason: reason})
		return nil
	}
	if !req.ours() {
		return req.forLibrary()
	}
	f.wg.Go(func() {
		defer f.srv.end(peer)
		f.send(peer, req, data)
	})
	return nil
}

// ours tells whether the windowed sender serves the request. Blocks below 512 bytes are ours too: the library would
// ignore the option, which a client with a small buffer may not survive.
func (r request) ours() bool {
	return r.mode == "octet" && (r.window > 0 || r.block > 0 && r.block < defaultBlock)
}

func (f *filter) refuse(peer netip.AddrPort, code uint16, text string) {
	if _, err := f.WriteToUDPAddrPort(errorPacket(code, text), peer); err != nil {
		f.srv.cfg.Log.Debug("tftp send error", "client", peer, "err", err)
	}
}

// send runs one windowed transfer from a port of its own.
func (f *filter) send(peer netip.AddrPort, req request, data []byte) {
	tr := Transfer{Client: peer, Name: req.name, Window: max(req.window, 1), Outcome: Failed}
	start := time.Now()
	defer func() {
		if r := recover(); r != nil {
			f.srv.cfg.Log.Error("tftp transfer panicked", "file", req.name, "err", r, "stack", string(debug.Stack()))
			tr.Reason = "internal error"
		}
		tr.Took = time.Since(start)
		f.srv.cfg.Done(tr)
	}()
	ctx, cancel := context.WithTimeout(f.ctx, maxTransfer)
	defer cancel()
	laddr := &net.UDPAddr{}
	if f.local.IsValid() {
		laddr.IP = f.local.AsSlice()
	}
	conn, err := net.ListenUDP("udp", laddr)
	if err != nil {
		tr.Reason = err.Error()
		return
	}
	defer conn.Close()
	s := newWindowSender(conn, peer, req, data)
	err = s.run(ctx)
	tr.Bytes = s.sent
	switch {
	case err == nil:
		tr.Outcome, tr.Bytes = Sent, len(data)
	case errors.Is(err, errAborted):
		tr.Outcome, tr.Reason = Aborted, err.Error()
	default:
		tr.Reason = err.Error()
		var ce *clientError
		if !errors.As(err, &ce) {
			_, _ = conn.WriteToUDPAddrPort(errorPacket(codeUndefined, "transfer ended"), peer)
		}
	}
}
