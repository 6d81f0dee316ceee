package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/conformance"
)

const (
	module = "github.com/bootyard/bootyard"
	page   = "docs/conformance.md"
	// limit is go test's own for one package; machines under emulation are slow.
	limit = "90m"
	// accounted is how the rules begin of which the page names each.
	accounted = "TS-"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, ".", os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// run writes the page from what the tests say now, or from the files of go test -json (or go tool test2json) of earlier
// runs, one of each package.
func run(ctx context.Context, root string, earlier []string, log io.Writer) error {
	rows, rules, gaps, err := spec(root)
	if err != nil {
		return err
	}
	plan, err := conformance.Discover(root)
	if err != nil {
		return err
	}
	var results conformance.Results
	if len(earlier) > 0 {
		results, err = read(earlier, log)
	} else {
		results, err = test(ctx, root, plan, log)
	}
	if err != nil {
		return err
	}
	verdicts := conformance.WithGaps(conformance.Judge(rows, results), gaps)
	var b bytes.Buffer
	if err := conformance.WritePage(&b, verdicts, conformance.Cited(rules, results), conformance.JudgeRules(accounted, rules, gaps, results)); err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(root, page), b.Bytes(), 0o644); err != nil {
		return err
	}
	return failures(results, log)
}

func spec(root string) (rows []conformance.Row, rules []conformance.Rule, gaps []conformance.Gap, err error) {
	dir := filepath.Join(root, "docs", "spec")
	f, err := os.Open(filepath.Join(dir, "seed-rows.md"))
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = f.Close() }()
	if rows, err = conformance.ParseRows(f); err != nil {
		return nil, nil, nil, err
	}
	for _, name := range []string{"deployment.md", "task-sequence.md"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, nil, nil, err
		}
		more, err := conformance.ParseRules(bytes.NewReader(data))
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		rules = append(rules, more...)
	}
	stated, err := os.Open(filepath.Join(dir, "gaps.tsv"))
	if err != nil {
		return nil, nil, nil, err
	}
	defer func() { _ = stated.Close() }()
	if gaps, err = conformance.ParseGaps(stated); err != nil {
		return nil, nil, nil, err
	}
	return rows, rules, gaps, nil
}

// test runs one go test, so that nothing is compiled twice.
func test(ctx context.Context, root string, plan conformance.Plan, log io.Writer) (conformance.Results, error) {
	args := append([]string{"test", "-json", "-race", "-count=1", "-vet=off", "-timeout", limit, "-run", plan.Pattern()}, plan.Packages...)
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Stderr = root, log
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = time.Minute // machines are taken down
	out, err := c.StdoutPipe()
	if err != nil {
		return conformance.Results{}, err
	}
	if err := c.Start(); err != nil {
		return conformance.Results{}, fmt.Errorf("start go test: %w", err)
	}
	results, err := conformance.ParseResults(out, module, log, func(t conformance.Test) {
		if strings.HasPrefix(t.Name, "TestRows/") && strings.Count(t.Name, "/") == 1 || t.Outcome == conformance.Failed {
			fmt.Fprintf(log, "%s %s %s\n", t.Outcome, t.Package, t.Name)
			if t.Outcome == conformance.Failed {
				fmt.Fprint(log, t.Output)
			}
		}
	})
	_, _ = io.Copy(io.Discard, out)
	waited := c.Wait()
	if ctx.Err() != nil {
		return results, ctx.Err()
	}
	var exit *exec.ExitError
	if waited != nil && !errors.As(waited, &exit) {
		return results, fmt.Errorf("go test: %w", waited)
	}
	if err == nil && len(results.Tests) == 0 {
		err = errors.New("go test ran nothing: see its messages above")
	}
	return results, err
}

func read(names []string, log io.Writer) (conformance.Results, error) {
	var all []io.Reader
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return conformance.Results{}, err
		}
		defer func() { _ = f.Close() }()
		all = append(all, f, strings.NewReader("\n"))
	}
	return conformance.ParseResults(io.MultiReader(all...), module, log, nil)
}

func failures(results conformance.Results, log io.Writer) error {
	n := len(results.Broken)
	for _, pkg := range results.Broken {
		fmt.Fprintln(log, "failed:", pkg)
	}
	for _, t := range results.Tests {
		if t.Outcome == conformance.Failed {
			fmt.Fprintln(log, "failed:", t.Package, t.Name)
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%d tests failed, run them with go test -v -run to see why; %s says which rows that concerns", n, page)
	}
	return nil
}
