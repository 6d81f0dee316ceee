package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/mdlayher/packet"
)

// Wake tells how a sleeping machine was woken.
type Wake struct {
	At     time.Time
	Source net.HardwareAddr
	// EtherType is the frame's protocol, 0x0800 or 0x0842 as a rule.
	EtherType uint16
	// UDPPort is the destination port when the packet came by UDP over IPv4,
	// else 0.
	UDPPort uint16
}

// Sleeper is a machine that is off while its network card listens.
type Sleeper struct {
	spec    MachineSpec
	conn    *packet.Conn
	stop    func() bool
	done    chan struct{}
	machine *Machine
	wake    Wake
	err     error
}

// Sleep plugs in a machine that is off. The first frame with a magic packet for
// its MAC (six bytes 0xff and sixteen times the MAC, anywhere in a frame that the
// card would accept: broadcast, multicast or to itself, any protocol) starts
// it, as a network card does. onWake, if not nil, is told before the machine is
// started. Sleep returns once no packet is missed any more. The sleep ends by
// Cancel, the end of ctx, or Down; it is over after one wake.
func (l *Lab) Sleep(ctx context.Context, spec MachineSpec, onWake func(Wake)) (*Sleeper, error) {
	spec, err := spec.complete(l.cfg.Name)
	if err != nil {
		return nil, err
	}
	if err := l.ensurePort(ctx, spec.Name); err != nil {
		return nil, err
	}
	mac, err := net.ParseMAC(spec.MAC)
	if err != nil {
		return nil, err
	}
	// The port of a machine that is off has no carrier and gets nothing, so the
	// ear is on the bridge; filtering by address makes it hear what the card
	// would.
	conn, err := l.tap(bridgeName)
	if err != nil {
		return nil, err
	}
	s := &Sleeper{spec: spec, conn: conn, done: make(chan struct{})}
	s.stop = interruptAfter(conn, ctx, l.done)
	go s.run(ctx, l, mac, onWake)
	l.log.Info("machine sleeps", "lab", l.cfg.Name, "machine", spec.Name, "mac", spec.MAC)
	return s, nil
}

func (s *Sleeper) run(ctx context.Context, l *Lab, mac net.HardwareAddr, onWake func(Wake)) {
	defer close(s.done)
	woken := errors.New("woken") // ends the loop
	err := eachFrame(s.conn, func(f Frame) error {
		if !wakes(f.Data, mac) {
			return nil
		}
		s.wake = describeWake(f)
		return woken
	})
	s.stop()
	_ = s.conn.Close()
	if !errors.Is(err, woken) {
		s.err = fmt.Errorf("machine %q was not woken: %w", s.spec.Name, firstError(err, context.Cause(ctx), context.Canceled))
		return
	}
	l.log.Info("magic packet", "lab", l.cfg.Name, "machine", s.spec.Name, "from", s.wake.Source, "ethertype", s.wake.EtherType, "port", s.wake.UDPPort)
	if onWake != nil {
		onWake(s.wake)
	}
	s.machine, s.err = l.Boot(ctx, s.spec)
}

// Spec returns the sleeping machine's spec with all defaults filled in.
func (s *Sleeper) Spec() MachineSpec { return s.spec }

// Wait returns the machine once it was woken and is on.
func (s *Sleeper) Wait(ctx context.Context) (*Machine, Wake, error) {
	select {
	case <-s.done:
		return s.machine, s.wake, s.err
	case <-ctx.Done():
		return nil, Wake{}, fmt.Errorf("machine %q still sleeps: %w", s.spec.Name, context.Cause(ctx))
	}
}

// Cancel ends the sleep; a machine that was woken already stays on.
func (s *Sleeper) Cancel() {
	interrupt(s.conn)
	<-s.done
}

// wakes says whether a network card with this address would wake: it takes the
// frame, and the sync stream followed by sixteen copies of its address is
// somewhere behind the Ethernet header (AMD magic packet technology, 1995).
func wakes(frame []byte, mac net.HardwareAddr) bool {
	const header = 14
	if len(frame) < header || len(mac) != 6 {
		return false
	}
	if group := frame[0]&1 != 0; !group && !bytes.Equal(frame[:6], mac) {
		return false
	}
	pattern := append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...)
	return bytes.Contains(frame[header:], pattern)
}

func describeWake(f Frame) Wake {
	w := Wake{At: f.At, Source: append(net.HardwareAddr(nil), f.Source()...), EtherType: f.EtherType()}
	const ipv4, udp = 0x0800, 17
	ip := f.Data[14:]
	if w.EtherType != ipv4 || len(ip) < 20 || ip[9] != udp {
		return w
	}
	if header := int(ip[0]&0x0f) * 4; len(ip) >= header+8 {
		w.UDPPort = binary.BigEndian.Uint16(ip[header+2:])
	}
	return w
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
