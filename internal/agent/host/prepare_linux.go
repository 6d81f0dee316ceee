package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// Preparation is a machine.OSPreparation of the running Linux system.
type Preparation struct {
	Linux
	Programs machine.Programs // to ask realm
}

// volatile are files that belong to this installation and not into an image: logs, caches, what people typed. Folders
// stay, so that services find them.
func volatile() []string {
	return []string{
		"var/log/*.log", "var/log/*.gz", "var/log/*.[0-9]", "var/log/wtmp", "var/log/btmp", "var/log/lastlog", "var/log/apt/*", "var/log/journal/*/*.journal",
		"root/.bash_history", "home/*/.bash_history", "root/.lesshst", "home/*/.lesshst", "root/.viminfo", "home/*/.viminfo",
		"var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/crash/*", "var/lib/cloud/instance",
		// A copy must not start with this run's agent; Setup Windows and ConfigMgr starts its own.
		"etc/systemd/system/*.wants/" + filepath.Base(apply.AgentUnit),
	}
}

// PrepareOS implements machine.OSPreparation (TS-118b): no machine-id, no SSH host keys, seeds and leases, no logs and
// histories. The system works until it restarts.
func (p Preparation) PrepareOS(ctx context.Context) (notes []string, err error) {
	if domain := p.member(ctx); domain != "" {
		return nil, fmt.Errorf("this system is a member of the domain %s: leave it first (realm leave), or its account would be in every copy", domain)
	}
	root := p.path("/")
	if err := apply.MakeUnique(ctx, root, apply.Identity{}); err != nil {
		return nil, err
	}
	notes = append(notes, "machine-id is empty; SSH host keys, random seeds and leases are removed")
	dir, err := os.OpenRoot(root)
	if err != nil {
		return notes, err
	}
	defer dir.Close()
	removed := 0
	for _, pattern := range volatile() {
		// The patterns are looked up from outside; what they find is removed inside, where no link leads out.
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return notes, err
		}
		for _, name := range found {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return notes, err
			}
			if info, err := dir.Lstat(rel); err != nil || info.IsDir() {
				continue
			}
			if err := dir.Remove(rel); err != nil {
				return notes, fmt.Errorf("remove %s: %w", rel, err)
			}
			removed++
		}
	}
	return append(notes, fmt.Sprintf("%d logs, histories and caches are removed", removed)), nil
}

// member is the domain the system belongs to: what realmd lists, else a host keytab with a realm.
func (p Preparation) member(ctx context.Context) string {
	if p.Programs != nil && p.Programs.Find("realm") {
		exit, err := p.Programs.Start(ctx, machine.Program{Name: "realm", Args: []string{"list", "--name-only"}})
		if name, _, _ := strings.Cut(strings.TrimSpace(exit.Output), "\n"); err == nil && exit.Code == 0 && name != "" {
			return name
		}
	}
	if d := (Capture{Linux: p.Linux}).domain(); d != "" {
		return d
	}
	if _, err := os.Stat(p.path("/etc/krb5.keytab")); err == nil {
		return "of /etc/krb5.keytab"
	}
	return ""
}
