package tsengine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

// maxNodes bounds a sequence with its children expanded: children may be used many times and nest.
const maxNodes = 200_000

// program is a sequence with its child sequences in place (TS-120), flat and in document order. The index of an
// instruction is its pointer (TS-152), and it is all that a position has to remember: a failure or the end of a group
// leads to a later index, never back.
type program struct {
	code  []instruction
	steps int // enabled steps (TS-171)
	hash  string
}

type instruction struct {
	node   *sequence.Node
	parent int // enclosing group or child sequence; -1 at the root
	end    int // index behind the node and all it contains
	number int // of the step, from 1, among the enabled ones; 0 for others
	child  *sequence.Sequence
	off    bool // disabled, itself or by a group around it
}

// compile refuses a child that is not there, unless absent says that the run knows what to do about it.
func compile(s *sequence.Sequence, children map[string]*sequence.Sequence, absent bool) (*program, error) {
	p := &program{code: make([]instruction, 0, len(s.All()))}
	sum := sha256.New()
	c := compiler{program: p, children: children, absent: absent, write: func(b []byte) { sum.Write(b) }}
	c.write(s.Export())
	if err := c.nodes(s.Nodes, -1, false, []string{s.PackageID}); err != nil {
		return nil, err
	}
	p.hash = hex.EncodeToString(sum.Sum(nil))
	return p, nil
}

type compiler struct {
	program  *program
	children map[string]*sequence.Sequence
	absent   bool
	write    func([]byte)
	depth    int
}

func (c *compiler) nodes(list []*sequence.Node, parent int, off bool, chain []string) error {
	for _, n := range list {
		if err := c.node(n, parent, off, chain); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) node(n *sequence.Node, parent int, off bool, chain []string) error {
	if len(c.program.code) >= maxNodes {
		return fmt.Errorf("the sequence has more than %d nodes with its child sequences", maxNodes)
	}
	i := len(c.program.code)
	off = off || n.Disabled
	in := instruction{node: n, parent: parent, off: off}
	if n.Kind == sequence.Step && !off {
		c.program.steps++
		in.number = c.program.steps
	}
	c.program.code = append(c.program.code, in)
	switch n.Kind {
	case sequence.Group:
		if err := c.nodes(n.Children, i, off, chain); err != nil {
			return err
		}
	case sequence.SubSequence:
		if err := c.child(n, i, off, chain); err != nil {
			return err
		}
	}
	c.program.code[i].end = len(c.program.code)
	return nil
}

// child puts a child sequence in place of its node. A disabled node needs no child to be there.
func (c *compiler) child(n *sequence.Node, i int, off bool, chain []string) error {
	id := n.ChildID()
	if off {
		return nil
	}
	for _, outer := range chain {
		if strings.EqualFold(outer, id) && id != "" {
			return fmt.Errorf("step %q: task sequence %s runs itself (TS-120)", n.Name, id)
		}
	}
	child := c.children[id]
	if child == nil && c.absent {
		return nil
	}
	if child == nil {
		return fmt.Errorf("step %q refers to task sequence %q, which is not there; import it or disable the step (TS-120)", n.Name, id)
	}
	if len(chain) > 32 {
		return fmt.Errorf("step %q: child sequences are nested deeper than 32", n.Name)
	}
	c.program.code[i].child = child
	c.write([]byte(id))
	c.write(child.Export())
	return c.nodes(child.Nodes, i, off, append(chain[:len(chain):len(chain)], id))
}

// group is the name of the closest group or child sequence around an instruction.
func (p *program) group(i int) string {
	if up := p.code[i].parent; up >= 0 {
		return p.code[up].node.Name
	}
	return ""
}
