package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/yamlform"
)

// maxApplication bounds a file that describes an application.
const maxApplication = 1 << 20

func newApplicationCommand(env *environment) *cobra.Command {
	return group("application", "Software with detection that sequences install",
		list(env, "List applications", "/applications", table[wire.Application]{
			empty:  "no applications: make one with 'bootyard application create FILE'",
			header: []any{"NAME", "VERSION", "TYPES", "DYNAMIC", "INSTALLABLE", "ID"},
			cells: func(a wire.Application) []any {
				return []any{a.Name, a.Version, len(a.Types), yes(a.Dynamic), yes(len(a.Invalid) == 0), a.ID}
			},
		}),
		newApplicationCreateCommand(env),
		&cobra.Command{
			Use: "show APPLICATION", Short: "Show one application (by name or id)", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				a, err := get[wire.Application](cmd.Context(), env, "/applications/"+esc(args[0]))
				if err != nil {
					return err
				}
				return printApplication(env, a)
			},
		},
		action(env, "delete APPLICATION", "Delete an application; sequences that need it cannot be deployed any more", http.MethodDelete, at("/applications/", ""), "application %s deleted"))
}

func newApplicationCreateCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "create FILE", Short: "Add an application from a YAML file, or change the one of its id or name", Args: cobra.ExactArgs(1),
		Long: `Add an application from a YAML file, or change the one of its id or name:

  name: Editor
  version: "2.1"
  dynamic: true                   # any sequence may install it by a base variable
  supersedes:                     # whose place it takes
    - application: Old Editor
      uninstall: true             # remove it first; else the installer deals with it
  deploymentTypes:                # the first whose requirement holds
    - name: Debian
      package: BYD00004           # content, optional
      install: sh install.sh      # in the content's folder; exit code 3010 restarts
      uninstall: sh remove.sh     # when another application supersedes this one
      detection: {deb: editor, version: "2.1"}   # file, command, deb, rpm or msi
      requirement: Role equals desk              # as conditions of a sequence
      dependencies: [Runtime]     # installed before
      maxMinutes: 30
      successCodes: [5]           # besides 0, 3010 and 1641

An id such as ScopeId_x/Application_y, copied from an imported sequence, makes the
sequence's reference to it good.`,
		Example: "  bootyard application create editor.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := readApplication(args[0])
			if err != nil {
				return err
			}
			a, err := post[wire.Application](cmd.Context(), env, "/applications", in)
			if err != nil {
				return err
			}
			return printApplication(env, a)
		},
	}
}

// readApplication reads the YAML strictly: an unknown key is an error.
func readApplication(file string) (wire.Application, error) {
	var a wire.Application
	f, err := os.Open(file)
	if err != nil {
		return a, fmt.Errorf("open application: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxApplication+1))
	if err != nil {
		return a, fmt.Errorf("read %s: %w", file, err)
	}
	if len(data) > maxApplication {
		return a, fmt.Errorf("%s is larger than %s: no application is", file, size(maxApplication))
	}
	a, err = parseApplication(data)
	if err != nil {
		return a, fmt.Errorf("%s: %w", file, err)
	}
	return a, nil
}

func parseApplication(data []byte) (a wire.Application, err error) {
	var tree map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&tree); err != nil {
		return a, errors.New(yaml.FormatError(err, false, true))
	}
	types, _ := tree["deploymentTypes"].([]any)
	for i, t := range types {
		m, ok := t.(map[string]any)
		if !ok || m["requirement"] == nil {
			continue
		}
		if m["requirement"], err = requirementXML(m["requirement"]); err != nil {
			return a, fmt.Errorf("requirement of deployment type %d: %w", i+1, err)
		}
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return a, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("%s; see 'bootyard application create --help'", strings.TrimPrefix(err.Error(), "json: "))
	}
	return a, nil
}

func requirementXML(v any) (string, error) {
	text, ok := v.(string)
	if !ok || !strings.HasPrefix(strings.TrimSpace(text), "<") {
		data, err := yaml.Marshal(v)
		if err != nil {
			return "", err
		}
		text = string(data)
	}
	xml, err := yamlform.Condition([]byte(text))
	return string(xml), err
}

func printApplication(env *environment, a wire.Application) error {
	return env.print(a, func(w *tabwriter.Writer) {
		row(w, "name", a.Name)
		row(w, "id", a.ID)
		row(w, "version", strings.TrimSpace(a.Version+" "+a.Publisher))
		row(w, "dynamic", yes(a.Dynamic))
		row(w, "retired", yes(a.Retired))
		for _, s := range a.Supersedes {
			row(w, "supersedes", s.Application+map[bool]string{true: " (uninstalled first)"}[s.Uninstall])
		}
		for i, d := range a.Types {
			row(w, fmt.Sprint("type ", i+1), d.Name)
			row(w, "  package", d.Package)
			row(w, "  install", d.Install)
			row(w, "  detection", detectionWords(d.Detection))
			row(w, "  requirement", strings.Join(strings.Fields(d.Requirement), " "))
			row(w, "  dependencies", strings.Join(d.Dependencies, ", "))
		}
		for _, r := range a.Invalid {
			row(w, "problem", r.Text)
		}
	})
}

func detectionWords(d wire.Detection) string {
	var words []string
	for _, p := range []struct{ kind, value string }{{"file", d.File}, {"command", d.Command}, {"deb", d.Deb}, {"rpm", d.RPM}, {"msi", d.MSI}, {"version", d.Version}} {
		if p.value != "" {
			words = append(words, p.kind+" "+p.value)
		}
	}
	return strings.Join(words, ", ")
}
