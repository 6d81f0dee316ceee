package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bootyard/bootyard/internal/wire"
)

func newPXEPasswordCommand(env *environment) *cobra.Command {
	var file string
	var remove bool
	c := &cobra.Command{
		Use: "pxe-password", Short: "Set the password that machines ask for when they start from the network (PXE-23)", Args: cobra.NoArgs,
		Long: `Set the password that somebody has to type at a machine that starts from the
network, before it is told what is deployed (PXE-23). It is asked for at the
terminal, or read from the first line of a file ('-' is standard input), never
from the command line, where other users could read it. The site keeps a salted
slow hash. Machines that have a session already are not asked.`,
		Example: "  bootyard settings pxe-password\n  bootyard settings pxe-password --file secret\n  bootyard settings pxe-password --remove",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var in wire.Password
			var err error
			switch {
			case remove && file != "":
				return wrongUsage("--remove and --file exclude each other")
			case remove:
			case file != "":
				in.Password, err = env.firstLine(file)
			default:
				in.Password, err = env.newPassword()
			}
			if err != nil {
				return err
			}
			if err := act(cmd.Context(), env, http.MethodPut, "/settings/pxe-password", in); err != nil {
				return err
			}
			if remove {
				fmt.Fprintln(env.err, "Machines that start from the network are not asked for a password any more.")
				return nil
			}
			fmt.Fprintln(env.err, "Machines that start from the network ask for this password from now on.")
			return nil
		},
	}
	c.Flags().StringVar(&file, "file", "", "read the password from the first line of this file; - is standard input")
	c.Flags().BoolVar(&remove, "remove", false, "ask for no password any more")
	return c
}

// maxPasswordFile bounds what is read.
const maxPasswordFile = 4096

func (env *environment) firstLine(file string) (string, error) {
	from := env.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		defer f.Close()
		from = f
	}
	line, err := bufio.NewReader(io.LimitReader(from, maxPasswordFile)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("the first line of the file is empty; --remove ends the password")
	}
	return line, nil
}

// newPassword asks twice, without showing what is typed.
func (env *environment) newPassword() (string, error) {
	f, ok := env.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", wrongUsage("there is no terminal to ask at: give the password by --file, - is standard input")
	}
	var typed [2]string
	for i, question := range []string{"New PXE password: ", "Once more: "} {
		fmt.Fprint(env.err, question)
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(env.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(line)
	}
	switch {
	case typed[0] != typed[1]:
		return "", errors.New("the two differ; nothing was changed")
	case typed[0] == "":
		return "", errors.New("the password is empty; --remove ends the password")
	}
	return typed[0], nil
}
