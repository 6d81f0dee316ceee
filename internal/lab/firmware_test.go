package lab_test

import (
	"testing"
	"time"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/stretchr/testify/require"
)

// Every firmware kind and card starts and reaches the network or its boot menu.
func TestEveryFirmwareStarts(t *testing.T) {
	needVM(t)
	l := up(t, config(t))
	tests := []struct {
		name string
		spec lab.MachineSpec
		mark string
	}{
		{"secureboot", lab.MachineSpec{Firmware: lab.UEFISecureBoot, RTC: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)}, `PXE over IPv4`},
		{"http", lab.MachineSpec{Firmware: lab.UEFIHTTP, RTC: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)}, `HTTP Boot over IPv4`},
		{"e1000e", lab.MachineSpec{Firmware: lab.UEFI, NIC: "e1000e", CPUs: 2}, `BdsDxe: starting .*|PXE`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := within(t, 2*time.Minute)
			tt.spec.Name = tt.name
			m, err := l.Boot(ctx, tt.spec)
			require.NoError(t, err)
			_, err = m.WaitConsole(ctx, tt.mark)
			require.NoError(t, err)
			require.NoError(t, m.Stop(ctx))
		})
	}
}
