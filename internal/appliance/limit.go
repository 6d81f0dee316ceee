package appliance

import (
	"net"
	"net/netip"
	"sync"
)

const (
	// maxConnections of one listener: a thousand machines with a few each. With
	// TLS one takes about 50 KB.
	maxConnections = 4096
	// maxPerAddress leaves room for virtual machines behind one address.
	maxPerAddress = 256
)

// limited closes connections above its limits at once: clients come again, and
// one that opens them by the thousand does not keep the others out.
type limited struct {
	net.Listener
	total, each int

	mu   sync.Mutex
	open int
	by   map[netip.Addr]int
}

func limitConnections(ln net.Listener, total, each int) *limited {
	return &limited{Listener: ln, total: total, each: each, by: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			return c, nil // a unix socket: only root gets here
		}
		from := addressOf(c)
		if l.take(from) {
			return &counted{TCPConn: tcp, release: sync.OnceFunc(func() { l.release(from) })}, nil
		}
		_ = c.Close()
	}
}

func addressOf(c net.Conn) netip.Addr {
	p, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	return p.Addr().Unmap()
}

func (l *limited) take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || l.by[from] >= l.each {
		return false
	}
	l.open++
	l.by[from]++
	return true
}

func (l *limited) release(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.by[from]--; l.by[from] <= 0 {
		delete(l.by, from)
	}
}

// counted is a *net.TCPConn in all but Close, so that sendfile stays possible.
type counted struct {
	*net.TCPConn
	release func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.release()
	return c.TCPConn.Close()
}
