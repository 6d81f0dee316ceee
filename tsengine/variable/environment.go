package variable

import (
	"fmt"
	"sort"
	"strings"
	"sync"
)

// Environment is the set of variables of one run. It is safe for concurrent use; readers of progress and status may
// look while the engine runs. The zero value is not usable, see New.
type Environment struct {
	mu      sync.RWMutex
	global  map[string]entry
	local   map[string]entry
	bytes   int
	secrets *secretSet
	before  map[string]entry // what Changes will compare; nil when nobody looks
}

type entry struct {
	name, value string
	secret      bool
	judged      int    // generation of the secrets when that was found out
	sealed      []byte // of this value, so that a checkpoint seals each secret once
}

// New returns an empty environment.
func New() *Environment {
	return &Environment{global: map[string]entry{}, secrets: newSecretSet()}
}

// Assignment gives a variable a value. Secret values are masked everywhere.
type Assignment struct {
	Name, Value string
	Secret      bool
}

// Load sets variables of one source of TS-82: media, prestart, collection or device variables, or what was typed.
// Callers load the sources in rising precedence. Names must be a user's (TS-80, TS-88); offenders are left out and
// returned. An empty value asks the wizard for one (TS-17) and sets nothing.
func (e *Environment) Load(source string, list []Assignment) []error {
	var errs []error
	for _, a := range list {
		if a.Value == "" {
			continue
		}
		if err := e.Assign(a); err != nil {
			errs = append(errs, fmt.Errorf("%s variable: %w", source, err))
		}
	}
	return errs
}

// Assign sets a global variable on behalf of a user, rule or script: the name rules of TS-80 and TS-88 hold. The empty
// value deletes (TS-86).
func (e *Environment) Assign(a Assignment) error {
	if err := CheckUserName(a.Name); err != nil {
		return err
	}
	return e.put(a, true)
}

// Set sets a global variable on behalf of the engine or a step's documented output; names that begin with _ are
// allowed. The empty value deletes (TS-86).
func (e *Environment) Set(name, value string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return e.put(Assignment{Name: name, Value: value}, false)
}

// SetSecret is Set for a value that must never be shown.
func (e *Environment) SetSecret(name, value string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return e.put(Assignment{Name: name, Value: value, Secret: true}, false)
}

// put sets or deletes. A user's secret stays one until it is deleted and defined again (TS-93); for the engine's own
// variables, such as the name of the running step, each value counts for itself.
func (e *Environment) put(a Assignment, sticky bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := key(a.Name)
	old, had := e.global[k]
	old.secret = had && e.secret(old)
	if _, seen := e.before[k]; !seen && e.before != nil {
		e.before[k] = old
	}
	if a.Value == "" {
		if had {
			e.bytes -= len(old.name) + len(old.value)
			delete(e.global, k)
		}
		return nil
	}
	if had && old.value == a.Value && old.secret == (a.Secret || IsSecretName(a.Name)) {
		return nil
	}
	next := entry{name: strings.Trim(a.Name, " "), value: a.Value}
	if had {
		next.name = old.name // the first setter's spelling is shown (TS-80)
	}
	size := e.bytes + len(next.name) + len(next.value)
	if had {
		size -= len(old.name) + len(old.value)
	}
	if size > MaxTotal {
		return fmt.Errorf("%s: %w", next.name, ErrTooLarge)
	}
	if next.secret = a.Secret || IsSecretName(next.name) || sticky && had && old.secret; next.secret {
		e.secrets.add(a.Value)
	}
	// A value that carries a secret is kept like one. What is masked in texts is the secret in it, not the whole, which
	// may hold ordinary words.
	next.secret, next.judged = next.secret || e.secrets.within(a.Value), e.secrets.generation()
	e.global[k], e.bytes = next, size
	return nil
}

// EnterStep puts a step's default variables into the step-local scope (TS-25, TS-83); LeaveStep takes them out. Empty
// values are not put in. A global of the same name beats them (TS-84).
func (e *Environment) EnterStep(defaults []Assignment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.local = make(map[string]entry, len(defaults))
	for _, d := range defaults {
		if d.Value == "" || CheckName(d.Name) != nil {
			continue
		}
		n := entry{name: strings.Trim(d.Name, " "), value: d.Value}
		if n.secret = d.Secret || IsSecretName(d.Name); n.secret {
			e.secrets.add(d.Value)
		}
		e.local[key(d.Name)] = n
	}
}

// LeaveStep removes the step-local scope (TS-34).
func (e *Environment) LeaveStep() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.local = nil
}

// Lookup returns the value a name has now: the global one, else the running step's default (TS-84).
func (e *Environment) Lookup(name string) (string, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n, ok := e.find(name)
	return n.value, ok
}

// LookupGlobal is Lookup without the running step's defaults.
func (e *Environment) LookupGlobal(name string) (string, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n, ok := e.global[key(name)]
	return n.value, ok
}

func (e *Environment) find(name string) (entry, bool) {
	k := key(name)
	if n, ok := e.global[k]; ok {
		return n, true
	}
	n, ok := e.local[k]
	return n, ok
}

// Value is Lookup with the empty string for an unset variable (TS-66).
func (e *Environment) Value(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Secret says whether a name is that of a secret, set or not.
func (e *Environment) Secret(name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n, ok := e.find(name)
	return ok && e.secret(n) || IsSecretName(name)
}

// True says whether the variable's value is "true" in any case.
func (e *Environment) True(name string) bool { return strings.EqualFold(e.Value(name), "true") }

// List returns all global variables by name, secrets masked: for the log, the debugger and the API.
func (e *Environment) List() []Assignment {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.judgeAll()
	out := make([]Assignment, 0, len(e.global))
	for _, n := range e.global {
		v := n.value
		if n.secret {
			v = Mask
		}
		out = append(out, Assignment{n.name, v, n.secret})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
