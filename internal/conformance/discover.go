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
// every TestRows, functions that carry the id of a rule in their name, and
// functions with subtests of which a name starts with one.
func Discover(root string) (Plan, error) {
	packages, tests := map[string]bool{}, map[string]bool{}
	err := functions(root, func(path string, file *ast.File, f *ast.FuncDecl) error {
		if f.Name.Name != "TestRows" && len(named(file, f)) == 0 {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		packages["./"+filepath.ToSlash(rel)], tests[f.Name.Name] = true, true
		return nil
	})
	p := Plan{Packages: sorted(packages), Tests: sorted(tests)}
	if err == nil && len(p.Tests) == 0 {
		err = fmt.Errorf("no tests of rows below %s", root)
	}
	return p, err
}

// Named lists the rules that the tests below root carry in their names, without
// running them. Tests for another system than this page is written on do not
// count.
func Named(root string) (map[string]bool, error) {
	ids := map[string]bool{}
	err := functions(root, func(path string, file *ast.File, f *ast.FuncDecl) error {
		if !strings.HasSuffix(path, "_windows_test.go") {
			for _, id := range named(file, f) {
				ids[id] = true
			}
		}
		return nil
	})
	return ids, err
}

// functions calls each for all test functions below root.
func functions(root string, each func(path string, file *ast.File, f *ast.FuncDecl) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				if err := each(path, file, f); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Pattern is the argument of go test -run.
func (p Plan) Pattern() string { return "^(" + strings.Join(p.Tests, "|") + ")$" }

// named are the rules in the name of a test function and, when it has subtests,
// in the texts that their names can be made of: those in it, and in the tables
// of its file that it uses. What a check says when it fails is no name.
func named(file *ast.File, f *ast.FuncDecl) []string {
	ids := rulesIn(f.Name.Name)
	if f.Body == nil {
		return ids
	}
	runs, inner, tables := false, []string{}, map[string]ast.Expr{}
	for _, decl := range file.Decls {
		if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				if v := s.(*ast.ValueSpec); len(v.Names) == 1 && len(v.Values) == 1 {
					tables[v.Names[0].Name] = v.Values[0]
				}
			}
		}
	}
	var look func(n ast.Node) bool
	look = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if table := tables[n.Name]; table != nil {
				delete(tables, n.Name)
				ast.Inspect(table, look)
			}
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && (x.Name == "require" || x.Name == "assert") {
					return false
				}
			}
		case *ast.SelectorExpr:
			runs = runs || n.Sel.Name == "Run"
		case *ast.BasicLit:
			text := strings.Trim(n.Value, "\"`")
			if found := rulesIn(text); n.Kind == token.STRING && len(found) > 0 && strings.HasPrefix(text, found[0]) {
				inner = append(inner, found...)
			}
		}
		return true
	}
	ast.Inspect(f.Body, look)
	if runs {
		ids = append(ids, inner...)
	}
	return ids
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
