package variable

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
)

// Entry is a variable in a checkpoint. A secret has Sealed and no Value. The entry without a name holds, sealed, the
// secrets that texts must not show although no variable has them any more.
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
	e.judgeAll()
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
	if err := e.sealKnown(seal); err != nil {
		return nil, err
	}
	if e.secrets.sealed != nil {
		out = append(out, Entry{Secret: true, Sealed: e.secrets.sealed})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// sealKnown seals the known secrets once for each time that one was added: a program may print after a restart what a
// variable held before it (TS-93). The caller holds the lock.
func (e *Environment) sealKnown(seal func([]byte) ([]byte, error)) error {
	if len(e.secrets.values) == 0 || e.secrets.sealed != nil {
		return nil
	}
	plain, err := json.Marshal(slices.Sorted(maps.Keys(e.secrets.values)))
	if err != nil {
		return fmt.Errorf("seal the known secrets: %w", err)
	}
	if e.secrets.sealed, err = seal(plain); err != nil {
		return fmt.Errorf("seal the known secrets: %w", err)
	}
	return nil
}

func openKnown(sealed []byte, open func([]byte) ([]byte, error)) (secrets []string, err error) {
	plain, err := open(sealed)
	if err == nil {
		err = json.Unmarshal(plain, &secrets)
	}
	if err != nil {
		return nil, fmt.Errorf("open the known secrets of the checkpoint: %w", err)
	}
	return secrets, nil
}

// Restore makes the entries of a checkpoint the global variables. On error the environment is unchanged.
func (e *Environment) Restore(entries []Entry, open func([]byte) ([]byte, error)) error {
	global, size := make(map[string]entry, len(entries)), 0
	var secrets []string
	for _, x := range entries {
		if x.Name == "" && x.Secret {
			known, err := openKnown(x.Sealed, open)
			if err != nil {
				return err
			}
			secrets = append(secrets, known...)
			continue
		}
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
		e.secrets.add(s)
	}
	return nil
}
