package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Detach implements machine.Detacher. The program is not ended with the agent, and its output goes nowhere.
func (r Runner) Detach(line string) error {
	if strings.TrimSpace(line) == "" || strings.IndexByte(line, 0) >= 0 {
		return errors.New("the command line is empty or holds a zero byte")
	}
	// Not the caller's context: the program outlives whoever starts it.
	cmd, err := build(context.Background(), machine.Command{Line: line})
	if err != nil {
		return err
	}
	detached(cmd.SysProcAttr)
	cmd.Env = r.environ()
	cmd.Cancel = nil
	if cmd.Dir == "" {
		cmd.Dir = os.TempDir() // the agent's own folder may be about to go
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the program: %w", startCause(err))
	}
	return cmd.Process.Release()
}
