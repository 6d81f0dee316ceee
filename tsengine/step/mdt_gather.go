package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// maxRules bounds a rules file.
const maxRules = 4 << 20

// Gather is MDT's Gather: facts of the machine, then, unless GatherLocalOnly is set, the rules of CustomSettings.ini.
// Properties of rules are set only when nothing else has set them.
type Gather struct{}

// Contract implements Step.
func (Gather) Contract() Contract { return Contract{Type: "BDD_Gather", Component: "ZTIGather"} }

// Run implements Step.
func (Gather) Run(ctx context.Context, c *Context) Outcome {
	local, err := c.InputBool("GatherLocalOnly", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	for _, f := range gathered(ctx, c) {
		if f.value == "" {
			continue
		}
		c.Log(smstslog.Info, fmt.Sprintf("Property %s is now = %s", f.name, f.value))
		if err := c.Variables.Set(f.name, f.value); err != nil {
			return Failure(CodeFailed, err)
		}
	}
	if local {
		return Outcome{}
	}
	name := strings.TrimSpace(c.Input("RulesFile"))
	if name == "" {
		name = "CustomSettings.ini"
	}
	path, err := rulesPath(c, name)
	if err != nil {
		return Failure(CodeNotFound, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return Failure(CodeNotFound, fmt.Errorf("rules of the step: %w", err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRules+1))
	if err == nil && len(data) > maxRules {
		err = fmt.Errorf("more than %d bytes", maxRules)
	}
	if err != nil {
		return Failure(CodeInvalid, fmt.Errorf("read %s: %w", path, err))
	}
	if err := processRules(c, ParseSettings(string(data))); err != nil {
		return Failure(CodeInvalid, fmt.Errorf("%s: %w", path, err))
	}
	return Outcome{}
}

// rulesPath is a path as given, on a connected share, or in the Control folder of DEPLOYROOT.
func rulesPath(c *Context, name string) (string, error) {
	if there := c.Volumes.NetworkPath(name); there != "" {
		return there, nil
	}
	if strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':' {
		return name, nil
	}
	root := c.Variables.Value("DEPLOYROOT")
	if root == "" {
		return "", fmt.Errorf("rules file %s cannot be found: DEPLOYROOT is not set; set it to the deployment share, or GatherLocalOnly to true", name)
	}
	if there := c.Volumes.NetworkPath(root); there != "" {
		root = there
	}
	return strings.TrimRight(root, `/\`) + string(os.PathSeparator) + "Control" + string(os.PathSeparator) + name, nil
}

// Settings is a parsed CustomSettings.ini: sections by name in lower case, each with its lines in order.
type Settings map[string][]Setting

// Setting is one line of a section.
type Setting struct{ Name, Value string }

// ParseSettings reads the file. Lines that are neither a section nor a setting mean nothing, as in Windows' own reader; of
// equal names in a section the first counts.
func ParseSettings(text string) Settings {
	out, section := Settings{}, ""
	for line := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == ';':
		case line[0] == '[':
			if name, _, ok := strings.Cut(line[1:], "]"); ok {
				section = strings.ToLower(strings.TrimSpace(name))
			}
		default:
			name, value, ok := strings.Cut(line, "=")
			if name = strings.TrimSpace(name); !ok || name == "" || section == "" {
				continue
			}
			value = strings.TrimSpace(value)
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			if _, there := out.find(section, name); !there {
				out[section] = append(out[section], Setting{name, value})
			}
		}
	}
	return out
}

func (s Settings) find(section, name string) (string, bool) {
	for _, line := range s[strings.ToLower(section)] {
		if strings.EqualFold(line.Name, name) {
			return line.Value, true
		}
	}
	return "", false
}

// maxSections bounds how many sections one run of the rules looks at.
const maxSections = 1000

type rules struct {
	*Context
	settings Settings
	seen     map[string]bool
}

// processRules works through the sections of Priority. A priority that is a property names the section by its value.
func processRules(c *Context, s Settings) error {
	r := &rules{Context: c, settings: s, seen: map[string]bool{}}
	priority, ok := s.find("Settings", "Priority")
	if !ok {
		return errors.New("[Settings] has no Priority")
	}
	for _, name := range commas(priority) {
		if value := c.Variables.Value(name); value != "" {
			name = value
		} else if numbered := c.Variables.Value(name + "001"); numbered != "" {
			name = numbered
		}
		if err := r.section(name); err != nil {
			return err
		}
	}
	return nil
}

func commas(list string) (out []string) {
	for p := range strings.SplitSeq(list, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// section sets the properties of one section that nothing has set before, and goes on with its subsection.
func (r *rules) section(name string) error {
	key := strings.ToLower(r.Variables.Expand(name))
	if r.seen[key] || len(r.seen) >= maxSections {
		return nil
	}
	r.seen[key] = true
	if kind, ok := r.settings.find(key, "UserExit"); ok && kind != "" {
		return fmt.Errorf("section [%s] calls the script %s, which only the toolkit can run", name, kind)
	}
	for _, line := range r.settings[key] {
		if strings.EqualFold(line.Name, "Subsection") || strings.EqualFold(line.Name, "Priority") || strings.EqualFold(line.Name, "Properties") {
			continue
		}
		if r.Variables.Value(line.Name) != "" {
			continue // what was set first counts
		}
		value := r.Variables.Expand(line.Value)
		shown := value
		if variable.IsSecretName(line.Name) {
			shown = variable.Mask
		}
		r.Log(smstslog.Info, fmt.Sprintf("Property %s is now = %s ([%s])", line.Name, shown, name))
		if err := r.Variables.Assign(variable.Assignment{Name: line.Name, Value: value}); err != nil {
			return fmt.Errorf("section [%s]: %w", name, err)
		}
	}
	if sub, ok := r.settings.find(key, "Subsection"); ok {
		return r.section(r.Variables.Expand(sub))
	}
	return nil
}
