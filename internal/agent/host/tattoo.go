package host

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// tattooKey is where MDT leaves its facts, and inventories look for them.
const tattooKey = `HKLM\SOFTWARE\Microsoft\Deployment 4`

// RegistryTattoo is a machine.Tattoo of the running Windows, by reg.exe.
type RegistryTattoo struct {
	Programs machine.Programs
	Now      func() time.Time
}

// Tattoo implements machine.Tattoo.
func (t RegistryTattoo) Tattoo(ctx context.Context, prefix string, facts []machine.Fact) (string, error) {
	for _, f := range stamped(prefix, facts, t.Now()) {
		exit, err := t.Programs.Start(ctx, machine.Program{Name: "reg.exe", Args: []string{"add", tattooKey, "/v", f.Name, "/t", "REG_SZ", "/d", f.Value, "/f"}, Timeout: time.Minute})
		if err != nil {
			return "", fmt.Errorf("write to %s: %w", tattooKey, err)
		}
		if exit.Code != 0 {
			return "", fmt.Errorf("write to %s: reg.exe ended with exit code %d", tattooKey, exit.Code)
		}
	}
	return tattooKey, nil
}

// stamped adds the moment and whose facts these are.
func stamped(prefix string, facts []machine.Fact, now time.Time) []machine.Fact {
	if prefix == "" {
		prefix = "Deployment"
	}
	return append(append([]machine.Fact(nil), facts...), machine.Fact{Name: prefix + "Timestamp", Value: now.UTC().Format(time.RFC3339)}, machine.Fact{Name: prefix + "Toolkit", Value: "bootyard"})
}

// shellQuoted is a value as a shell reads it back, on one line.
func shellQuoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(s) + `"`
}
