package variable

import (
	"fmt"
	"sort"
)

// Entry is a variable in a checkpoint. A secret has Sealed and no Value.
type Entry struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	Secret bool   `json:"secret,omitempty"`
	Sealed []byte `json:"sealed,omitempty"`
}

// Snapshot returns the global variables for a checkpoint, in a stable order; secrets go through seal, once per value.
// The step-local scope is not part of it (TS-83).
func (e *Environment) Snapshot(seal func([]byte) ([]byte, error)) ([]Entry, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Entry, 0, len(e.global))
	for k, n := range e.global {
		if !n.secret {
			out = append(out, Entry{Name: n.name, Value: n.value})
			continue
		}
		if n.sealed == nil {
			sealed, err := seal([]byte(n.value))
			if err != nil {
				return nil, fmt.Errorf("seal variable %s: %w", n.name, err)
			}
			n.sealed = sealed
			e.global[k] = n
		}
		out = append(out, Entry{Name: n.name, Secret: true, Sealed: n.sealed})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Restore makes the entries of a checkpoint the global variables. On error the environment is unchanged.
func (e *Environment) Restore(entries []Entry, open func([]byte) ([]byte, error)) error {
	global, size := make(map[string]entry, len(entries)), 0
	var secrets []string
	for _, x := range entries {
		if err := CheckName(x.Name); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		n := entry{name: x.Name, value: x.Value, secret: x.Secret}
		if x.Secret {
			plain, err := open(x.Sealed)
			if err != nil {
				return fmt.Errorf("open variable %s of the checkpoint: %w", x.Name, err)
			}
			n.value, n.sealed = string(plain), x.Sealed
			secrets = append(secrets, n.value)
		}
		global[key(x.Name)] = n
		size += len(n.name) + len(n.value)
	}
	if size > MaxTotal {
		return fmt.Errorf("checkpoint: %w", ErrTooLarge)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.global, e.local, e.bytes = global, nil, size
	for _, s := range secrets {
		e.learn(s)
	}
	return nil
}
