package cli

import (
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newDeviceCommand(env *environment) *cobra.Command {
	const folder = "/devices/"
	return group("device", "Machines the site knows",
		list(env, "List devices", "/devices", table[wire.Device]{
			empty:  "no devices: make one known with 'bootyard device import NAME --mac MAC', or let it boot from the network",
			header: []any{"NAME", "MAC", "UUID", "FIRMWARE", "ADDRESS", "KIND", "LAST SEEN"},
			cells: func(d wire.Device) []any {
				return []any{d.Name, strings.Join(d.MACs, ","), d.UUID, d.Firmware, d.Address, d.Kind, when(d.LastSeen)}
			},
		}),
		newDeviceImportCommand(env), newDeviceShowCommand(env), newDeviceFactsCommand(env),
		newVariableSetCommand(env, "DEVICE", folder), newVariableListCommand(env, "DEVICE", folder),
		newWakeCommand(env),
		action(env, "approve DEVICE", "Trust a device with secrets", http.MethodPost, at(folder, "/approve"), "%s is approved"),
		action(env, "delete DEVICE", "Remove a device from the site", http.MethodDelete, at(folder, ""), "device %s deleted"),
		action(env, "clear-pxe DEVICE", "Clear required PXE deployments, so that the newest is handed out again (PXE-17)",
			http.MethodPost, at(folder, "/clear-pxe"), "boot %s from the network to start its newest Required deployment"),
	)
}

func newDeviceImportCommand(env *environment) *cobra.Command {
	in := wire.DeviceImport{}
	var firmware string
	c := &cobra.Command{
		Use: "import NAME [--mac MAC]... [--uuid UUID]", Short: "Make a machine known before it boots, or change it (COL-17)",
		Example: `  bootyard device import lab-01 --mac 52:54:00:12:34:56
  bootyard device import lab-02 --uuid 564d1f3a-0c5e-4a5b-9a55-6b1f2c3d4e5f --zone Europe/Amsterdam`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.Firmware = args[0], wire.Firmware(firmware)
			d, err := post[wire.Device](cmd.Context(), env, "/devices", in)
			if err != nil {
				return err
			}
			return printDevice(env, d)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&in.MACs, "mac", nil, "MAC address as 00:11:22:33:44:55, repeatable")
	f.StringVar(&in.UUID, "uuid", "", "SMBIOS UUID")
	f.StringVar(&firmware, "firmware", "", "bios or uefi, if it is known")
	f.StringVar(&in.Arch, "arch", "", "amd64 or arm64")
	f.StringVar(&in.Zone, "zone", "", "IANA time zone, e.g. Europe/Amsterdam")
	f.StringVar(&in.Address, "address", "", "last known IPv4 address (for Wake-on-LAN)")
	f.IntVar(&in.Prefix, "prefix", 0, "bits of its network, e.g. 24")
	f.BoolVar(&in.Server, "server", false, "it runs a server OS (HRD-12)")
	return c
}

func newDeviceShowCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "show DEVICE", Short: "Show one device (by id, name, MAC or UUID)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := get[wire.Device](cmd.Context(), env, "/devices/"+esc(args[0]))
			if err != nil {
				return err
			}
			return printDevice(env, d)
		},
	}
}

func newDeviceFactsCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "facts DEVICE", Short: "Print what a device said of itself when its latest run began, for 'sequence simulate --facts'",
		Example: `  bootyard device facts lab-01 > lab-01.yaml
  bootyard sequence simulate BYD00003 --facts lab-01.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := get[wire.FactSheet](cmd.Context(), env, "/devices/"+esc(args[0])+"/facts")
			if err != nil {
				return err
			}
			return env.print(f, func(w *tabwriter.Writer) {
				_, _ = fmt.Fprintf(w, "# %s, %s\n%s", args[0], f.Time.UTC().Format(time.RFC3339), f.YAML)
			})
		},
	}
}

func printDevice(env *environment, d wire.Device) error {
	return env.print(d, func(w *tabwriter.Writer) {
		row(w, "id", d.ID)
		row(w, "name", d.Name)
		row(w, "kind", d.Kind)
		row(w, "MAC", strings.Join(d.MACs, ", "))
		row(w, "UUID", d.UUID)
		row(w, "firmware", d.Firmware)
		row(w, "hardware", strings.TrimSpace(d.Manufacturer+" "+d.Model))
		row(w, "serial", d.Serial)
		row(w, "address", d.Address)
		row(w, "time zone", d.Zone)
		row(w, "OS", strings.TrimSpace(d.OSName+" "+d.HostName))
		row(w, "agent", yes(d.Agent))
		row(w, "approved", yes(d.Approved))
		row(w, "created", when(&d.Created))
		row(w, "last seen", when(d.LastSeen))
	})
}

// newVariableSetCommand sets device or collection variables (COL-13, COL-14).
func newVariableSetCommand(env *environment, what, folder string) *cobra.Command {
	var hidden, ask bool
	c := &cobra.Command{
		Use: "set " + what + " NAME=VALUE...", Short: "Set variables; an empty value removes one, with --ask the machine asks for it", Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, pair := range args[1:] {
				if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
					return wrongUsage("variable %q is not of the form NAME=VALUE", name)
				}
			}
			for _, pair := range args[1:] {
				name, value, _ := strings.Cut(pair, "=")
				v := wire.Variable{Name: name, Value: value, Hidden: hidden, Ask: ask && value == ""}
				if err := act(cmd.Context(), env, http.MethodPut, folder+esc(args[0])+"/variables/"+esc(name), v); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&hidden, "hidden", false, "never show the value again (COL-13)")
	c.Flags().BoolVar(&ask, "ask", false, "keep NAME= without a value: who starts a sequence at the machine is asked for it (TS-17)")
	return c
}

func newVariableListCommand(env *environment, what, folder string) *cobra.Command {
	c := listOf(env, "variables "+what, "List variables; hidden values stay hidden (COL-13)",
		func(_ *cobra.Command, args []string) string { return folder + esc(args[0]) + "/variables" },
		table[wire.Variable]{
			empty:  "no variables: set one with 'set " + what + " NAME=VALUE'",
			header: []any{"NAME", "VALUE"},
			cells: func(v wire.Variable) []any {
				switch {
				case v.Ask:
					return []any{v.Name, "(asked for at the machine)"}
				case v.Hidden:
					return []any{v.Name, "(hidden)"}
				}
				return []any{v.Name, v.Value}
			},
		})
	c.Args = cobra.ExactArgs(1)
	return c
}
