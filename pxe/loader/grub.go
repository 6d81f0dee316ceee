package loader

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/pxe/script"
)

// grubTarget is a platform for which a GRUB image is built when its modules are installed.
type grubTarget struct {
	format, cpu, pkg string
	always           bool // say so when it is missing
}

var grubTargets = []grubTarget{
	{"x86_64-efi", "x64", "grub-efi-amd64-bin", true},
	{"i386-efi", "ia32", "grub-efi-ia32-bin", false},
	{"arm64-efi", "arm64", "grub-efi-arm64-bin", false},
}

// grubModules is what the embedded configuration and the boot scripts use.
var grubModules = []string{"boot", "chain", "configfile", "echo", "efinet", "ext2", "fat", "halt", "http", "linux", "minicmd", "net",
	"normal", "part_gpt", "part_msdos", "reboot", "search", "search_fs_file", "search_fs_uuid", "sleep", "smbios", "test", "tftp", "true"}

// grubConfig is the configuration inside the image. It asks the appliance at its fixed address, because beside somebody
// else's DHCP server GRUB takes the boot server from the wrong reply (netboot-facts section 3). After the firmware's own
// PXE the network is up already; after HTTP boot it is not. The loop ends at the local disk.
func grubConfig(server netip.AddrPort) string {
	host := server.Addr().String()
	if server.Port() != 80 {
		host = net.JoinHostPort(host, fmt.Sprint(server.Port()))
	}
	return `set byd_server=` + host + `
smbios --type 1 --get-uuid 8 --set byd_uuid
for byd_try in 1 2 3 4 5; do
  if [ "$byd_ok" != "1" ]; then
    if [ -z "$net_default_mac" ]; then net_bootp; fi
    source (http,$byd_server)/boot/grub/$net_default_mac/$byd_uuid
    if [ "$byd_ok" != "1" ]; then
      echo "bootyard: no boot from $byd_server, try $byd_try of 5"
      if [ "$byd_try" = "1" ]; then sleep 2; else sleep 10; fi
      if [ "$byd_try" = "3" ]; then net_bootp; fi
    fi
  fi
done
if [ "$byd_ok" != "1" ]; then
  echo 'bootyard: giving up, starting the local disk'
` + script.GRUBLocal + `
fi
`
}

// missingGRUB says which platforms everybody needs have no GRUB.
func missingGRUB(root string) (errs []error) {
	for _, t := range grubTargets {
		if _, err := os.Stat(filepath.Join(t.dir(root), "http.mod")); err != nil && t.always {
			errs = append(errs, fmt.Errorf("%w: GRUB for %s UEFI; apt-get install %s grub-common", ErrMissing, t.cpu, t.pkg))
		}
	}
	if _, err := exec.LookPath("grub-mkstandalone"); err != nil {
		errs = append(errs, fmt.Errorf("%w: grub-mkstandalone for UEFI; apt-get install grub-common", ErrMissing))
	}
	return errs
}

func (t grubTarget) dir(root string) string { return filepath.Join(root, "usr/lib/grub", t.format) }

// addGRUB builds or finds the image of one platform.
func (c *Catalog) addGRUB(ctx context.Context, server netip.AddrPort, t grubTarget) error {
	dir := t.dir(c.cfg.Root)
	tool, err := exec.LookPath("grub-mkstandalone")
	if err != nil {
		return nil // missingGRUB has said so
	}
	if _, err := os.Stat(filepath.Join(dir, "http.mod")); err != nil {
		return nil
	}
	if !server.Addr().Is4() || server.Port() == 0 {
		return fmt.Errorf("GRUB image for %s: needs an IPv4 address and port", server)
	}
	modules, err := hashModules(dir)
	if err != nil {
		return fmt.Errorf("read GRUB modules: %w", err)
	}
	data, err := grubImage(ctx, c.cfg.Cache, tool, dir, t, server, modules)
	if err != nil {
		return fmt.Errorf("build GRUB image for %s: %w", t.format, err)
	}
	// The name is the one that pxe.GRUBName asks for.
	name := fmt.Sprintf("grub-%s-%s-%d.efi", t.cpu, server.Addr(), server.Port())
	c.add(Loader{Name: name, For: t.cpu + " UEFI, by PXE and HTTP", Source: dir + " by grub-mkstandalone", Package: t.pkg,
		Version: packageVersion(ctx, t.pkg)}, data)
	return nil
}

// hashModules is the part of the cache key that changes when the package does.
func hashModules(dir string) ([]byte, error) {
	h := sha256.New()
	for _, m := range append(slices.Clone(grubModules), "kernel") {
		ext := ".mod"
		if m == "kernel" {
			ext = ".img"
		}
		f, err := os.Open(filepath.Join(dir, m+ext))
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(h, f)
		_ = f.Close()
		if err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

// grubImage returns the image from the cache or builds it. The cache key is the hash of all that goes in; beside the
// image lies its own hash, so that a damaged file is built anew and never served.
func grubImage(ctx context.Context, cache, tool, dir string, t grubTarget, server netip.AddrPort, modules []byte) ([]byte, error) {
	config := grubConfig(server)
	key := sha256.Sum256([]byte(strings.Join([]string{t.format, config, strings.Join(grubModules, " "), hex.EncodeToString(modules)}, "\n")))
	name := filepath.Join(cache, "grub-"+hex.EncodeToString(key[:12])+".efi")
	if data, err := readFile(name); err == nil {
		want, err := os.ReadFile(name + ".sha256")
		if sum := sha256.Sum256(data); err == nil && string(want) == hex.EncodeToString(sum[:]) {
			return data, nil
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(cache, "build-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	cfgFile, out := filepath.Join(tmp, "grub.cfg"), filepath.Join(tmp, "image.efi")
	if err := os.WriteFile(cfgFile, []byte(config), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	list := strings.Join(grubModules, " ")
	cmd := exec.CommandContext(ctx, tool, "--directory="+dir, "-O", t.format, "--install-modules="+list, "--modules="+list,
		"--locales=", "--fonts=", "--themes=", "-o", out, "boot/grub/grub.cfg="+cfgFile)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0", "LC_ALL=C", "TMPDIR="+tmp)
	cmd.WaitDelay = 5 * time.Second
	var msg limited
	cmd.Stdout, cmd.Stderr = &msg, &msg
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("grub-mkstandalone: %w: %s", err, strings.TrimSpace(msg.String()))
	}
	data, err := readFile(out)
	if err != nil {
		return nil, err
	}
	if len(data) < 1024 || string(data[:2]) != "MZ" {
		return nil, errors.New("grub-mkstandalone made something that is no EFI program")
	}
	sum := sha256.Sum256(data)
	if err := keep(name+".sha256", []byte(hex.EncodeToString(sum[:]))); err != nil {
		return nil, err
	}
	return data, keep(name, data)
}

// keep writes a file so that a reader finds it whole or not at all.
func keep(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".keep-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// limited keeps the first 4 KB of what a program says.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := 4096 - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
