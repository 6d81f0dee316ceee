package internal_test

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/bootyard/bootyard/"

// TestImportsPointOneWay holds the house rule: cmd -> internal -> top folders;
// a top folder imports no other top folder and of internal only internal/wire;
// internal/site and internal/agent do not know each other.
func TestImportsPointOneWay(t *testing.T) {
	top := []string{"pxe", "media", "wake", "content", "tsengine", "images"}
	forbidden := func(from, to string) bool {
		room, target := first(from), first(to)
		for _, folder := range top {
			if room != folder {
				continue
			}
			return target != room && to != "internal/wire"
		}
		switch {
		case target == "cmd":
			return true
		case under(from, "internal/site") && under(to, "internal/agent"),
			under(from, "internal/agent") && under(to, "internal/site"):
			return true
		case from == "internal/wire":
			return true
		}
		return false
	}
	goFiles(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			to, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if ok && forbidden(filepath.ToSlash(filepath.Dir(path)), to) {
				t.Errorf("%s imports %s against the house's direction", path, to)
			}
		}
	})
}

// TestFilesStayReadable holds files under 400 lines and every package to a
// doc.go.
func TestFilesStayReadable(t *testing.T) {
	documented := map[string]bool{}
	goFiles(t, func(path string) {
		dir := filepath.Dir(path)
		if !strings.HasSuffix(path, "_test.go") {
			documented[dir] = documented[dir] || filepath.Base(path) == "doc.go" || strings.HasPrefix(dir, "cmd")
		}
		if n := lines(t, filepath.Join("..", path)); n > 400 {
			t.Errorf("%s has %d lines", path, n)
		}
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s has no doc.go", dir)
		}
	}
}

func goFiles(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel("..", path)
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "build" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(rel, ".go") {
			visit(rel)
		}
		return nil
	})
	require.NoError(t, err)
}

func lines(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
	}
	return n
}

func first(path string) string { room, _, _ := strings.Cut(path, "/"); return room }

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
