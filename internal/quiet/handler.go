package quiet

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// Window is how long the same line is not written again.
	Window = time.Minute
	// maxLines bounds the different lines of one message in a Window, and so the
	// memory as well.
	maxLines = 200
	// maxKey bounds what is remembered of a line.
	maxKey = 512
)

// Rule names a message that others can cause at will.
type Rule struct {
	Message string
	// Same are the attributes that make two lines the same. What strangers choose
	// freely is best left out. None: no two lines are the same, but there may be
	// only Most of them.
	Same []string
	// Most is how many different lines there may be in a Window; 0 means 200.
	Most int
}

// Handler is a slog.Handler that holds back repeated lines of its rules. Copies
// made by WithAttrs and WithGroup share what they remember. It is safe for
// concurrent use.
type Handler struct {
	next  slog.Handler
	state *state
}

type state struct {
	rules map[string]Rule
	now   func() time.Time

	mu   sync.Mutex
	seen map[string]*window // by message
}

// window is what was written of one message since it began.
type window struct {
	begin time.Time
	lines map[string]*line
	wrote int
	more  int // different ones that were too many
	of    string
	next  slog.Handler
}

type line struct {
	record slog.Record
	next   slog.Handler
	more   int
}

// NewHandler writes to next. now may be nil.
func NewHandler(next slog.Handler, now func() time.Time, rules ...Rule) *Handler {
	if now == nil {
		now = time.Now
	}
	s := &state{rules: map[string]Rule{}, now: now, seen: map[string]*window{}}
	for _, r := range rules {
		if r.Most == 0 {
			r.Most = maxLines
		}
		s.rules[r.Message] = r
	}
	return &Handler{next: next, state: s}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(attrs), state: h.state}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(name), state: h.state}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	rule, ok := h.state.rules[r.Message]
	if !ok {
		return h.next.Handle(ctx, r)
	}
	write, over := h.state.take(rule, r, h.next)
	if over != nil {
		over.tell(ctx, h.state.now())
	}
	if !write {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// take reports whether r is to be written, and gives the window that it ended.
func (s *state) take(rule Rule, r slog.Record, next slog.Handler) (write bool, over *window) {
	now := s.now()
	key := keyOf(rule, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.seen[rule.Message]
	if w == nil || now.Sub(w.begin) >= Window || now.Before(w.begin) {
		over = w
		w = &window{begin: now, lines: map[string]*line{}, of: rule.Message, next: next}
		s.seen[rule.Message] = w
	}
	if l := w.lines[key]; l != nil && len(rule.Same) > 0 {
		l.more++
		return false, over
	}
	if w.wrote >= rule.Most {
		w.more++
		return false, over
	}
	w.wrote++
	if len(rule.Same) > 0 {
		w.lines[key] = &line{record: r.Clone(), next: next}
	}
	return true, over
}

func keyOf(rule Rule, r slog.Record) string {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		if slices.Contains(rule.Same, a.Key) {
			v := a.Value.String()
			if at, err := netip.ParseAddrPort(v); err == nil {
				v = at.Addr().String() // each connection has another port
			}
			b.WriteString(a.Key + "=" + v + "\x00")
		}
		return b.Len() < maxKey
	})
	return b.String()[:min(b.Len(), maxKey)]
}

// tell writes how often the lines of a window came again.
func (w *window) tell(ctx context.Context, now time.Time) {
	for _, l := range w.lines {
		if l.more == 0 {
			continue
		}
		r := l.record
		r.Time = now
		r.AddAttrs(slog.Int("more_times", l.more))
		_ = l.next.Handle(ctx, r)
	}
	if w.more > 0 {
		r := slog.NewRecord(now, slog.LevelWarn, "more lines than are worth reading", 0)
		r.AddAttrs(slog.String("of", w.of), slog.Int("left_out", w.more))
		_ = w.next.Handle(ctx, r)
	}
}

// Run writes the counts of windows that are over, until ctx ends, and then those
// of the others.
func (h *Handler) Run(ctx context.Context) error {
	tick := time.NewTicker(Window)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.flush(context.WithoutCancel(ctx), Window)
		case <-ctx.Done():
			h.flush(context.WithoutCancel(ctx), 0)
			return ctx.Err()
		}
	}
}

// flush ends the windows that are older than age.
func (h *Handler) flush(ctx context.Context, age time.Duration) {
	now := h.state.now()
	h.state.mu.Lock()
	var over []*window
	for message, w := range h.state.seen {
		if now.Sub(w.begin) >= age {
			over = append(over, w)
			delete(h.state.seen, message)
		}
	}
	h.state.mu.Unlock()
	for _, w := range over {
		w.tell(ctx, now)
	}
}
