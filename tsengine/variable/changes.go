package variable

import "sort"

// Change is a global variable that got another value, or was deleted.
type Change struct {
	Name    string
	Value   string // as it may be shown
	Deleted bool
}

// Changes does something and lists by name the global variables that are different then, as they may be shown. It takes the
// time of what is set in do, not of what there is. It is for one caller at a time, and do must not call it.
func (e *Environment) Changes(do func()) []Change {
	e.mu.Lock()
	e.before = map[string]entry{}
	e.mu.Unlock()
	do()
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.before
	e.before = nil
	var out []Change
	for k, old := range before {
		now, set := e.global[k]
		switch {
		case set && e.shown(now) != e.shown(old):
			out = append(out, Change{Name: now.name, Value: e.shown(now)})
		case !set && old.value != "":
			out = append(out, Change{Name: old.name, Deleted: true})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// shown is the value of a variable as it may be shown; the empty string is an unset one.
func (e *Environment) shown(n entry) string {
	if n.value != "" && e.secret(n) {
		return Mask
	}
	return n.value
}
