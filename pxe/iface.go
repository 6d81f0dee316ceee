package pxe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sync/errgroup"
)

const (
	serverPort = 67
	clientPort = 68
	bootPort   = 4011
	tftpPort   = 69
)

// iface is one interface while it is served.
type iface struct {
	name string
	mode Mode
	hw   net.HardwareAddr
	idx  int
	at   endpoint
	pool Pool

	dhcp  *net.UDPConn // port 67
	pxe   *net.UDPConn // port 4011, proxy mode
	sniff *packet.Conn // proxy mode: a copy of what arrives for port 67
	raw   *rawSocket   // nil without the right to open one: replies are broadcast then
	arp   func(ctx context.Context, addr netip.Addr, not net.HardwareAddr) bool
}

// inUse tells whether somebody other than the machine answers ARP for addr.
func (i *iface) inUse(ctx context.Context, addr netip.Addr, mac net.HardwareAddr) bool {
	return i.arp != nil && i.arp(ctx, addr, mac)
}

// lookUp finds the interface and its address.
func (s *Server) lookUp(name string) (*iface, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w; dhcp.interfaces must name existing ones (ip link)", name, err)
	}
	if ifi.Flags&net.FlagUp == 0 {
		return nil, fmt.Errorf("interface %s is down: ip link set %s up", name, name)
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, fmt.Errorf("interface %s: read addresses: %w", name, err)
	}
	i := &iface{name: name, mode: s.cfg.Mode, hw: ifi.HardwareAddr, idx: ifi.Index}
	var found []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.To4() == nil {
			continue
		}
		ones, _ := n.Mask.Size()
		ip, _ := netip.AddrFromSlice(n.IP.To4())
		found = append(found, netip.PrefixFrom(ip, ones))
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("interface %s has no IPv4 address: give it a fixed one", name)
	}
	i.at.addr = found[0].Addr()
	if s.cfg.Mode == ModeServer {
		ok := false
		for _, f := range found {
			for _, p := range s.cfg.Pools {
				if !ok && p.Prefix.Contains(f.Addr()) {
					i.at.addr, i.pool, ok = f.Addr(), p, true
				}
			}
		}
		if !ok {
			return nil, fmt.Errorf("interface %s has %s, which is in no subnet of dhcp.range", name, found[0])
		}
	}
	httpAddr := i.at.addr
	if s.cfg.HTTPAddr.Is4() {
		httpAddr = s.cfg.HTTPAddr
	}
	i.at.http = netip.AddrPortFrom(httpAddr, s.cfg.HTTPPort)
	return i, nil
}

// serve opens the sockets of one interface and serves until ctx ends or one of them fails.
func (s *Server) serve(ctx context.Context, name string, ready func()) error {
	i, err := s.lookUp(name)
	if err != nil {
		return err
	}
	if err := s.cfg.Loaders.Prepare(ctx, i.at.http); err != nil {
		return fmt.Errorf("loaders for %s: %w", name, err)
	}
	if s.cfg.Mode == ModeServer {
		if err := s.checkAlone(ctx, i); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	conns, err := s.open(ctx, i)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
		if i.raw != nil {
			i.raw.close()
		}
		if i.sniff != nil {
			_ = i.sniff.Close()
		}
	}()
	if err != nil {
		return err
	}
	tftpConn, err := listenUDP(ctx, i.name, netip.AddrPortFrom(i.at.addr, tftpPort))
	if err != nil {
		return fmt.Errorf("tftp on %s: %w; another TFTP server on this host must be stopped", name, err)
	}
	s.log.Info("interface is served", "iface", name, "mode", string(i.mode), "addr", i.at.addr, "http", hostPort(i.at.http))
	ready()
	g.Go(func() error { return s.tftp.Serve(ctx, tftpConn, i.at.addr) })
	for _, c := range conns {
		g.Go(func() error { return s.receive(ctx, i, c, c == i.pxe) })
	}
	if i.sniff != nil {
		g.Go(func() error { return s.receiveRaw(ctx, i) })
	}
	if i.mode == ModeServer && s.cfg.RouterAdv {
		g.Go(func() error {
			// Only a saving of time: machines boot without it.
			if err := s.advertise(ctx, i); err != nil && ctx.Err() == nil {
				s.log.Warn("router advertisements are off, iPXE waits 13 s more", "iface", name, "err", err)
			}
			return nil
		})
	}
	g.Go(func() error { return watch(ctx, i) })
	g.Go(func() error {
		<-ctx.Done()
		for _, c := range conns {
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}
		if i.sniff != nil {
			_ = i.sniff.SetReadDeadline(time.Unix(1, 0))
		}
		return nil
	})
	return g.Wait()
}

// watch ends the service of an interface that lost its address or was replaced, so that it is opened anew.
func watch(ctx context.Context, i *iface) error {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		ifi, err := net.InterfaceByName(i.name)
		if err != nil || ifi.Index != i.idx {
			return fmt.Errorf("interface %s was removed", i.name)
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue
		}
		found := false
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && addr4(n.IP) == i.at.addr {
				found = true
			}
		}
		if !found {
			return fmt.Errorf("interface %s lost its address %s", i.name, i.at.addr)
		}
	}
}

// receive reads requests into the queue. What does not fit is dropped: clients ask again.
func (s *Server) receive(ctx context.Context, i *iface, c *net.UDPConn, boot bool) error {
	buf := make([]byte, 4096)
	for failed := 0; ; {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > 10 {
				return fmt.Errorf("receive dhcp on %s: %w", i.name, err)
			}
			continue
		}
		failed = 0
		s.enqueue(inbound{data: append([]byte(nil), buf[:n]...), from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), boot: boot, iface: i})
	}
}

// receiveRaw reads what arrives for port 67 in proxy mode.
func (s *Server) receiveRaw(ctx context.Context, i *iface) error {
	buf := make([]byte, 4096)
	for failed := 0; ; {
		n, _, err := i.sniff.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > 10 {
				return fmt.Errorf("receive dhcp on %s: %w", i.name, err)
			}
			continue
		}
		failed = 0
		src, _, payload, ok := parseUDPFrame(buf[:n])
		via := slices.Clone(net.HardwareAddr(buf[6:12]))
		if !ok || slices.Equal(via, i.hw) {
			continue // a DHCP client of this host
		}
		in := inbound{data: append([]byte(nil), payload...), from: src, via: via, iface: i}
		if s.cfg.Delay > 0 {
			s.later(in)
			continue
		}
		s.enqueue(in)
	}
}

func (s *Server) enqueue(in inbound) {
	select {
	case s.queue <- in:
	default:
		s.metrics.dropped.WithLabelValues("queue full").Inc()
	}
}

// later queues a packet after the response delay. Timers hold no goroutine; a flood of them is bounded by its drops.
func (s *Server) later(in inbound) {
	if s.waiting.Add(1) > queueLen {
		s.waiting.Add(-1)
		s.metrics.dropped.WithLabelValues("too many delayed").Inc()
		return
	}
	time.AfterFunc(s.cfg.Delay, func() {
		s.waiting.Add(-1)
		s.enqueue(in)
	})
}

// work answers packets until ctx ends.
func (s *Server) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-s.queue:
			s.handle(ctx, in)
		}
	}
}

// handle answers one packet. A panic in it ends that packet only.
func (s *Server) handle(ctx context.Context, in inbound) {
	defer func() {
		if r := recover(); r != nil {
			s.metrics.malformed.WithLabelValues("dhcp").Inc()
			s.log.Error("dhcp packet caused a panic", "iface", in.iface.name, "from", in.from, "err", r, "stack", string(debug.Stack()))
		}
	}()
	out, e := s.respond(ctx, in)
	if out != nil {
		if err := in.iface.send(out); err != nil {
			e.Reason, e.Answer = fmt.Sprintf("%s; not sent: %v", e.Reason, err), ""
		}
	}
	s.record(ctx, e)
}
