package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

// fileSequence is a sequence of a file. child says that another one of the file runs it.
type fileSequence struct {
	wire.SequenceImport
	child     bool
	packageID string // in the file
}

// readSequences reads what a file holds for the API, which takes XML in UTF-8, children before the sequences that run
// them. A sequence without a name of its own gets that of its file.
func readSequences(file string) ([]fileSequence, []sequence.ExportedPackage, error) {
	data, err := readLimited(file)
	if err != nil {
		return nil, nil, err
	}
	all, err := yamlform.Read(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w (TSV-5)", file, err)
	}
	var packages []sequence.ExportedPackage
	if sequence.IsArchive(data) {
		archive, err := sequence.OpenArchive(data)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", file, err)
		}
		packages = archive.Packages
	}
	children := map[string]bool{}
	for _, s := range all {
		for _, r := range s.References() {
			if r.Kind == sequence.SequenceReference && !strings.EqualFold(r.ID, s.PackageID) {
				children[strings.ToUpper(r.ID)] = true
			}
		}
	}
	var out []fileSequence
	for _, s := range childrenFirst(all) {
		in := fileSequence{packageID: s.PackageID, SequenceImport: wire.SequenceImport{XML: string(s.ExportDocument())}, child: s.PackageID != "" && children[strings.ToUpper(s.PackageID)]}
		if s.Name == "" {
			in.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		}
		out = append(out, in)
	}
	return out, packages, nil
}

// isZip says whether a file is an export of several objects.
func isZip(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 4)
	n, _ := io.ReadFull(f, head)
	return sequence.IsArchive(head[:n])
}

func childrenFirst(all []*sequence.Sequence) []*sequence.Sequence {
	byID, done := map[string]*sequence.Sequence{}, map[*sequence.Sequence]bool{}
	for _, s := range all {
		byID[strings.ToUpper(s.PackageID)] = s
	}
	var out []*sequence.Sequence
	var visit func(s *sequence.Sequence)
	visit = func(s *sequence.Sequence) {
		if s == nil || done[s] {
			return
		}
		done[s] = true
		for _, r := range s.References() {
			if r.Kind == sequence.SequenceReference {
				visit(byID[strings.ToUpper(r.ID)])
			}
		}
		out = append(out, s)
	}
	for _, s := range all {
		visit(s)
	}
	return out
}

func readLimited(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open sequence: %w", err)
	}
	defer f.Close()
	const limit = 4 * sequence.MaxSize // a zip may hold several
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s is larger than %s: no task sequence is", file, size(limit))
	}
	return data, nil
}

func newSequenceConvertCommand(env *environment) *cobra.Command {
	var to, out string
	c := &cobra.Command{
		Use: "convert FILE", Short: "Turn a sequence file into YAML for people, or back into XML; needs no appliance", Args: cobra.ExactArgs(1),
		Long: `Turn a sequence file into YAML for people, or back into XML. Nothing is lost on
either way: what has no short form in YAML is kept as XML text in its place. FILE
is a bare <sequence>, an object.xml, an MDT ts.xml, a zip of the console or YAML.
A zip with several sequences becomes one file for each in the folder --out, or with
--to zip an equivalent zip. docs/sequences.md describes the YAML.`,
		Example: "  bootyard sequence convert ts.xml --to yaml --out client.yaml\n  bootyard sequence convert client.yaml --to xml",
		RunE: func(_ *cobra.Command, args []string) error {
			if to != "yaml" && to != "xml" && to != "zip" {
				return wrongUsage("--to %q is not yaml, xml or zip", to)
			}
			data, err := readLimited(args[0])
			if err != nil {
				return err
			}
			if to == "zip" {
				return env.convertZip(args[0], data, out)
			}
			all, err := yamlform.Read(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if len(all) == 1 {
				return env.deliver(out, converted(all[0], to))
			}
			if out == "" {
				return wrongUsage("%s holds %d sequences: name a folder for them with --out", args[0], len(all))
			}
			return env.convertAll(all, to, out)
		},
	}
	c.Flags().StringVar(&to, "to", "yaml", "yaml, xml or zip")
	c.Flags().StringVar(&out, "out", "", "file to write (default: standard output), or folder for several sequences")
	return c
}

func converted(s *sequence.Sequence, to string) []byte {
	if to == "yaml" {
		return yamlform.Marshal(s)
	}
	return s.ExportDocument()
}

func (env *environment) convertZip(name string, data []byte, out string) error {
	if !sequence.IsArchive(data) {
		return wrongUsage("--to zip writes the zip of an export again; %s is none", name)
	}
	archive, err := sequence.OpenArchive(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var b bytes.Buffer
	if _, err := archive.WriteTo(&b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return env.deliver(out, b.Bytes())
}

// convertAll names the files by package id, of which only what can stand in a name is taken.
func (env *environment) convertAll(all []*sequence.Sequence, to, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	used := map[string]bool{}
	for i, s := range all {
		id := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
				return r
			}
			return -1
		}, s.PackageID)
		if id == "" || used[strings.ToUpper(id)] {
			id = fmt.Sprintf("sequence%d", i+1)
		}
		used[strings.ToUpper(id)] = true
		file := filepath.Join(folder, id+"."+to)
		if err := env.deliver(file, converted(s, to)); err != nil {
			return err
		}
		env.say("%s  %s", file, oneLine(s.Name))
	}
	return nil
}

// deliver writes to a file, or to standard output.
func (env *environment) deliver(file string, data []byte) error {
	if file == "" || file == "-" {
		_, err := env.out.Write(data)
		return err
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return wrongUsage("--out %s is a folder; name a file", file)
	}
	if err := atomicfile.Write(file, data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// asYAML turns the XML of the appliance into YAML.
func asYAML(xml []byte) ([]byte, error) {
	all, err := yamlform.Read(xml)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, errors.New("the appliance sent several sequences")
	}
	return yamlform.Marshal(all[0]), nil
}
