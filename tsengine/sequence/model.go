package sequence

import (
	"strings"
	"time"
)

// Kind says what a node is (TS-1).
type Kind int

// The kinds of node.
const (
	Step Kind = iota
	Group
	SubSequence // Run Task Sequence
)

// String is the name of the element.
func (k Kind) String() string { return [...]string{"step", "group", "subtasksequence"}[k] }

// RunIn is the environment a step is made for (TS-21). The zero value is both.
type RunIn int

// The environments of the runIn attribute.
const (
	WinPEAndFullOS RunIn = iota
	WinPE
	FullOS
)

// String is the value of the attribute.
func (r RunIn) String() string { return [...]string{"WinPEandFullOS", "WinPE", "FullOS"}[r] }

// TypePrefix is what the class names of steps and expressions begin with.
const TypePrefix = "SMS_TaskSequence_"

// Sequence is a parsed task sequence. It is read-only after Parse and safe for concurrent readers.
type Sequence struct {
	Version           string // schema, "3.10" or "3.00" (TS-7)
	Name, Description string // from object.xml or MDT's attributes
	PackageID         string // from object.xml
	BootImageID       string // from object.xml; empty when none is assigned
	Disabled          bool   // from object.xml (TS-9)
	MaxRunTime        time.Duration
	Properties        map[string]string // plain properties of object.xml, by name

	ReferenceList []ListedReference // as written; derived data, see Sequence.References
	Globals       []Variable        // globalVarList (TS-182)
	Nodes         []*Node           // root's children in document order
	Warnings      []Warning         // what was accepted but is odd
	Faults        []Fault           // what is kept for the export but cannot be understood, and so not be run

	root    *Element
	wrapper *Element // the object.xml or other document around root
	slot    *Element // its VALUE that holds root as text, or the element that root stands in
	inline  bool     // root stands in slot as an element
	size    int
	flat    []*Node
}

// Warning is something odd that the parser accepted.
type Warning struct {
	Line, Column int
	Text         string
}

// ListedReference is one entry of a referenceList. Program "*" marks a child sequence.
type ListedReference struct{ Package, Program, Application string }

// Variable is a variable element of a list or of an expression.
type Variable struct {
	Name, Property, Value string
	Hidden                bool // argument or editor value, never in the environment (TS-85)
}

// Fault is something that was kept although it makes no sense. Problems reports it as an error.
type Fault struct {
	Node               *Node // nil for the sequence
	Rule, Text, Remedy string
}

// Node is a step, a group or a Run Task Sequence node.
type Node struct {
	Kind              Kind
	Pointer           int    // all nodes in document order, from 0 (TS-152)
	Type              string // as written; empty for groups and untyped steps
	Name, Description string
	Disabled          bool
	ContinueOnError   bool
	RunIn             RunIn
	SuccessCodes      []uint32 // never empty for steps (TS-29)
	RetryCount        int
	RunFromNet        bool
	Timeout           time.Duration // 0 is none (TS-28)
	StartIn           string        // MDT
	Action            string
	Defaults          []Variable
	Condition         *Condition // nil is true
	Children          []*Node
	Parent            *Node
	Line, Column      int

	element *Element
}

// ShortType is the class name without its prefix, "RunCommandLineAction"; the prefix is matched without regard to case.
func (n *Node) ShortType() string { return shortType(n.Type) }

func shortType(t string) string {
	if len(t) > len(TypePrefix) && strings.EqualFold(t[:len(TypePrefix)], TypePrefix) {
		return t[len(TypePrefix):]
	}
	return t
}

// Input returns the value of a default variable, hidden or not, by variable or property name, and whether it is there.
// Names are compared without regard to case. The value is not expanded.
func (n *Node) Input(name string) (string, bool) {
	for _, v := range n.Defaults {
		if strings.EqualFold(v.Name, name) {
			return v.Value, true
		}
	}
	for _, v := range n.Defaults {
		if strings.EqualFold(v.Property, name) {
			return v.Value, true
		}
	}
	return "", false
}

// ChildID is the package id of the sequence that a Run Task Sequence node runs; empty for other nodes.
func (n *Node) ChildID() string {
	if n.Kind != SubSequence {
		return ""
	}
	id, _ := n.Input("OSDSubTasksequencePackageID")
	return strings.TrimSpace(id)
}

// Enabled says whether neither the node nor a group around it is disabled (TS-20).
func (n *Node) Enabled() bool {
	for ; n != nil; n = n.Parent {
		if n.Disabled {
			return false
		}
	}
	return true
}

// All returns every node in document order; the index is the node's Pointer.
func (s *Sequence) All() []*Node { return s.flat }

// Condition is the condition of a node: operands that are ANDed (TS-60).
type Condition struct{ Operands []Operand }

// Operand is an operator with its own operands, or an expression.
type Operand struct {
	Operator   string // "and", "or", "not" in lower case; empty for an expression
	Operands   []Operand
	Expression *Expression
	Line       int
}

// Expression is one test. Its fields have fixed names (Variable, Operator, Value, ...), in any order.
type Expression struct {
	Type         string
	Fields       []Variable
	IgnoreErrors bool // ignoreQueryFailure: an error counts as false
	Line, Column int
}

// ShortType is the class name without its prefix, "VariableConditionExpression".
func (e *Expression) ShortType() string { return shortType(e.Type) }

// Field returns the value of a field; a field that is absent is empty.
func (e *Expression) Field(name string) string {
	for _, v := range e.Fields {
		if strings.EqualFold(v.Name, name) {
			return v.Value
		}
	}
	return ""
}
