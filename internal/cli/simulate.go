package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/simulate"
	"github.com/bootyard/bootyard/tsengine/variable"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

type simulateFlags struct {
	facts    string
	id       string
	children []string
	set      []string
	codes    []string
}

func newSequenceSimulateCommand(env *environment) *cobra.Command {
	f := simulateFlags{}
	c := &cobra.Command{
		Use: "simulate FILE|SEQUENCE", Short: "Say what a sequence would do on a machine, node by node, without touching anything", Args: cobra.ExactArgs(1),
		Long: `Say what a task sequence would do on a machine that is described in a file: which
nodes run, are skipped or fail, and why, with the values that decided. Nothing is
touched, and a FILE needs no appliance. Without --facts nothing is known about the
machine. What a step returns is its first success code unless the facts say
otherwise. docs/simulate.md has the file's keys and what the simulation assumes.

A sequence that would fail is a result, not an error: the exit code is 0.`,
		Example: `  bootyard sequence simulate debian.xml --facts machine.yaml
  bootyard sequence simulate export.zip --id ABC00012 --code "Install agent"=1603
  bootyard sequence simulate BYD00003 --facts machine.yaml --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := f.options(cmd.Context(), env, args[0])
			if err != nil {
				return err
			}
			trace, err := simulate.Walk(cmd.Context(), options)
			if err != nil {
				return err
			}
			if env.json {
				return env.print(trace, nil)
			}
			return env.printTrace(trace, options.Sequence)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.facts, "facts", "", "YAML file that describes the machine (- is standard input)")
	flags.StringVar(&f.id, "id", "", "package id of the sequence in a zip that holds several")
	flags.StringArrayVar(&f.children, "child", nil, "ID=FILE of a child task sequence; may be repeated")
	flags.StringArrayVar(&f.set, "var", nil, "NAME=VALUE of a variable, over those of the facts; may be repeated")
	flags.StringArrayVar(&f.codes, "code", nil, "STEP=CODE that a step returns, by name or pointer, over those of the facts; may be repeated")
	return c
}

func (f *simulateFlags) options(ctx context.Context, env *environment, source string) (simulate.Options, error) {
	o := simulate.Options{}
	sheet, err := f.sheet(env)
	if err != nil {
		return o, err
	}
	o.Machine = simulate.Describe(sheet)
	for _, pair := range f.set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return o, wrongUsage("--var %q is not NAME=VALUE", pair)
		}
		o.Set = append(o.Set, variable.Assignment{Name: name, Value: value})
	}
	if o.Sequence, o.Children, err = f.sequences(ctx, env, source); err != nil {
		return o, err
	}
	for _, pair := range f.children {
		id, file, ok := strings.Cut(pair, "=")
		if !ok {
			return o, wrongUsage("--child %q is not ID=FILE", pair)
		}
		data, err := readLimited(file)
		if err != nil {
			return o, err
		}
		all, err := yamlform.Read(data)
		if err != nil {
			return o, fmt.Errorf("%s: %w", file, err)
		}
		if len(all) != 1 {
			return o, wrongUsage("--child %s: the file holds %d sequences; give one that holds one", pair, len(all))
		}
		o.Children[id] = all[0]
	}
	return o, nil
}

// maxFacts bounds a fact sheet; one of a real machine has a few hundred kilobytes.
const maxFacts = 16 << 20

func (f *simulateFlags) sheet(env *environment) (*fact.Sheet, error) {
	var in io.Reader = env.in
	switch f.facts {
	case "":
		in = strings.NewReader("")
	case "-":
	default:
		file, err := os.Open(f.facts)
		if err != nil {
			return nil, fmt.Errorf("open facts: %w", err)
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFacts+1))
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	if len(data) > maxFacts {
		return nil, fmt.Errorf("%s is larger than %s: no description of a machine is", f.facts, size(maxFacts))
	}
	sheet, err := fact.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("facts %s: %w", f.facts, err)
	}
	if sheet.ExitCodes == nil {
		sheet.ExitCodes = map[string]uint32{}
	}
	for _, pair := range f.codes {
		i := strings.LastIndexByte(pair, '=')
		if i < 0 {
			return nil, wrongUsage("--code %q is not STEP=CODE", pair)
		}
		list, err := sequence.ParseCodes(pair[i+1:])
		if err != nil || len(list) != 1 {
			return nil, wrongUsage("--code %q: %q is not an exit code", pair, pair[i+1:])
		}
		sheet.ExitCodes[pair[:i]] = list[0]
	}
	return sheet, nil
}

// sequences reads a file, or asks the appliance for a sequence of that name or id, with the children that are there.
func (f *simulateFlags) sequences(ctx context.Context, env *environment, source string) (*sequence.Sequence, map[string]*sequence.Sequence, error) {
	children := map[string]*sequence.Sequence{}
	data, err := readLimited(source)
	if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(source, `/\.`) {
		s, err := env.fetchSequence(ctx, source)
		if err != nil {
			return nil, nil, fmt.Errorf("there is no file %s, and from the appliance: %w", source, err)
		}
		return s, children, env.fetchChildren(ctx, s, children)
	}
	if err != nil {
		return nil, nil, err
	}
	all, err := yamlform.Read(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", source, err)
	}
	for _, s := range all {
		if s.PackageID != "" {
			children[s.PackageID] = s
		}
	}
	main, err := f.choose(all)
	return main, children, err
}

// choose finds the sequence that is meant: the only one, or the one that no other runs.
func (f *simulateFlags) choose(all []*sequence.Sequence) (*sequence.Sequence, error) {
	used := map[string]bool{}
	for _, s := range all {
		if f.id != "" && strings.EqualFold(s.PackageID, f.id) {
			return s, nil
		}
		for _, n := range s.All() {
			if id := n.ChildID(); id != s.PackageID {
				used[strings.ToUpper(id)] = true
			}
		}
	}
	var tops []*sequence.Sequence
	var names []string
	for _, s := range all {
		if len(all) == 1 || !used[strings.ToUpper(s.PackageID)] {
			tops = append(tops, s)
		}
		names = append(names, strings.TrimSpace(s.PackageID+" "+s.Name))
	}
	switch {
	case f.id != "":
		return nil, wrongUsage("--id %s: the file holds %s", f.id, strings.Join(names, ", "))
	case len(tops) != 1:
		return nil, wrongUsage("the file holds several sequences; say which with --id: %s", strings.Join(names, ", "))
	}
	return tops[0], nil
}

func (env *environment) fetchSequence(ctx context.Context, id string) (*sequence.Sequence, error) {
	c, err := env.client()
	if err != nil {
		return nil, err
	}
	body, err := c.Stream(ctx, apiRoot+"/sequences/"+esc(id)+"/export")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, sequence.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read sequence %s: %w", id, err)
	}
	return sequence.Parse(data)
}

// fetchChildren adds what the sequence runs, and what that runs. A child the appliance does not have is left out; the
// simulation says so.
func (env *environment) fetchChildren(ctx context.Context, s *sequence.Sequence, have map[string]*sequence.Sequence) error {
	for _, r := range s.References() {
		if r.Kind != sequence.SequenceReference || have[r.ID] != nil {
			continue
		}
		child, err := env.fetchSequence(ctx, r.ID)
		if err != nil {
			fmt.Fprintf(env.err, "child task sequence %s: %s\n", oneLine(r.ID), oneLine(err.Error()))
			continue
		}
		have[r.ID] = child
		if err := env.fetchChildren(ctx, child, have); err != nil {
			return err
		}
	}
	return ctx.Err()
}
