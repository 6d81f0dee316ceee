package lab

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// Press sends keys of the keyboard, one after the other, by QEMU's names:
// "ret", "esc", "down", "f12", "a", "spc"; "ctrl-alt-delete" is a chord.
func (m *Machine) Press(ctx context.Context, keys ...string) error {
	for _, chord := range keys {
		var codes []map[string]any
		for _, key := range strings.Split(chord, "-") {
			codes = append(codes, map[string]any{"type": "qcode", "data": key})
		}
		// Emulated firmware looks at the keyboard rarely: the default of 100 ms
		// is too short under TCG.
		args := map[string]any{"keys": codes, "hold-time": 200}
		if err := m.command(ctx, "send-key", args); err != nil {
			return err
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// Type writes text to the serial console, as a terminal on it would; "\r" is
// the return key. Menus of iPXE, GRUB and OVMF read the serial console too.
func (m *Machine) Type(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, qmpTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", m.files.serial)
	if err != nil {
		return fmt.Errorf("machine %q: console: %w", m.spec.Name, err)
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	for i := range len(text) {
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return fmt.Errorf("machine %q: console: %w", m.spec.Name, err)
		}
		// A UART holds 16 bytes and firmware empties it slowly.
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// Screenshot writes the screen as PPM. The machine needs VGA in its spec.
func (m *Machine) Screenshot(ctx context.Context, file string) error {
	return m.command(ctx, "screendump", map[string]any{"filename": file})
}
