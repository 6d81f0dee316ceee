package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// tattooFile has the form of os-release, so that a shell script can read it.
const tattooFile = "/etc/deployment-release"

// Tattoo is a machine.Tattoo of the running Linux system: a file that lies beside os-release and is written like it.
type Tattoo struct {
	Linux
	Now func() time.Time
}

// Tattoo implements machine.Tattoo.
func (t Tattoo) Tattoo(_ context.Context, prefix string, facts []machine.Fact) (string, error) {
	var out strings.Builder
	before, err := os.ReadFile(t.path(tattooFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the facts of an earlier deployment: %w", err)
	}
	// The facts of the image's capture outlive the deployments of the image, and the other way round.
	for line := range strings.Lines(string(before)) {
		if strings.Contains(line, "=") && strings.HasPrefix(line, "CAPTURE") != (prefix != "") {
			out.WriteString(strings.TrimRight(line, "\n") + "\n")
		}
	}
	for _, f := range stamped(prefix, facts, t.Now()) {
		out.WriteString(strings.ToUpper(f.Name) + "=" + shellQuoted(f.Value) + "\n")
	}
	if err := atomicfile.Write(t.path(tattooFile), []byte(out.String()), 0o644); err != nil {
		return "", err
	}
	return tattooFile, nil
}
