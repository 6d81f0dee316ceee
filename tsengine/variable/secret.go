package variable

import "strings"

// Mask stands in for a secret wherever it would be shown.
const Mask = "********"

// minMasked is the shortest secret that is searched for in free text. Masking every "1" or "ab" of a log would show
// the secret instead of hiding it; so a shorter one is masked only where it stands alone: as a variable, as a whole text
// or line, and between quotes.
const minMasked = 4

// secretSet remembers every secret value of the run, also those changed or deleted since: they may still turn up in
// the output of a program.
type secretSet struct {
	values map[string]struct{}
	words  matcher // that are searched for
	quoted matcher // the shorter ones, with their quotes
	sealed []byte  // all values, for checkpoints; nil when it has to be made anew
}

func newSecretSet() *secretSet { return &secretSet{values: map[string]struct{}{}} }

func (s *secretSet) add(value string) {
	s.one(value)
	for _, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		s.one(line) // a program may print a part of a secret of several lines
	}
}

// one adds a value or a line of it. The words of a switch are not searched for: masking each "true" of a log hides nothing
// and spoils it.
func (s *secretSet) one(value string) {
	if _, known := s.values[value]; known || value == "" || strings.EqualFold(value, "true") || strings.EqualFold(value, "false") {
		return
	}
	s.values[value], s.sealed = struct{}{}, nil
	if len(value) >= minMasked {
		s.words.add(value)
		return
	}
	for _, quote := range [...]string{`"`, `'`} {
		s.quoted.add(quote + value + quote)
	}
}

// generation rises with every secret.
func (s *secretSet) generation() int { return len(s.values) }

// within says whether a text is a secret or carries one.
func (s *secretSet) within(text string) bool {
	_, whole := s.values[text]
	return whole || s.words.in(text)
}

// mask replaces secrets, at each place the longest.
func (s *secretSet) mask(text string) string {
	if _, whole := s.values[text]; whole {
		return Mask
	}
	if !s.words.some && !s.quoted.some {
		return text
	}
	var out strings.Builder
	kept := 0 // from here on text is not written yet
	for i := 0; i < len(text); {
		c := text[i]
		if s.words.next[c] == nil && s.quoted.next[c] == nil {
			i++
			continue
		}
		if n := s.words.longest(text[i:]); n > 0 {
			out.WriteString(text[kept:i])
			out.WriteString(Mask)
			i += n
			kept = i
		} else if n := s.quoted.longest(text[i:]); n > 0 {
			out.WriteString(text[kept : i+1])
			out.WriteString(Mask)
			i += n
			kept = i - 1 // the quote at the end
		} else {
			i++
		}
	}
	if kept == 0 {
		return text
	}
	out.WriteString(text[kept:])
	return out.String()
}

// Mask replaces every secret value in text. All text that leaves the engine (log, status, errors, output) goes through
// it (TS-93).
func (e *Environment) Mask(text string) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.secrets.mask(text)
}

// AddSecret makes Mask hide a value that is in no variable, such as an expanded password. A variable that was set earlier
// and carries it is kept like one from now on: it would else be shown, and stand in checkpoints in clear, depending on the
// order in which the two were set.
func (e *Environment) AddSecret(value string) {
	if value == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secrets.add(value)
}

// secret says whether a variable is one now. One that was set before the latest secret was learnt is looked at again here,
// when somebody asks, since looking at all of them for every secret would take the square of their number.
func (e *Environment) secret(n entry) bool {
	return n.secret || n.judged < e.secrets.generation() && e.secrets.within(n.value)
}

// judgeAll brings all variables up to date. The caller holds the lock for writing.
func (e *Environment) judgeAll() {
	now := e.secrets.generation()
	for k, n := range e.global {
		if n.judged < now {
			n.secret, n.judged = e.secret(n), now
			e.global[k] = n
		}
	}
}
