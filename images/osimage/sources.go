package osimage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxSourceBytes bounds an apt source file; real ones are under a KB.
const maxSourceBytes = 1 << 20

// source is one line of an apt sources.list.
type source struct {
	uri, suite string
	components []string
}

func (s source) String() string {
	return fmt.Sprintf("deb %s %s %s", s.uri, s.suite, strings.Join(s.components, " "))
}

// hostSources returns the host's apt sources of a Debian release: those whose
// suite is the release or one of its updates. Other vendors' archives, and
// parts beside main, stay out of the image.
func hostSources(etc, release string) ([]source, error) {
	var out []source
	files := []string{filepath.Join(etc, "sources.list")}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, err := filepath.Glob(filepath.Join(etc, "sources.list.d", pattern))
		if err != nil {
			return nil, fmt.Errorf("apt sources: %w", err)
		}
		files = append(files, more...)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() > maxSourceBytes {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("apt sources: %w", err)
		}
		found := parseList(string(data))
		if strings.HasSuffix(name, ".sources") {
			found = parseDeb822(string(data))
		}
		for _, s := range found {
			s.components = slices.DeleteFunc(s.components, func(c string) bool { return c != "main" })
			twice := slices.ContainsFunc(out, func(o source) bool { return o.String() == s.String() })
			if wanted(s, release) && !twice {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// wanted says whether a source is one of the release's own.
func wanted(s source, release string) bool {
	scheme, _, ok := strings.Cut(s.uri, "://")
	if !ok || (scheme != "http" && scheme != "https") || strings.ContainsAny(s.uri, " \t\n'\"") {
		return false
	}
	switch s.suite {
	case release, release + "-updates", release + "-security", release + "/updates":
		return slices.Contains(s.components, "main")
	}
	return false
}

// parseList reads the one-line format of sources.list(5).
func parseList(text string) []source {
	var out []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if i, j := strings.Index(line, "["), strings.Index(line, "]"); i >= 0 && j > i {
			line = line[:i] + line[j+1:]
		}
		if f := strings.Fields(line); len(f) >= 4 && f[0] == "deb" {
			out = append(out, source{uri: f[1], suite: f[2], components: f[3:]})
		}
	}
	return out
}

// parseDeb822 reads the stanza format of sources.list(5).
func parseDeb822(text string) []source {
	var out []source
	for stanza := range strings.SplitSeq(text, "\n\n") {
		fields := map[string][]string{}
		for line := range strings.Lines(stanza) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if key, value, ok := strings.Cut(line, ":"); ok {
				fields[strings.ToLower(strings.TrimSpace(key))] = strings.Fields(value)
			}
		}
		if on := fields["enabled"]; len(on) == 1 && on[0] == "no" {
			continue
		}
		if !slices.Contains(fields["types"], "deb") {
			continue
		}
		for _, uri := range fields["uris"] {
			for _, suite := range fields["suites"] {
				out = append(out, source{uri: uri, suite: suite, components: fields["components"]})
			}
		}
	}
	return out
}
