package bootimage

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strings"
)

//go:embed modules.list
var defaultModules string

//go:embed tools.list
var defaultTools string

// maxListBytes bounds a module or tool list; the shipped ones are a few KB.
const maxListBytes = 1 << 20

// Pattern is one line of a module list.
type Pattern struct {
	Glob    string // module path below kernel/ without suffix; a trailing / means everything below
	Exclude bool   // leaves matching modules out again
}

// Match says whether the pattern covers module, a path below kernel/ without
// suffix.
func (p Pattern) Match(module string) bool {
	if strings.HasSuffix(p.Glob, "/") {
		return strings.HasPrefix(module, p.Glob)
	}
	ok, err := path.Match(p.Glob, module)
	return err == nil && ok
}

// ParseModuleList reads a list of kernel modules in the format described at the
// top of modules.list.
func ParseModuleList(text string) ([]Pattern, error) {
	var out []Pattern
	err := eachLine(text, func(fields []string) error {
		if len(fields) != 1 {
			return errors.New("more than one pattern on the line")
		}
		glob, exclude := strings.CutPrefix(fields[0], "!")
		if err := checkPath(glob); err != nil {
			return err
		}
		out = append(out, Pattern{Glob: glob, Exclude: exclude})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("module list: %w", err)
	}
	return out, nil
}

// Tool is one line of a tool list: files of one Debian package.
type Tool struct {
	Package string
	Paths   []string // absolute, wildcards as of path.Match
}

// ParseToolList reads a list of programs in the format described at the top of
// tools.list.
func ParseToolList(text string) ([]Tool, error) {
	var out []Tool
	err := eachLine(text, func(fields []string) error {
		if len(fields) < 2 {
			return errors.New("want a package and at least one path")
		}
		if !packageName(fields[0]) {
			return fmt.Errorf("%q is not the name of a package", fields[0])
		}
		for _, p := range fields[1:] {
			rel, ok := strings.CutPrefix(p, "/")
			if !ok {
				return fmt.Errorf("path %q is not absolute", p)
			}
			if err := checkPath(rel); err != nil {
				return err
			}
		}
		out = append(out, Tool{Package: fields[0], Paths: fields[1:]})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tool list: %w", err)
	}
	return out, nil
}

// eachLine calls f with the words of every line that says something.
func eachLine(text string, f func(fields []string) error) error {
	if len(text) > maxListBytes {
		return fmt.Errorf("longer than %d bytes", maxListBytes)
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if err := f(fields); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// checkPath refuses patterns that leave the tree or can match nothing.
func checkPath(p string) error {
	clean := strings.TrimSuffix(p, "/")
	if clean == "" || strings.HasPrefix(clean, "/") || path.Clean(clean) != clean || clean == ".." || strings.HasPrefix(clean, "../") {
		return fmt.Errorf("path %q: want a clean relative path", p)
	}
	if _, err := path.Match(clean, ""); err != nil {
		return fmt.Errorf("path %q: %w", p, err)
	}
	return nil
}

// packageName says whether s can be the name of a Debian package (policy 5.6.1).
// What passes is safe as an argument of apt-get and as part of a file name.
func packageName(s string) bool {
	if len(s) < 2 || len(s) > 128 {
		return false
	}
	for i, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		case i > 0 && strings.ContainsRune("+-.", r):
		default:
			return false
		}
	}
	return true
}
