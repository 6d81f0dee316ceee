package tsengine

import "github.com/bootyard/bootyard/tsengine/sequence"

// Place is a node and where it stands in a run: child sequences are in place of the nodes that run them, so pointers
// count their nodes too (TS-120, TS-152).
type Place struct {
	Pointer int            // in document order, from 0
	Parent  int            // pointer of the group or Run Task Sequence around it; -1 at the root
	End     int            // pointer behind the node and all it contains
	Node    *sequence.Node // as parsed; its own Pointer counts within its own document only
	Child   string         // package id of the child sequence it belongs to; empty in the sequence itself
}

// Outline lists every node of a run, in document order.
func (e *Engine) Outline() []Place {
	out := make([]Place, len(e.program.code))
	for i := range e.program.code {
		in := &e.program.code[i]
		out[i] = Place{Pointer: i, Parent: in.parent, End: in.end, Node: in.node}
		if in.parent < 0 {
			continue
		}
		out[i].Child = out[in.parent].Child
		if up := &e.program.code[in.parent]; up.child != nil {
			out[i].Child = up.node.ChildID()
		}
	}
	return out
}
