package lab

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// snapLength is the longest frame kept. Guests may hand over segments that are
// not cut to the MTU yet.
const snapLength = 256 << 10

// Frame is one Ethernet frame seen on the lab's wire.
type Frame struct {
	At   time.Time
	Data []byte // from the destination address on, without checksum
}

// Source returns the sender's address.
func (f Frame) Source() net.HardwareAddr { return net.HardwareAddr(f.Data[6:12]) }

// Destination returns the receiver's address.
func (f Frame) Destination() net.HardwareAddr { return net.HardwareAddr(f.Data[0:6]) }

// EtherType returns the protocol number; a VLAN tag counts as one.
func (f Frame) EtherType() uint16 { return binary.BigEndian.Uint16(f.Data[12:14]) }

// CaptureOptions say what to listen to. The zero value is the whole switch.
type CaptureOptions struct {
	// Port is the name of a machine or host: both directions of its cable.
	// Empty: every frame that crosses the switch, once.
	Port string
	// Filter keeps the frames for which it is true; nil keeps all. It runs in
	// the capture's goroutine and must not keep the data.
	Filter func(Frame) bool
	// Each gets every kept frame, in the capture's goroutine; the data is its own.
	Each func(Frame)
	// File receives the kept frames in pcap format.
	File string
}

// Capture is a running packet capture.
type Capture struct {
	conn *packet.Conn
	stop func() bool
	done chan struct{}

	mu    sync.Mutex
	count int
	err   error
}

// Capture begins to record frames and returns once none is missed any more. It
// runs until Stop, the end of ctx, or Down.
func (l *Lab) Capture(ctx context.Context, opts CaptureOptions) (*Capture, error) {
	device := bridgeName
	if opts.Port != "" {
		var err error
		if device, err = l.port(ctx, opts.Port); err != nil {
			return nil, err
		}
	}
	var out *pcapWriter
	if opts.File != "" {
		var err error
		if out, err = createPcap(opts.File); err != nil {
			return nil, err
		}
	}
	conn, err := l.tap(device)
	if err != nil {
		if out != nil {
			_ = out.Close()
		}
		return nil, err
	}
	c := &Capture{conn: conn, done: make(chan struct{})}
	c.stop = interruptAfter(conn, ctx, l.done)
	go c.run(opts, out)
	return c, nil
}

// Stop ends the capture and returns how many frames were kept.
func (c *Capture) Stop() (int, error) {
	c.stop()
	interrupt(c.conn)
	<-c.done
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count, c.err
}

// Count returns how many frames were kept so far.
func (c *Capture) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func (c *Capture) run(opts CaptureOptions, out *pcapWriter) {
	defer close(c.done)
	defer func() { _ = c.conn.Close() }()
	err := eachFrame(c.conn, func(f Frame) error {
		if opts.Filter != nil && !opts.Filter(f) {
			return nil
		}
		if opts.Each != nil {
			opts.Each(Frame{At: f.At, Data: append([]byte(nil), f.Data...)})
		}
		c.mu.Lock()
		c.count++
		c.mu.Unlock()
		if out == nil {
			return nil
		}
		return out.write(f)
	})
	if out != nil {
		err = errors.Join(err, out.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// tap opens a raw socket on a device of the switch. On the bridge it sees every
// frame once, also those between two ports, because promiscuous mode makes the
// bridge hand all of them up.
func (l *Lab) tap(device string) (*packet.Conn, error) {
	var conn *packet.Conn
	err := inNamespace(l.namespaceName(switchRole), func() error {
		ifi, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		if err != nil {
			return err
		}
		return conn.SetPromiscuous(true)
	})
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, fmt.Errorf("listen on the lab's %s: %w", device, err)
	}
	return conn, nil
}

// eachFrame calls fn for every frame until interrupt (nil) or until fn
// fails. fn must not keep the data.
func eachFrame(conn *packet.Conn, fn func(Frame) error) error {
	buf := make([]byte, snapLength)
	for {
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if errors.Is(err, unix.ENETDOWN) {
			continue // the port went down, as taps do when QEMU ends
		}
		if err != nil {
			return fmt.Errorf("capture: %w", err)
		}
		if n < 14 {
			continue
		}
		if err := fn(Frame{At: time.Now(), Data: buf[:n]}); err != nil {
			return err
		}
	}
}

// interrupt ends eachFrame. A deadline rather than Close, because that is the one
// end which the packet library reports by a public error.
func interrupt(conn *packet.Conn) { _ = conn.SetReadDeadline(time.Unix(1, 0)) }

// interruptAfter interrupts conn when one of the contexts ends.
func interruptAfter(conn *packet.Conn, contexts ...context.Context) (stop func() bool) {
	var stops []func() bool
	for _, ctx := range contexts {
		stops = append(stops, context.AfterFunc(ctx, func() { interrupt(conn) }))
	}
	return func() bool {
		for _, stop := range stops {
			stop()
		}
		return true
	}
}

// port returns the switch's device for a machine or host.
func (l *Lab) port(ctx context.Context, name string) (string, error) {
	if h, err := l.Host(name); err == nil {
		return h.st.Port, nil
	}
	if !validName.MatchString(name) {
		return "", fmt.Errorf("lab %q has no machine or host %q", l.cfg.Name, name)
	}
	return portName("t-", name), l.ensurePort(ctx, name)
}

// pcapWriter writes the classic pcap format with nanoseconds
// (draft-ietf-opsawg-pcap).
type pcapWriter struct {
	file *os.File
	buf  *bufio.Writer
}

func createPcap(path string) (*pcapWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("capture file: %w", err)
	}
	w := &pcapWriter{file: f, buf: bufio.NewWriter(f)}
	header := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	header = binary.LittleEndian.AppendUint16(header, 2)
	header = binary.LittleEndian.AppendUint16(header, 4)
	header = append(header, make([]byte, 8)...)
	header = binary.LittleEndian.AppendUint32(header, snapLength)
	header = binary.LittleEndian.AppendUint32(header, 1) // LINKTYPE_ETHERNET
	if _, err := w.buf.Write(header); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

func (w *pcapWriter) write(f Frame) error {
	header := binary.LittleEndian.AppendUint32(nil, uint32(f.At.Unix()))
	header = binary.LittleEndian.AppendUint32(header, uint32(f.At.Nanosecond()))
	header = binary.LittleEndian.AppendUint32(header, uint32(len(f.Data)))
	header = binary.LittleEndian.AppendUint32(header, uint32(len(f.Data)))
	if _, err := w.buf.Write(header); err != nil {
		return fmt.Errorf("capture file: %w", err)
	}
	if _, err := w.buf.Write(f.Data); err != nil {
		return fmt.Errorf("capture file: %w", err)
	}
	return nil
}

// Close writes what is buffered and closes the file.
func (w *pcapWriter) Close() error { return errors.Join(w.buf.Flush(), w.file.Close()) }
