package agent

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/agent/outbox"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// drivers is the engine's machine.Drivers: the machine says which devices it has, the appliance which drivers there are.
type drivers struct {
	line  outbox.Line
	clock link.Clock
	wait  link.Backoff
	say   func(format string, args ...any)
	sheet *fact.Sheet
}

// Devices implements machine.Drivers. Devices without ids of their own need no driver.
func (d *drivers) Devices(ctx context.Context) ([]machine.Device, error) {
	list, err := pnpEntities(ctx, d.sheet)
	if err != nil {
		return nil, err
	}
	var out []machine.Device
	for _, i := range list {
		device := machine.Device{Name: property(i, "Name"), HardwareIDs: properties(i, "HardwareID"), CompatibleIDs: properties(i, "CompatibleID")}
		if len(device.HardwareIDs) == 0 {
			continue
		}
		if device.Name == "" {
			device.Name = device.HardwareIDs[0]
		}
		out = append(out, device)
	}
	return out, nil
}

// Offers implements machine.Drivers. It waits for an appliance that is away.
func (d *drivers) Offers(ctx context.Context, devices []machine.Device, categories []string) ([]machine.DriverOffer, error) {
	q := wire.DriverQuery{Categories: categories, Arch: runtime.GOARCH}
	for _, device := range devices {
		q.IDs = append(append(q.IDs, device.HardwareIDs...), device.CompatibleIDs...)
	}
	if len(q.IDs) > wire.MaxDriverIDs {
		return nil, fmt.Errorf("the devices have more than %d ids", wire.MaxDriverIDs)
	}
	var a wire.DriverAnswer
	err := link.Retry(ctx, d.clock, d.wait, func(err error, wait time.Duration) {
		d.say("drivers: the appliance does not answer (%v), next try in %s", err, wait.Round(time.Second))
	}, func(ctx context.Context) error {
		return d.line.Do(ctx, http.MethodPost, wire.PathDrivers, q, &a)
	})
	if err != nil {
		return nil, err
	}
	offers := make([]machine.DriverOffer, 0, len(a.Drivers))
	for _, o := range a.Drivers {
		offers = append(offers, machine.DriverOffer{PackageID: o.Package, Name: o.Name, IDs: o.IDs, Date: o.Date, Version: o.Version})
	}
	return offers, nil
}

func property(i fact.Instance, name string) string {
	v, _ := i.Property(name)
	s, _ := v.(string)
	return s
}

func properties(i fact.Instance, name string) (list []string) {
	v, _ := i.Property(name)
	values, _ := v.([]any)
	for _, v := range values {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}
