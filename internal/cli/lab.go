package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/lab"
)

func newLabCommand(env *environment) *cobra.Command {
	var cfg lab.Config
	c := group("lab", "An isolated network on this machine with QEMU machines that really boot",
		newLabUpCommand(env, &cfg), newLabDownCommand(env, &cfg), newLabBootCommand(env, &cfg),
		newLabListCommand(env, &cfg), newLabStopCommand(env, &cfg), newLabServeCommand(env, &cfg))
	c.PersistentFlags().StringVar(&cfg.Name, "name", lab.DefaultName, "name of the lab")
	return c
}

func newLabUpCommand(env *environment, cfg *lab.Config) *cobra.Command {
	var subnet string
	c := &cobra.Command{
		Use: "up", Short: "Make the lab: a switch and a server host; it stays until 'lab down'", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			one := *cfg
			one.Persist, one.Logger = true, env.logger(slog.LevelWarn)
			if subnet != "" {
				p, err := netip.ParsePrefix(subnet)
				if err != nil {
					return wrongUsage("--subnet %q is not a network like %s", subnet, lab.DefaultSubnet)
				}
				one.Subnet = p
			}
			l, err := lab.Up(cmd.Context(), one)
			if err != nil {
				return err
			}
			accel, why, err := lab.ProbeAccel(cmd.Context(), "")
			if err != nil {
				return err
			}
			env.say("lab %s is up: server %s on %s, machines run by %s (%s)", l.Name(), l.Server().Addr(), l.Subnet(), accel, why)
			env.say("next: 'bootyard lab serve bootyard.yaml' with interface %s, then 'bootyard lab boot MACHINE'", lab.HostInterface)
			return nil
		},
	}
	c.Flags().StringVar(&subnet, "subnet", "", "IPv4 network of the lab (default "+lab.DefaultSubnet+")")
	return c
}

func newLabDownCommand(env *environment, cfg *lab.Config) *cobra.Command {
	return &cobra.Command{
		Use: "down", Short: "Remove the lab with all its machines and disks", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return lab.Down(cmd.Context(), *cfg)
		},
	}
}

func newLabListCommand(env *environment, _ *lab.Config) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List labs and their machines", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			labs, err := lab.List("")
			if err != nil {
				return err
			}
			if len(labs) == 0 {
				labs = []lab.Status{} // null is no list
				if !env.json {
					fmt.Fprintln(env.err, "no labs: make one with 'bootyard lab up'")
					return nil
				}
			}
			return env.print(labs, func(w *tabwriter.Writer) {
				row(w, "LAB", "NETWORK", "MACHINE", "FIRMWARE", "MAC", "RUNNING", "CONSOLE LOG")
				for _, l := range labs {
					if len(l.Machines) == 0 {
						row(w, l.Name, l.Subnet, "", "", "", "", "")
					}
					for _, m := range l.Machines {
						row(w, l.Name, l.Subnet, m.Name, m.Firmware, m.MAC, yes(m.Running), m.Console)
					}
				}
			})
		},
	}
}

func newLabServeCommand(env *environment, cfg *lab.Config) *cobra.Command {
	return &cobra.Command{
		Use: "serve CONFIG", Short: "Run 'bootyard serve' on the lab's server host until interrupted", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*cfg)
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find own program: %w", err)
			}
			serve := l.Server().Command(cmd.Context(), self, "serve", "--config", args[0])
			serve.Stdout, serve.Stderr = env.out, env.err
			err = serve.Run()
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
}

func newLabStopCommand(env *environment, cfg *lab.Config) *cobra.Command {
	return &cobra.Command{
		Use: "stop MACHINE", Short: "Pull a machine's power plug; its disk stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.Open(*cfg)
			if err != nil {
				return err
			}
			m, err := l.Machine(args[0])
			if err != nil {
				return err
			}
			return m.Stop(cmd.Context())
		},
	}
}

type labBoot struct {
	spec                    lab.MachineSpec
	firmware, disk, rtc, on string
	order                   []string
	wait                    bool
}

func newLabBootCommand(env *environment, cfg *lab.Config) *cobra.Command {
	var o labBoot
	c := &cobra.Command{
		Use: "boot MACHINE", Short: "Power a machine on; it keeps its disk from one time to the next", Args: cobra.ExactArgs(1),
		Example: "  bootyard lab boot pc1 --firmware uefi --disk nvme:8G --order network,disk",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.spec.Name = args[0]
			return runLabBoot(cmd.Context(), env, *cfg, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.firmware, "firmware", "bios", "bios, uefi, uefi-http or uefi-secureboot")
	f.StringVar(&o.spec.MAC, "mac", "", "MAC address (default: made from the names)")
	f.StringVar(&o.spec.UUID, "uuid", "", "SMBIOS UUID (default: made from the names)")
	f.IntVar(&o.spec.MemoryMiB, "memory", 0, "memory in MiB (default 1536)")
	f.StringVar(&o.spec.NIC, "nic", "", "network card: virtio-net-pci, e1000, e1000e")
	f.StringVar(&o.disk, "disk", "virtio:8G", "comma list of bus:size, bus one of virtio, scsi, ahci, nvme, usb")
	f.StringVar(&o.spec.CDROM, "cdrom", "", "ISO file")
	f.StringSliceVar(&o.order, "order", nil, "boot order: network, disk, cd, usb")
	f.StringVar(&o.rtc, "rtc", "", "hardware clock at power-on, e.g. 2001-01-01")
	f.StringVar(&o.on, "on", "now", "now, or magic-packet: stay off until one arrives")
	f.BoolVar(&o.wait, "console", false, "stay and print the console until the machine is off")
	return c
}

func runLabBoot(ctx context.Context, env *environment, cfg lab.Config, o labBoot) error {
	spec, err := o.machine()
	if err != nil {
		return usageError{err}
	}
	l, err := lab.Open(cfg)
	if err != nil {
		return err
	}
	m, err := powerOn(ctx, env, l, spec, o.on)
	if err != nil {
		return err
	}
	env.say("%s is on (%s, MAC %s); console: %s", m.Name(), m.Accel(), m.MAC(), m.ConsoleLog())
	if !o.wait {
		return nil
	}
	return followConsole(ctx, env, m)
}

// machine is what the flags ask for; an error is wrong usage.
func (o labBoot) machine() (lab.MachineSpec, error) {
	spec := o.spec
	spec.Firmware = lab.Firmware(o.firmware)
	for _, b := range o.order {
		spec.BootOrder = append(spec.BootOrder, lab.BootDevice(b))
	}
	var err error
	if spec.Disks, err = parseDisks(o.disk); err != nil {
		return spec, err
	}
	if o.rtc != "" {
		if spec.RTC, err = time.Parse(time.DateOnly, o.rtc); err != nil {
			return spec, fmt.Errorf("--rtc %q is not a date like 2001-01-01", o.rtc)
		}
	}
	if o.on != "now" && o.on != "magic-packet" {
		return spec, fmt.Errorf("--on %q is not now or magic-packet", o.on)
	}
	return spec, nil
}

func powerOn(ctx context.Context, env *environment, l *lab.Lab, spec lab.MachineSpec, on string) (*lab.Machine, error) {
	if on == "now" {
		return l.Boot(ctx, spec)
	}
	s, err := l.Sleep(ctx, spec, nil)
	if err != nil {
		return nil, err
	}
	env.say("%s sleeps and listens for a magic packet for %s", spec.Name, s.Spec().MAC)
	m, woken, err := s.Wait(ctx)
	if err == nil {
		env.say("woken at %s", when(&woken.At))
	}
	return m, err
}

// followConsole copies the console to the terminal until the machine is off.
func followConsole(ctx context.Context, env *environment, m *lab.Machine) error {
	c := m.ConsoleFrom(m.ConsoleStart())
	for {
		match, err := c.Wait(ctx, `[^\n]*\n`)
		if errors.Is(err, lab.ErrExited) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(env.out, oneLine(strings.TrimRight(match.Text, "\n")))
	}
}

func parseDisks(text string) ([]lab.Disk, error) {
	var out []lab.Disk
	for _, one := range strings.Split(text, ",") {
		bus, amount, ok := strings.Cut(strings.TrimSpace(one), ":")
		if !ok {
			return nil, fmt.Errorf("disk %q is not bus:size, e.g. nvme:8G", one)
		}
		number, shift := strings.TrimSuffix(amount, "G"), 30
		if strings.HasSuffix(amount, "M") {
			number, shift = strings.TrimSuffix(amount, "M"), 20
		}
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("disk %q: size is a number of M or G", one)
		}
		out = append(out, lab.Disk{Bus: lab.Bus(bus), Size: n << shift})
	}
	return out, nil
}

func (env *environment) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(env.err, &slog.HandlerOptions{Level: level}))
}
