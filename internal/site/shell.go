package site

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// maxShellBuffer bounds what waits in one direction of a shell: the side
	// that is faster waits.
	maxShellBuffer = 256 << 10
	// maxShellCommand bounds the command line of a shell that runs only that.
	maxShellCommand = 4096
	// shellSilence ends a shell whose person or machine does not ask any more.
	shellSilence = 5 * time.Minute
)

// shell is one in a boot environment, between a person and a machine. It is
// guarded by the desk's lock.
type shell struct {
	id            string
	by            string
	open          wire.ShellOpen
	ordered       bool // the machine has been told
	in, out       pipe
	rows, columns int
	closed        bool
	code          int
	message       string
	person, agent time.Time // asked last
}

// pipe is one direction, with offsets so that a repeated piece does no harm.
type pipe struct {
	begin  int64 // offset of buf[0]
	buf    []byte
	closed bool
}

func (p *pipe) end() int64 { return p.begin + int64(len(p.buf)) }

// write takes what is new of a piece, as far as there is room.
func (p *pipe) write(offset int64, data []byte) {
	if offset > p.end() || offset+int64(len(data)) <= p.end() || p.closed {
		return
	}
	data = data[p.end()-offset:]
	p.buf = append(p.buf, data[:min(len(data), maxShellBuffer-len(p.buf))]...)
}

// read forgets what is before offset and returns what follows it.
func (p *pipe) read(offset int64) []byte {
	if offset > p.begin && offset <= p.end() {
		p.buf = append([]byte(nil), p.buf[offset-p.begin:]...)
		p.begin = offset
	}
	if offset != p.begin {
		return nil
	}
	return append([]byte(nil), p.buf[:min(len(p.buf), wire.MaxShellChunk)]...)
}

func (sh *shell) close(message string) {
	if !sh.closed {
		sh.closed, sh.message = true, message
		sh.in.closed, sh.out.closed = true, true
	}
}

// OpenShell asks the machine of a run in debug mode for a shell, in the boot
// environment only (DBG-3). One earlier shell of the run is closed.
func (s *Service) OpenShell(ctx context.Context, ref string, in wire.ShellOpen) (out wire.ShellOrder, err error) {
	if len(in.Command) > maxShellCommand {
		return out, invalid("DBG-3", "command", fmt.Sprintf("a command has at most %d characters", maxShellCommand), "")
	}
	in.Rows, in.Columns = bounded(in.Rows), bounded(in.Columns)
	run, err := s.debugged(ctx, ref)
	if err == nil && run.State != wire.RunRunning {
		err = ended(run)
	}
	if err != nil {
		return out, err
	}
	desk := &s.debug
	desk.mu.Lock()
	err = desk.known(run.ID).mayOpenShell()
	desk.mu.Unlock()
	if err != nil {
		return out, err
	}
	// It is on the record before the machine can hear of it: whoever hangs up at
	// once, or fills the disk, runs nothing that nobody knows of.
	what := "shell opened in the boot environment"
	if in.Command != "" {
		what = "command run in the boot environment: " + printable(in.Command, maxShellCommand)
	}
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		return s.audit(ctx, tx, wire.StatusMessage{Rule: "DBG-3", Severity: "warning", Device: run.Device, Deployment: run.Deployment, Run: run.ID, Text: what})
	})
	if err != nil {
		return out, err
	}
	desk.mu.Lock()
	defer desk.mu.Unlock()
	r := desk.known(run.ID)
	if err := r.mayOpenShell(); err != nil {
		return out, err
	}
	if r.shell != nil {
		r.shell.close("another shell was opened by " + actor(ctx))
	}
	now := s.Now()
	r.shell = &shell{id: uuid.NewString(), by: actor(ctx), open: in, rows: in.Rows, columns: in.Columns, person: now, agent: now}
	out = wire.ShellOrder{ID: r.shell.id, ShellOpen: in}
	s.attach(r, actor(ctx))
	r.bump()
	return out, nil
}

// mayOpenShell says why not (DBG-3). Call it locked.
func (r *debugRun) mayOpenShell() error {
	switch {
	case r.reported == nil:
		return refusal(409, "TS-173", "run", "the machine has not reported since the appliance was started", "try again in half a minute")
	case r.standing.Environment != wire.WinPE:
		return refusal(409, "DBG-3", "run", "the run is in the installed system, and a shell exists in the boot environment only", "sign in to the machine")
	case !r.standing.Paused:
		return refusal(409, "DBG-3", "run", "the sequence is running", "stop it first, with step or a break")
	}
	return nil
}

func bounded(n int) int { return min(max(n, 0), 1000) }

// shellOf finds a shell. Call it locked.
func (d *debugDesk) shellOf(run, id string) (*debugRun, *shell, error) {
	r := d.runs[run]
	if r == nil || r.shell == nil || r.shell.id != id {
		return nil, nil, missing("shell", "there is no such shell any more", "open another with `bootyard run shell`")
	}
	return r, r.shell, nil
}

// ShellWrite takes a piece of input from the person who opened the shell.
func (s *Service) ShellWrite(ctx context.Context, ref, id string, c wire.ShellChunk) (wire.ShellTaken, error) {
	run, err := s.debugged(ctx, ref)
	if err != nil {
		return wire.ShellTaken{}, err
	}
	return s.shellPut(ctx, run.ID, id, c, func(sh *shell) *pipe {
		sh.person = s.Now()
		if c.Rows > 0 && c.Columns > 0 {
			sh.rows, sh.columns = bounded(c.Rows), bounded(c.Columns)
		}
		return &sh.in
	})
}

// ShellRead waits up to hold for output after offset.
func (s *Service) ShellRead(ctx context.Context, ref, id string, offset int64, hold time.Duration) (wire.ShellChunk, error) {
	run, err := s.debugged(ctx, ref)
	if err != nil {
		return wire.ShellChunk{}, err
	}
	return s.shellGet(ctx, run.ID, id, offset, hold, func(sh *shell) *pipe {
		sh.person = s.Now()
		return &sh.out
	})
}

// ShellOutput takes a piece of output from the machine.
func (s *Service) ShellOutput(ctx context.Context, who Session, run, id string, c wire.ShellChunk) (wire.ShellTaken, error) {
	if err := s.debugContact(ctx, who, run, true); err != nil {
		return wire.ShellTaken{}, err
	}
	return s.shellPut(ctx, run, id, c, func(sh *shell) *pipe {
		sh.agent = s.Now()
		return &sh.out
	})
}

// ShellInput waits for input.
func (s *Service) ShellInput(ctx context.Context, who Session, run, id string, ask wire.ShellAsk) (wire.ShellChunk, error) {
	if err := s.debugContact(ctx, who, run, true); err != nil {
		return wire.ShellChunk{}, err
	}
	return s.shellGet(ctx, run, id, ask.Offset, durationOf(ask.Hold), func(sh *shell) *pipe {
		sh.agent = s.Now()
		return &sh.in
	})
}

func (s *Service) shellPut(ctx context.Context, run, id string, c wire.ShellChunk, which func(*shell) *pipe) (wire.ShellTaken, error) {
	if len(c.Data) > wire.MaxShellChunk || c.Offset < 0 {
		return wire.ShellTaken{}, invalid("", "data", fmt.Sprintf("a piece has at most %d bytes", wire.MaxShellChunk), "")
	}
	desk := &s.debug
	desk.mu.Lock()
	defer desk.mu.Unlock()
	r, sh, err := desk.shellOf(run, id)
	if err != nil {
		return wire.ShellTaken{}, err
	}
	p := which(sh)
	// The faster side waits for the slower one.
	if err := desk.hold(ctx, r, wire.MaxDebugHold, func() bool { return len(p.buf)+len(c.Data) <= maxShellBuffer || sh.closed }); err != nil {
		return wire.ShellTaken{}, err
	}
	p.write(c.Offset, c.Data)
	switch complete := p.end() >= c.Offset+int64(len(c.Data)); {
	case !c.Closed || sh.closed || !complete:
	case p == &sh.in:
		sh.close("closed by " + actor(ctx))
	default:
		sh.code = c.Code
		sh.close(printable(c.Message, 256))
	}
	sh.expire(s.Now())
	r.bump()
	return wire.ShellTaken{Offset: p.end(), Closed: sh.closed}, nil
}

func (s *Service) shellGet(ctx context.Context, run, id string, offset int64, hold time.Duration, which func(*shell) *pipe) (wire.ShellChunk, error) {
	desk := &s.debug
	desk.mu.Lock()
	defer desk.mu.Unlock()
	r, sh, err := desk.shellOf(run, id)
	if err != nil {
		return wire.ShellChunk{}, err
	}
	p := which(sh)
	rows, columns := sh.rows, sh.columns
	err = desk.hold(ctx, r, hold, func() bool {
		return p.end() > offset || sh.closed || sh.rows != rows || sh.columns != columns
	})
	if err != nil {
		return wire.ShellChunk{}, err
	}
	which(sh)
	sh.expire(s.Now())
	begin := p.begin
	out := wire.ShellChunk{Offset: offset, Data: p.read(offset), Rows: sh.rows, Columns: sh.columns, Code: sh.code, Message: sh.message}
	if p.begin != begin {
		r.bump() // there is room again
	}
	out.Closed = sh.closed && offset+int64(len(out.Data)) >= p.end()
	return out, nil
}

// expire ends a shell of which one side has been silent for too long.
func (sh *shell) expire(now time.Time) {
	if now.Sub(sh.person) > shellSilence || now.Sub(sh.agent) > shellSilence {
		sh.close("one side was silent for too long")
	}
}
