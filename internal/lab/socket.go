package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Do runs fn on a thread that is in the host's namespace: sockets that fn opens
// belong to the host, also after fn has returned. fn must not start processes
// (use Command) nor goroutines that open sockets. The namespace lives as long as
// such a socket, so close them before Down.
func (h *Host) Do(fn func() error) error { return inNamespace(h.st.Namespace, fn) }

// DialContext connects from the host. It fits http.Transport, so that a test can
// ask a server in the lab. The address must be a literal one: there is no name
// service in a lab.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "unix" {
		if _, err := netip.ParseAddrPort(address); err != nil {
			return nil, fmt.Errorf("connect from host %s: %w", h.st.Name, err)
		}
	}
	var conn net.Conn
	err := h.Do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens in the host for stream connections, e.g. "tcp", ":80".
func (h *Host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var l net.Listener
	err := h.Do(func() (err error) {
		var c net.ListenConfig
		l, err = c.Listen(ctx, network, address)
		return err
	})
	return l, err
}

// ListenPacket opens a datagram socket in the host, e.g. "udp4", ":0".
func (h *Host) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.PacketConn
	err := h.Do(func() (err error) {
		var lc net.ListenConfig
		c, err = lc.ListenPacket(ctx, network, address)
		return err
	})
	return c, err
}
