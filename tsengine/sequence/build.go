package sequence

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// build makes the model from the tree. Unknown things are kept in the tree and warned about (section 9).
func (s *Sequence) build() error {
	s.Version, _ = s.root.Attr("version")
	if name, ok := s.root.Attr("name"); ok && s.Name == "" {
		s.Name = name
	}
	if text, ok := s.root.Attr("description"); ok && s.Description == "" {
		s.Description = text
	}
	if s.Version != "" && !strings.HasPrefix(s.Version, "3.") {
		s.Faults = append(s.Faults, Fault{Rule: "TS-7", Text: fmt.Sprintf("schema version %q is unknown", s.Version), Remedy: "export it from a console that writes version 3.x"})
	}
	if s.Version != "3.10" && s.Version != "3.00" && s.Version != "3.07" {
		s.warn(s.root, "schema version %q is unusual (TS-7)", s.Version)
	}
	if s.size > 2<<20 {
		s.warn(s.root, "%d bytes are more than the 2 MB that other consoles accept (TS-10)", s.size)
	}
	for _, e := range s.root.Elements() {
		switch e.Name {
		case "referenceList":
			s.readReferences(e)
		case "globalVarList":
			s.Globals = append(s.Globals, s.readVariables(e)...)
		default:
			n, err := s.readNode(e, nil)
			if err != nil {
				return err
			}
			if n != nil {
				s.Nodes = append(s.Nodes, n)
			}
		}
	}
	return nil
}

func (s *Sequence) warn(e *Element, format string, args ...any) {
	if len(s.Warnings) < 1000 {
		s.Warnings = append(s.Warnings, Warning{e.Line, e.Column, fmt.Sprintf(format, args...)})
	}
}

func (s *Sequence) readReferences(list *Element) {
	for _, e := range list.Elements() {
		var r ListedReference
		r.Package, _ = e.Attr("package")
		r.Program, _ = e.Attr("program")
		r.Application, _ = e.Attr("application")
		s.ReferenceList = append(s.ReferenceList, r)
	}
}

func (s *Sequence) readVariables(list *Element) []Variable {
	var out []Variable
	for _, e := range list.Elements() {
		if e.Name != "variable" {
			s.warn(e, "unknown element <%s> in <%s> is kept", e.Name, list.Name)
			continue
		}
		var v Variable
		v.Name, _ = e.Attr("name")
		v.Property, _ = e.Attr("property")
		hidden, _ := e.Attr("hidden")
		v.Hidden = isTrue(hidden)
		v.Value = cleanValue(e.Text())
		out = append(out, v)
	}
	return out
}

// cleanValue undoes what other tools' pretty-printing did to a value (section 2): only line breaks and indentation is
// empty, and one line break before the end tag is dropped. Blanks that are all there is on one line are a value.
func cleanValue(v string) string {
	if strings.Contains(v, "\n") && strings.Trim(v, " \t\n") == "" {
		return ""
	}
	return strings.TrimSuffix(v, "\n")
}

func isTrue(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "true") }

func (s *Sequence) readNode(e *Element, parent *Node) (*Node, error) {
	n := &Node{Parent: parent, Pointer: len(s.flat), Line: e.Line, Column: e.Column, element: e}
	switch e.Name {
	case "step":
		n.Kind = Step
	case "group":
		n.Kind = Group
	case "subtasksequence":
		n.Kind = SubSequence
	default:
		s.warn(e, "unknown element <%s> is kept and not run", e.Name)
		return nil, nil
	}
	s.flat = append(s.flat, n)
	s.readAttributes(n, e)
	for _, c := range e.Elements() {
		switch c.Name {
		case "action":
			n.Action = cleanValue(c.Text())
		case "defaultVarList":
			n.Defaults = append(n.Defaults, s.readVariables(c)...)
		case "condition":
			if n.Condition != nil {
				return nil, &Error{c.Line, c.Column, fmt.Sprintf("%q has a second condition (TS-60)", n.Name)}
			}
			n.Condition = &Condition{Operands: s.readOperands(c)}
		default:
			if n.Kind != Group {
				s.warn(c, "unknown element <%s> in a %s is kept", c.Name, n.Kind)
				continue
			}
			child, err := s.readNode(c, n)
			if err != nil {
				return nil, err
			}
			if child != nil {
				n.Children = append(n.Children, child)
			}
		}
	}
	n.defaultCodes()
	return n, nil
}

func (s *Sequence) readAttributes(n *Node, e *Element) {
	codes, doubled := "", ""
	for _, a := range e.Attrs {
		switch a.Name {
		case "type":
			n.Type = strings.TrimSpace(a.Value)
		case "name":
			n.Name = a.Value
		case "description":
			n.Description = a.Value
		case "disable":
			n.Disabled = isTrue(a.Value)
		case "continueOnError":
			n.ContinueOnError = isTrue(a.Value)
		case "runIn":
			n.RunIn = s.readRunIn(e, a.Value)
		case "successCodeList":
			codes = a.Value
		case "successCodes":
			doubled = a.Value
		case "retryCount":
			n.RetryCount, _ = strconv.Atoi(strings.TrimSpace(a.Value))
		case "runFromNet":
			n.RunFromNet = isTrue(a.Value)
		case "timeout":
			seconds, err := strconv.ParseUint(strings.TrimSpace(a.Value), 10, 31)
			if err != nil && strings.TrimSpace(a.Value) != "" {
				s.Faults = append(s.Faults, Fault{n, "TS-28", fmt.Sprintf("timeout %q is not a number of seconds", a.Value), "write seconds, 900 for a quarter of an hour"})
			}
			n.Timeout = time.Duration(seconds) * time.Second
		case "startIn":
			n.StartIn = a.Value
		case "expand":
		default:
			s.warn(e, "unknown attribute %s is kept", a.Name)
		}
	}
	if strings.TrimSpace(codes) == "" {
		codes = doubled // a rare double in MDT files
	}
	if n.Kind == Group {
		return
	}
	list, err := ParseCodes(codes)
	if err != nil {
		s.Faults = append(s.Faults, Fault{n, "TS-29", "success codes: " + strings.TrimSuffix(err.Error(), " (TS-29)"), "write numbers with blanks between, such as 0 3010"})
	}
	n.SuccessCodes = list
}

// defaultCodes fills in the success codes of a step without the attribute: the editor's copy of them, else the default
// of its kind (TS-29).
func (n *Node) defaultCodes() {
	if n.Kind == Group || len(n.SuccessCodes) > 0 {
		return
	}
	if text, ok := n.Input("SuccessCodes"); ok {
		n.SuccessCodes, _ = ParseCodes(text)
	}
	if len(n.SuccessCodes) > 0 {
		return
	}
	n.SuccessCodes = []uint32{0}
	switch n.ShortType() {
	case "RunCommandLineAction", "RunPowerShellScriptAction":
		n.SuccessCodes = []uint32{0, 3010}
	}
}

func (s *Sequence) readRunIn(e *Element, v string) RunIn {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "winpe":
		return WinPE
	case "fullos":
		return FullOS
	case "", "winpeandfullos":
	default:
		s.warn(e, "runIn %q is unknown, taken as WinPEandFullOS (TS-21)", v)
	}
	return WinPEAndFullOS
}

// ParseCodes reads a blank-separated list of exit codes (TS-29). Negative 32-bit numbers become their unsigned twins
// (TS-33).
func ParseCodes(list string) ([]uint32, error) {
	var out []uint32
	for _, f := range strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == ',' || r == ';' }) {
		base := 10 // 010 is ten, as an administrator means it
		if digits, hex := strings.CutPrefix(strings.ToLower(f), "0x"); hex {
			f, base = digits, 16
		}
		n, err := strconv.ParseInt(f, base, 64)
		if err != nil || n < math.MinInt32 || n > math.MaxUint32 {
			return nil, fmt.Errorf("%q is not a 32-bit exit code (TS-29)", f)
		}
		out = append(out, uint32(n))
	}
	return out, nil
}
