package bootimage

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxModules bounds what is read from a modules.dep; Debian's generic kernel
// has about 3,800 modules.
const maxModules = 100_000

// Deps holds the modules of a kernel and what each needs directly or
// indirectly, as depmod writes it. Names are paths below the folder of the
// kernel version, such as kernel/drivers/net/virtio_net.ko.
type Deps map[string][]string

// ParseDeps reads a modules.dep.
func ParseDeps(r io.Reader) (Deps, error) {
	deps := Deps{}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for n := 1; s.Scan(); n++ {
		line := strings.TrimSpace(s.Text())
		if line == "" {
			continue
		}
		name, rest, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("modules.dep line %d: no colon", n)
		}
		if len(deps) == maxModules {
			return nil, fmt.Errorf("modules.dep: more than %d modules", maxModules)
		}
		deps[name] = strings.Fields(rest)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read modules.dep: %w", err)
	}
	return deps, nil
}

// Choose returns the modules that the patterns cover together with everything
// these depend on, sorted. unmatched are patterns that cover neither a module
// nor one of builtin.
func (d Deps) Choose(patterns []Pattern, builtin []string) (chosen, unmatched []string, err error) {
	want := map[string]bool{}
	for _, p := range patterns {
		hit := slices.ContainsFunc(builtin, func(b string) bool { return p.Match(moduleKey(b)) })
		for name := range d {
			if p.Match(moduleKey(name)) {
				hit = true
				want[name] = !p.Exclude
			}
		}
		if !hit {
			unmatched = append(unmatched, p.Glob)
		}
	}
	closed := map[string]bool{}
	var add func(string) error
	add = func(name string) error {
		if closed[name] {
			return nil
		}
		closed[name] = true
		needs, ok := d[name]
		if !ok {
			return fmt.Errorf("module %s is needed and not there", name)
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		return nil
	}
	for name, in := range want {
		if !in {
			continue
		}
		if err := add(name); err != nil {
			return nil, nil, err
		}
	}
	for name := range closed {
		chosen = append(chosen, name)
	}
	slices.Sort(chosen)
	return chosen, unmatched, nil
}

// moduleKey is the name patterns are written for: below kernel/, without the
// suffix, which newer Debian kernels lengthen by a compression.
func moduleKey(name string) string {
	name = strings.TrimPrefix(name, "kernel/")
	for _, suffix := range []string{".xz", ".zst", ".gz"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return strings.TrimSuffix(name, ".ko")
}
