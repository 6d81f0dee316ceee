package command

import (
	"errors"
	"fmt"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/agent/inventory"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/fact"
)

func gather(environment wire.Environment) func() *fact.Sheet {
	return func() *fact.Sheet { return inventory.Local(sheetEnvironment(environment)) }
}

func sheetEnvironment(environment wire.Environment) string {
	if environment == wire.WinPE {
		return "winpe"
	}
	return "fullos"
}

// printFacts writes the fact sheet of this machine.
func printFacts(s Streams) error {
	environment := wire.FullOS
	if args, err := host.Local(wire.FullOS).BootArgs(); err == nil && (args[wire.ArgURL] != "" || args[wire.ArgMedia] != "") {
		environment = wire.WinPE
	}
	sheet := inventory.Local(sheetEnvironment(environment))
	if sheet == nil {
		return errors.New("the facts of this operating system are not gathered")
	}
	data, err := sheet.YAML()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.Out, "# gathered by bootyard-agent facts; bootyard sequence simulate FILE --facts reads it\n", string(data))
	return err
}
