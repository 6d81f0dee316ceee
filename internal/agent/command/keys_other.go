//go:build !linux

package command

import (
	"errors"
	"os"
)

// hideTyping is not possible here: the consoles that are read are Linux's.
func hideTyping(*os.File) (shown func(), err error) {
	return nil, errors.New("typing is shown on this system")
}
