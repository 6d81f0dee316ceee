package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Plan is what to run: nothing is compiled that has no part in it.
type Plan struct {
	Packages []string // folders as go test takes them, such as ./internal/e2e
	Tests    []string // top-level functions
}

// Discover finds the tests below root that carry rows or rules in their names:
// every TestRows, and functions with subtests of which a name starts with the
// id of a rule.
func Discover(root string) (Plan, error) {
	packages, tests := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("look for tests: %w", err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && wanted(f) {
				rel, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				packages["./"+filepath.ToSlash(rel)], tests[f.Name.Name] = true, true
			}
		}
		return nil
	})
	p := Plan{Packages: sorted(packages), Tests: sorted(tests)}
	if err == nil && len(p.Tests) == 0 {
		err = fmt.Errorf("no tests of rows below %s", root)
	}
	return p, err
}

// Pattern is the argument of go test -run.
func (p Plan) Pattern() string { return "^(" + strings.Join(p.Tests, "|") + ")$" }

func wanted(f *ast.FuncDecl) bool {
	if f.Name.Name == "TestRows" {
		return true
	}
	if f.Body == nil {
		return false
	}
	runs, names := false, false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			runs = runs || n.Sel.Name == "Run"
		case *ast.BasicLit:
			text := strings.Trim(n.Value, "\"`")
			if ids := rulesIn(text); n.Kind == token.STRING && len(ids) > 0 {
				names = names || strings.HasPrefix(text, ids[0])
			}
		}
		return true
	})
	return runs && names
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
