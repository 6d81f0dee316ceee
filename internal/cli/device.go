package cli

import (
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newDeviceCommand(env *environment) *cobra.Command {
	return group("device", "Machines the site knows",
		list(env, "list", "List devices", "/devices",
			[]any{"NAME", "MAC", "UUID", "FIRMWARE", "ADDRESS", "KIND", "LAST SEEN"},
			func(d wire.Device) []any {
				return []any{d.Name, strings.Join(d.MACs, ","), d.UUID, d.Firmware, d.Address, d.Kind, when(d.LastSeen)}
			}),
		newDeviceImportCommand(env), newDeviceShowCommand(env), newDeviceVariableCommand(env),
		deviceAction(env, "delete DEVICE", "Remove a device from the site", http.MethodDelete, ""),
		deviceAction(env, "clear-pxe DEVICE", "Clear required PXE deployments, so that the newest is handed out again (PXE-17)", http.MethodPost, "/clear-pxe"),
	)
}

func newDeviceImportCommand(env *environment) *cobra.Command {
	in := wire.DeviceImport{}
	var firmware string
	c := &cobra.Command{
		Use: "import NAME [--mac MAC]... [--uuid UUID]", Short: "Make a machine known before it boots (COL-17)",
		Example: "  bootyard device import lab-01 --mac 52:54:00:12:34:56",
		Args:    exactly(1),
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
		Use: "show DEVICE", Short: "Show one device (by id, name, MAC or UUID)", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := get[wire.Device](cmd.Context(), env, "/devices/"+esc(args[0]))
			if err != nil {
				return err
			}
			return printDevice(env, d)
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
		row(w, "OS", strings.TrimSpace(d.OSName+" "+d.HostName))
		row(w, "agent", yes(d.Agent))
		row(w, "last seen", when(d.LastSeen))
	})
}

func newDeviceVariableCommand(env *environment) *cobra.Command {
	return variableCommand(env, "DEVICE", "/devices/")
}

// variableCommand sets one device or collection variable (COL-13, COL-14).
func variableCommand(env *environment, what, path string) *cobra.Command {
	var hidden bool
	c := &cobra.Command{
		Use: "set " + what + " NAME=VALUE...", Short: "Set variables; an empty value removes one", Args: atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, pair := range args[1:] {
				name, value, ok := strings.Cut(pair, "=")
				if !ok {
					return usageError{errf("%q is not NAME=VALUE", pair)}
				}
				v := wire.Variable{Name: name, Value: value, Hidden: hidden}
				if err := act(cmd.Context(), env, http.MethodPut, path+esc(args[0])+"/variables/"+esc(name), v); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&hidden, "hidden", false, "never show the value again (COL-13)")
	return c
}

func deviceAction(env *environment, use, short, method, suffix string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := act(cmd.Context(), env, method, "/devices/"+esc(args[0])+suffix, nil); err != nil {
				return err
			}
			env.say("done")
			return nil
		}}
}
