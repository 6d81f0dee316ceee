//go:build unix

package process

import "os/exec"

// tree is a program with all it starts.
type tree struct {
	cmd  *exec.Cmd
	mark string
}

func newTree(cmd *exec.Cmd, mark string) (*tree, error) { return &tree{cmd, mark}, nil }

// adopt is called once the program runs.
func (t *tree) adopt() error { return nil }

func (t *tree) kill() error { return killTree(t.cmd.Process.Pid, t.mark) }

// release forgets the tree; what still runs goes on.
func (t *tree) release() {}
