package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

// qmpTimeout bounds one command. QEMU answers in milliseconds, also while the
// guest is busy; under emulation on a loaded computer it may take seconds.
const qmpTimeout = 20 * time.Second

// qmp runs one command on a machine's monitor socket. It connects anew each
// time, because QEMU serves one client at a time and several processes may look
// at one machine.
func qmp(ctx context.Context, socket, command string, args map[string]any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, qmpTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	in := bufio.NewReader(io.LimitReader(conn, 4<<20))
	if _, err := qmpRead(in); err != nil { // the greeting
		return nil, err
	}
	if _, err := qmpCall(conn, in, "qmp_capabilities", nil); err != nil {
		return nil, err
	}
	return qmpCall(conn, in, command, args)
}

type qmpMessage struct {
	Return json.RawMessage
	Error  *struct{ Class, Desc string }
	Event  string
}

func qmpCall(out io.Writer, in *bufio.Reader, command string, args map[string]any) (json.RawMessage, error) {
	request := map[string]any{"execute": command}
	if args != nil {
		request["arguments"] = args
	}
	raw, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(append(raw, '\n')); err != nil {
		return nil, fmt.Errorf("monitor %s: %w", command, err)
	}
	for {
		msg, err := qmpRead(in)
		if err != nil {
			return nil, fmt.Errorf("monitor %s: %w", command, err)
		}
		switch {
		case msg.Error != nil:
			return nil, fmt.Errorf("monitor %s: %s: %s", command, msg.Error.Class, msg.Error.Desc)
		case msg.Return != nil:
			return msg.Return, nil
		}
		// An event, or the greeting: not the answer.
	}
}

func qmpRead(in *bufio.Reader) (qmpMessage, error) {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return qmpMessage{}, err
	}
	var msg qmpMessage
	if err := json.Unmarshal(line, &msg); err != nil {
		return qmpMessage{}, fmt.Errorf("monitor sent %.80q: %w", line, err)
	}
	return msg, nil
}
