package tftpd_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// client is a TFTP client with a window (RFC 7440) that can lose what it receives.
type client struct {
	t      *testing.T
	conn   *net.UDPConn
	server netip.AddrPort
	tid    netip.AddrPort
	drop   func(block uint64) bool // called for each DATA packet
}

func newClient(t *testing.T, server netip.AddrPort) *client {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, server: server}
}

func (c *client) request(op byte, name, mode string, opts ...string) {
	p := append([]byte{0, op}, name+"\x00"+mode+"\x00"...)
	for _, o := range opts {
		p = append(p, o+"\x00"...)
	}
	_, err := c.conn.WriteToUDPAddrPort(p, c.server)
	require.NoError(c.t, err)
}

func (c *client) read() []byte {
	buf := make([]byte, 2048)
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	n, from, err := c.conn.ReadFromUDPAddrPort(buf)
	require.NoError(c.t, err)
	c.tid = from
	return buf[:n]
}

func (c *client) send(op, arg uint16, text string) {
	p := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, op), arg)
	if op == 5 {
		p = append(append(p, text...), 0)
	}
	_, err := c.conn.WriteToUDPAddrPort(p, c.tid)
	require.NoError(c.t, err)
}

func (c *client) options() map[string]string {
	p := c.read()
	require.EqualValues(c.t, 6, binary.BigEndian.Uint16(p), "%q", p)
	f := strings.Split(strings.TrimSuffix(string(p[2:]), "\x00"), "\x00")
	out := map[string]string{}
	for i := 0; i+1 < len(f); i += 2 {
		out[f[i]] = f[i+1]
	}
	return out
}

// fetch reads the file after the options were agreed on and acknowledged; it acknowledges as RFC 7440 section 4 says.
func (c *client) fetch(block, window int) []byte {
	var out bytes.Buffer
	next, inWindow := uint64(1), 0
	c.send(4, 0, "")
	for {
		p := c.read()
		require.EqualValues(c.t, 3, binary.BigEndian.Uint16(p), "%q", p)
		n := binary.BigEndian.Uint16(p[2:])
		if c.drop != nil && c.drop(next) {
			continue
		}
		if n != uint16(next) {
			c.send(4, uint16(next-1), "")
			inWindow = 0
			continue
		}
		out.Write(p[4:])
		next++
		inWindow++
		last := len(p)-4 < block
		if inWindow == window || last {
			c.send(4, n, "")
			inWindow = 0
		}
		if last {
			return out.Bytes()
		}
	}
}

func sample(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + i>>16)
	}
	return b
}

type fileMap map[string][]byte

func (m fileMap) File(name string) ([]byte, bool) { b, ok := m[name]; return b, ok }

func (m fileMap) String() string { return fmt.Sprint(len(m)) }
