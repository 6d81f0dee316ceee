package step

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bootyard/bootyard/tsengine/variable"
)

// exchangeVariable names the file to which a program on Linux appends NAME=VALUE lines to set variables: the place of
// the COM object that Windows scripts use (TS-95).
const exchangeVariable = "BOOTYARD_TSENV"

// maxExchange bounds what is read back.
const maxExchange = 4 << 20

type exchange struct{ path string }

func newExchange() (*exchange, error) {
	f, err := os.CreateTemp("", "tsenv-*") // mode 0600: values may be secret
	if err != nil {
		return nil, fmt.Errorf("make the variable file: %w", err)
	}
	return &exchange{f.Name()}, f.Close()
}

func (x *exchange) environment() []string { return []string{exchangeVariable + "=" + x.path} }

func (x *exchange) remove() { _ = os.Remove(x.path) }

// apply sets the variables a program asked for. All lines are tried; read-only names and bad lines are an error of the
// step (TS-88).
func (x *exchange) apply(c *Context) error {
	f, err := os.Open(x.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the program took it away and so sets nothing
	}
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxExchange+1))
	if err != nil {
		return err
	}
	if len(text) > maxExchange {
		return fmt.Errorf("more than %d bytes in the file named by %s", maxExchange, exchangeVariable)
	}
	var errs []error
	for _, line := range strings.Split(string(text), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			errs = append(errs, errors.New("a line is not NAME=VALUE"))
			continue
		}
		if err := c.assign(variable.Assignment{Name: name, Value: value}); err != nil {
			errs = append(errs, err)
		}
		if len(errs) > 20 {
			break
		}
	}
	return errors.Join(errs...)
}
