package inventory

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/winfact"
)

// Local gathers the machine this program runs on: what WMI says, and where there is no WMI, as in a small WinPE, what the
// firmware's own table says. environment is winpe or fullos.
func Local(environment string) *fact.Sheet {
	sheet := winfact.Gather(context.Background(), environment)
	o := Options{Arch: runtime.GOARCH, Environment: environment, SMBIOS: host.SMBIOS()}
	if environment == "fullos" {
		o.HostName, _ = os.Hostname()
	}
	if len(o.SMBIOS) == 0 {
		return sheet
	}
	g := &gatherer{Options: o, sheet: &fact.Sheet{}, smbios: parseSMBIOS(o.SMBIOS)}
	g.board()
	for _, c := range g.sheet.Classes {
		known := slices.ContainsFunc(sheet.Classes, func(have fact.Class) bool { return strings.EqualFold(have.Name, c.Name) })
		if !known {
			sheet.Add(c.Namespace, c.Name, c.Instances...)
		}
	}
	return sheet
}
