package agent

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/fact"
)

// factSheet is gathered anew for each engine: a restart leads into another environment, and disks come and go.
func (j *job) factSheet() *fact.Sheet {
	if j.kit.facts == nil {
		return nil
	}
	return j.kit.facts()
}

// sendFacts shows the appliance what this machine is, once for each start of the engine. The run does not depend on it, so
// it is tried once and shortly.
func (j *job) sendFacts(ctx context.Context) {
	if j.sheet == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	data, err := j.sheet.YAML()
	if err == nil && len(data) <= wire.MaxFactSheet {
		err = j.line.Do(ctx, http.MethodPut, wire.PathFacts, wire.FactSheet{YAML: string(data)}, nil)
	}
	if err != nil {
		j.kit.log.Info("the facts of this machine were not sent", "err", err)
	}
}

// hardware is what becomes _SMSTSMake and its like (TS-96, TS-97).
func hardware(id wire.Identity, sheet *fact.Sheet) tsengine.Hardware {
	hw := tsengine.Hardware{UEFI: id.Firmware == wire.UEFI, SecureBoot: "NA", Make: id.Manufacturer, Model: id.Model, SerialNumber: id.Serial,
		AssetTag: id.AssetTag, UUID: id.UUID, MACAddresses: id.MACs}
	for _, address := range id.Addresses {
		bare, _, _ := strings.Cut(address, "/")
		hw.IPAddresses = append(hw.IPAddresses, bare)
	}
	hw.DefaultGateways = gateways(sheet)
	if hw.UEFI {
		if hw.SecureBoot = "Disabled"; id.SecureBoot {
			hw.SecureBoot = "Enabled"
		}
	}
	return hw
}

// gateways are the default gateways of all network cards, each once (TS-96).
func gateways(sheet *fact.Sheet) []string {
	if sheet == nil {
		return nil
	}
	var list []string
	for _, c := range sheet.Classes {
		if !strings.EqualFold(c.Name, "Win32_NetworkAdapterConfiguration") {
			continue
		}
		for _, i := range c.Instances {
			value, _ := i.Property("DefaultIPGateway")
			addresses, _ := value.([]any)
			for _, a := range addresses {
				if text, ok := a.(string); ok && !slices.Contains(list, text) {
					list = append(list, text)
				}
			}
		}
	}
	return list
}
