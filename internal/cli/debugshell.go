package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// keyClose leaves a shell that does not end: Ctrl and ].
	keyClose = 0x1d
	// keyEnd tells a terminal that the input has ended: Ctrl and D.
	keyEnd = 0x04
	// presence is how often a person at the prompt is told to be there.
	presence = 30 * time.Second
	// maxDebugLine bounds a line at the prompt.
	maxDebugLine = 4096
)

func newShellCommand(env *environment) *cobra.Command {
	var command string
	c := &cobra.Command{
		Use: "shell RUN|DEVICE", Short: "Open a shell in the boot environment of a run that is paused in the debugger", Args: cobra.ExactArgs(1),
		Long: `Open a shell on a machine whose task sequence is paused in the debugger, in the
boot environment only (DBG-3). It needs scope admin and is recorded. Ctrl-] leaves
a shell that does not end by itself. With --command it runs that, prints what it
prints, and fails when it fails.`,
		Example: `  bootyard run shell lab-01
  bootyard run shell lab-01 --command 'lsblk; dmesg | tail'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.shell(cmd.Context(), args[0], command, nil)
		},
	}
	c.Flags().StringVar(&command, "command", "", "run this command line instead")
	return c
}

// keyboard reads the input once for prompt and shell. Its goroutine ends with the input or with the process: a read of a
// terminal cannot be interrupted.
type keyboard struct {
	pieces chan []byte
	rest   []byte
}

func newKeyboard(in io.Reader) *keyboard {
	k := &keyboard{pieces: make(chan []byte)}
	go func() {
		defer close(k.pieces)
		for {
			buf := make([]byte, 4096)
			n, err := in.Read(buf)
			if n > 0 {
				k.pieces <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return k
}

// line reads a line; ok is false at the end of the input. idle is called now and then meanwhile.
func (k *keyboard) line(ctx context.Context, idle func(context.Context)) (line string, ok bool) {
	tick := time.NewTicker(presence)
	defer tick.Stop()
	for {
		if i := bytes.IndexByte(k.rest, '\n'); i >= 0 || len(k.rest) > maxDebugLine {
			if i < 0 {
				i = maxDebugLine
			}
			line, k.rest = string(k.rest[:i]), k.rest[i+1:]
			return line, true
		}
		select {
		case piece, more := <-k.pieces:
			if !more {
				line, k.rest = string(k.rest), nil
				return line, line != ""
			}
			k.rest = append(k.rest, piece...)
		case <-tick.C:
			idle(ctx)
		case <-ctx.Done():
			return "", false
		}
	}
}

// shell connects this terminal to a shell on a machine. keys may be nil.
func (env *environment) shell(ctx context.Context, ref, command string, keys *keyboard) error {
	open := wire.ShellOpen{Command: command}
	f, _ := env.in.(*os.File)
	interactive := command == "" && f != nil && term.IsTerminal(int(f.Fd()))
	if interactive {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil {
			open.Rows, open.Columns = rows, columns
		}
	}
	path := "/runs/" + esc(ref) + "/shells"
	order, err := post[wire.ShellOrder](ctx, env, path, open)
	if err != nil {
		return err
	}
	path += "/" + esc(order.ID)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if command == "" {
		if keys == nil {
			keys = newKeyboard(env.in)
		}
		if interactive {
			fmt.Fprintln(env.err, "shell in the boot environment; 'exit' ends it, Ctrl-] leaves it")
			old, err := term.MakeRaw(int(f.Fd()))
			if err != nil {
				return fmt.Errorf("prepare the terminal: %w", err)
			}
			defer func() { _ = term.Restore(int(f.Fd()), old) }()
		}
		typed := make(chan struct{})
		defer func() { cancel(); <-typed }()
		go func() { // ends with ctx
			defer close(typed)
			env.types(ctx, path, keys)
		}()
	}
	code, message, err := env.prints(ctx, path)
	switch {
	case err != nil:
		// Nobody listens any more: the machine need not wait until it notices.
		_ = act(context.WithoutCancel(ctx), env, http.MethodPost, path+"/input", wire.ShellChunk{Closed: true})
		return err
	case message != "":
		return fmt.Errorf("the shell was closed: %s", oneLine(message))
	case code != 0 && command != "":
		return fmt.Errorf("the command ended with code %d", code)
	}
	return nil
}

// types sends what is typed until the shell has ended.
func (env *environment) types(ctx context.Context, path string, keys *keyboard) {
	var offset int64
	pieces := keys.pieces
	for {
		piece := keys.rest
		if keys.rest = nil; len(piece) == 0 {
			var more bool
			select {
			case piece, more = <-pieces:
				if !more {
					piece, pieces = []byte{keyEnd}, nil // and never again
				}
			case <-ctx.Done():
				return
			}
		}
		chunk := wire.ShellChunk{Offset: offset, Data: piece}
		if i := bytes.IndexByte(piece, keyClose); i >= 0 {
			chunk.Data, chunk.Closed = piece[:i], true
		}
		taken, err := post[wire.ShellTaken](ctx, env, path+"/input", chunk)
		if err != nil || taken.Closed {
			return
		}
		offset = taken.Offset
	}
}

// prints writes what the shell prints until it has ended.
func (env *environment) prints(ctx context.Context, path string) (code int, message string, err error) {
	for offset := int64(0); ; {
		chunk, err := get[wire.ShellChunk](ctx, env, fmt.Sprintf("%s/output?offset=%d&hold=%d", path, offset, debugHold))
		if err != nil {
			return 0, "", err
		}
		if _, err := env.out.Write(chunk.Data); err != nil {
			return 0, "", errors.Join(errors.New("print what the shell says"), err)
		}
		offset += int64(len(chunk.Data))
		if chunk.Closed {
			return chunk.Code, chunk.Message, nil
		}
	}
}
