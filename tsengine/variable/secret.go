package variable

import (
	"sort"
	"strings"
)

// Mask stands in for a secret wherever it would be shown.
const Mask = "********"

// minMasked is the shortest secret that is searched for in free text. Masking every "1" or "ab" of a log would show
// the secret instead of hiding it; so a shorter one is masked only where it stands alone: as a variable, as a whole text
// or line, and between quotes.
const minMasked = 4

// secretSet remembers every secret value of the run, also those changed or deleted since: they may still turn up in
// the output of a program.
type secretSet struct {
	values   map[string]struct{}
	replacer *strings.Replacer // of all values; nil when there are none
	list     []string
	sealed   []byte // all values, for checkpoints; nil when it has to be made anew
}

func newSecretSet() *secretSet { return &secretSet{values: map[string]struct{}{}} }

// add reports whether the secret was not known yet. The words of a switch are not searched for: masking each "true" of a
// log hides nothing and spoils it.
func (s *secretSet) add(value string) bool {
	if strings.EqualFold(value, "true") || strings.EqualFold(value, "false") {
		return false
	}
	before := len(s.values)
	s.values[value] = struct{}{}
	for _, line := range strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' }) {
		s.values[line] = struct{}{} // a program may print a part of a secret of several lines
	}
	if len(s.values) == before {
		return false
	}
	s.sealed = nil
	s.list = s.list[:0]
	short := []string{}
	for v := range s.values {
		if len(v) >= minMasked {
			s.list = append(s.list, v)
		} else {
			short = append(short, v)
		}
	}
	sort.Strings(short)
	sort.Slice(s.list, func(i, j int) bool { return len(s.list[i]) > len(s.list[j]) }) // longest first
	pairs := make([]string, 0, 2*len(s.list))
	for _, v := range s.list {
		pairs = append(pairs, v, Mask)
	}
	for _, v := range short {
		for _, quote := range [...]string{`"`, `'`} {
			pairs = append(pairs, quote+v+quote, quote+Mask+quote)
		}
	}
	s.replacer = nil
	if len(pairs) > 0 {
		s.replacer = strings.NewReplacer(pairs...)
	}
	return true
}

func (s *secretSet) within(text string) bool {
	if _, whole := s.values[text]; whole {
		return true
	}
	for _, v := range s.list {
		if strings.Contains(text, v) {
			return true
		}
	}
	return false
}

// Mask replaces every secret value in text. All text that leaves the engine (log, status, errors, output) goes through
// it (TS-93).
func (e *Environment) Mask(text string) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.secrets.replacer == nil {
		return text
	}
	if _, whole := e.secrets.values[text]; whole {
		return Mask
	}
	return e.secrets.replacer.Replace(text)
}

// AddSecret makes Mask hide a value that is in no variable, such as an expanded password.
func (e *Environment) AddSecret(value string) {
	if value == "" {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.learn(value)
}

// learn adds a secret. A variable that was set earlier and carries it is kept like one from now on: it would else be
// shown, and stand in checkpoints in clear, depending on the order in which the two were set. The caller holds the lock.
func (e *Environment) learn(value string) {
	if !e.secrets.add(value) {
		return
	}
	for k, n := range e.global {
		if !n.secret && e.secrets.within(n.value) {
			n.secret = true
			e.global[k] = n
		}
	}
}
