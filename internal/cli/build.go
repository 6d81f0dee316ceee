package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/images/bootimage"
	"github.com/bootyard/bootyard/images/osimage"
	"github.com/bootyard/bootyard/internal/wire"
)

const defaultCache = "/var/cache/bootyard"

func newBootImageBuildCommand(env *environment) *cobra.Command {
	var c bootimage.Config
	var name, agent string
	var register, makeDefault, update bool
	cmd := &cobra.Command{
		Use: "build", Short: "Build the boot environment from Debian's packages and register it", Args: cobra.NoArgs,
		Long: `Build the boot environment (kernel, modules, tools, agent) from Debian's packages
and register it with the appliance. The lock file names every package version; the
same lock file gives the same bytes. Run it on the appliance.

--update takes the current versions, writes them to the lock file named by --lock
(default: beside the image) and builds with it.`,
		Example: `  bootyard image boot build
  bootyard image boot build --update --lock bootimage-lock.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if register && env.remote() != "" {
				return wrongUsage("a boot image is built on the appliance: leave --url out, or give --register=false")
			}
			if c.AgentBinary, err = agentBinary(agent); err != nil {
				return err
			}
			if err := absolute(&c.OutDir, &c.CacheDir); err != nil {
				return err
			}
			p := env.progress()
			defer p.end()
			c.Progress = func(step string, done, total int) { p.show(fmt.Sprintf("[%d/%d] %s", done, total, step)) }
			if update {
				if c.LockFile, err = relock(cmd.Context(), c); err != nil {
					return err
				}
				p.show("package versions are now those of " + c.LockFile)
			}
			built, err := bootimage.Build(cmd.Context(), c)
			p.end()
			if err != nil {
				return err
			}
			if !register {
				return env.print(built, func(w *tabwriter.Writer) {
					row(w, "kernel", built.Kernel, size(built.KernelSize), built.KernelSHA256)
					row(w, "initramfs", built.Initramfs, size(built.InitramfsSize), built.InitramfsSHA256)
				})
			}
			id, err := registered(cmd.Context(), env, c.OutDir)
			if err != nil {
				return err
			}
			image, err := post[wire.BootImage](cmd.Context(), env, "/boot-images", wire.BootImage{
				ID: id, Name: name, Arch: "amd64", Dir: c.OutDir, Kernel: filepath.Base(built.Kernel), Initrd: filepath.Base(built.Initramfs),
				Ready: true, Default: makeDefault, Size: built.KernelSize + built.InitramfsSize, SHA256: built.InitramfsSHA256,
			})
			if err != nil {
				return err
			}
			return env.print(image, func(w *tabwriter.Writer) { row(w, image.ID, image.Name, size(image.Size)) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "bootyard boot environment", "name of the boot image")
	f.StringVar(&c.OutDir, "out", "/var/lib/bootyard/boot-images/default", "folder for kernel and initramfs")
	f.StringVar(&c.CacheDir, "cache", defaultCache, "folder for downloaded packages")
	f.StringVar(&c.LockFile, "lock", "", "lock file of package versions (default: the built-in one)")
	f.BoolVar(&update, "update", false, "take current package versions and write the lock file anew")
	f.BoolVar(&c.AllowRelock, "allow-relock", true, "take current versions when locked ones are gone from the mirror")
	f.IntVar(&c.CompressionLevel, "compression", 0, "zstd level 1-19 (default 19)")
	f.StringVar(&agent, "agent", "", "bootyard-agent for the machines (default: beside bootyard)")
	f.BoolVar(&register, "register", true, "register the image with the appliance")
	f.BoolVar(&makeDefault, "default", true, "use it for sequences that name no boot image")
	return cmd
}

// registered is the id of the boot image whose files are in dir, if one is: a
// newer build takes its place, and sequences keep what they name.
func registered(ctx context.Context, env *environment, dir string) (string, error) {
	images, err := get[[]wire.BootImage](ctx, env, "/boot-images")
	for _, i := range images {
		if i.Dir == dir {
			return i.ID, err
		}
	}
	return "", err
}

// relock writes the current versions of all packages to the lock file that c
// names, or to one beside the image, and returns its name.
func relock(ctx context.Context, c bootimage.Config) (string, error) {
	name := c.LockFile
	if name == "" {
		name = filepath.Join(c.OutDir, "bootimage-lock.json")
	}
	lock, err := bootimage.MakeLock(ctx, c)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", fmt.Errorf("make folder of the lock file: %w", err)
	}
	return name, lock.Write(name)
}

// absolute makes folders absolute: tools run in others.
func absolute(dirs ...*string) error {
	for _, d := range dirs {
		abs, err := filepath.Abs(*d)
		if err != nil {
			return fmt.Errorf("find %s: %w", *d, err)
		}
		*d = abs
	}
	return nil
}

// agentBinary finds the agent: named, beside this program, or where packages
// put it.
func agentBinary(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own program: %w", err)
	}
	for _, p := range []string{filepath.Join(filepath.Dir(self), "bootyard-agent"), "/usr/lib/bootyard/bootyard-agent"} {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", errors.New("bootyard-agent is not beside bootyard: build it with 'make build', or name it with --agent")
}

func newOSImageBuildCommand(env *environment) *cobra.Command {
	var c osimage.Config
	var name string
	var register bool
	cmd := &cobra.Command{
		Use: "build", Short: "Make a small real Debian as an OS image and import it (root)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := absolute(&c.OutDir, &c.CacheDir); err != nil {
				return err
			}
			if register && env.remote() != "" {
				return wrongUsage("the image is built and imported on the appliance: leave --url out, or give --import=false and 'bootyard image os import' it")
			}
			p := env.progress()
			c.Progress = p.show
			image, err := osimage.BuildDebian(cmd.Context(), c)
			p.end()
			if err != nil {
				return err
			}
			if !register {
				return env.print(image, func(w *tabwriter.Writer) { row(w, image.Path, size(image.Size), image.SHA256) })
			}
			return env.importFolder(cmd, "/packages", packageSource{Name: name, Kind: "osImage", Description: image.OSName}, c.OutDir)
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "Debian", "name of the image")
	f.StringVar(&c.OutDir, "out", "/var/lib/bootyard/os-images/debian", "folder for the image")
	f.StringVar(&c.CacheDir, "cache", defaultCache, "folder for finished images")
	f.StringVar(&c.Release, "release", "", "Debian release (default bookworm)")
	f.StringVar(&c.Mirror, "mirror", "", "Debian mirror (default: this machine's)")
	f.BoolVar(&c.Autologin, "autologin", false, "root shell on the serial line without a password: for labs only")
	f.BoolVar(&c.Refresh, "refresh", false, "take newer packages although a cached image is there")
	f.BoolVar(&register, "import", true, "import it into the content library")
	return cmd
}
