package userstate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// People have numbers from 1000; 65534 is nobody, and what lies above 60000 belongs to services.
const (
	firstPerson = 1000
	lastPerson  = 60000
	maxAccounts = 10000
)

// account is a person's account as passwd(5) and group(5) know it; no password is taken along.
type account struct {
	Name   string   `json:"name"`
	UID    int      `json:"uid"`
	GID    int      `json:"gid"`
	Gecos  string   `json:"gecos,omitempty"`
	Home   string   `json:"home"`
	Shell  string   `json:"shell,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// accountName is what useradd takes; nothing else reaches a command line.
var accountName = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`)

// people are the accounts of people on the system below root.
func people(root string) ([]account, error) {
	data, err := os.ReadFile(filepath.Join(root, "/etc/passwd"))
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	var out []account
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 7 {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil || uid < firstPerson || uid >= lastPerson || !filepath.IsAbs(f[5]) || filepath.Clean(f[5]) == "/" {
			continue
		}
		if len(out) == maxAccounts {
			return nil, fmt.Errorf("more than %d accounts", maxAccounts)
		}
		out = append(out, account{Name: f[0], UID: uid, GID: gid, Gecos: f[4], Home: filepath.Clean(f[5]), Shell: f[6]})
	}
	for name, members := range groups(root) {
		for i := range out {
			if members[out[i].Name] {
				out[i].Groups = append(out[i].Groups, name)
			}
		}
	}
	return out, nil
}

// groups are the members of each group; a system without the file has none.
func groups(root string) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	data, _ := os.ReadFile(filepath.Join(root, "/etc/group"))
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 4 {
			continue
		}
		out[f[0]] = map[string]bool{}
		for name := range strings.SplitSeq(f[3], ",") {
			out[f[0]][name] = true
		}
	}
	return out
}

// place says where the files of a captured account belong on this system.
type place struct{ from, to account }

// places matches captured accounts with those of this system by name, and makes those that are missing when o says so.
func (l Linux) places(ctx context.Context, captured []account, o machine.RestoreOptions) ([]place, error) {
	here, err := people(l.Root)
	if err != nil {
		return nil, err
	}
	var missing []account
	for _, a := range captured {
		if find(here, a.Name) == nil {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 && !o.Accounts {
		names := make([]string, len(missing))
		for i, a := range missing {
			names[i] = a.Name
		}
		return nil, fmt.Errorf("state of local accounts was captured that this system does not have: %s; make them first, or set OSDMigrateLocalAccounts", strings.Join(names, ", "))
	}
	for _, a := range missing {
		if err := l.make(ctx, a, o.Password); err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		if here, err = people(l.Root); err != nil {
			return nil, err
		}
	}
	var out []place
	for _, a := range captured {
		to := find(here, a.Name)
		if to == nil {
			return nil, fmt.Errorf("account %q was made and is not there", a.Name)
		}
		out = append(out, place{a, *to})
	}
	return out, nil
}

func find(list []account, name string) *account {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// make adds one account, in those of its groups that exist here. Without a password nobody can sign in with one.
func (l Linux) make(ctx context.Context, a account, password string) error {
	if !accountName.MatchString(a.Name) || strings.ContainsAny(a.Gecos, ":\n") || !filepath.IsAbs(a.Home) || strings.ContainsAny(a.Home, ":\n") {
		return fmt.Errorf("account %.60q cannot be made: its name, text or home is none that this system takes", a.Name)
	}
	if l.Programs == nil {
		return errors.New("accounts cannot be made here")
	}
	args := []string{"--create-home", "--home-dir", a.Home, "--comment", a.Gecos}
	if _, err := os.Stat(filepath.Join(l.Root, a.Shell)); err == nil && a.Shell != "" {
		args = append(args, "--shell", a.Shell)
	}
	var member []string
	here := groups(l.Root)
	for _, g := range a.Groups {
		if _, ok := here[g]; ok && accountName.MatchString(g) {
			member = append(member, g)
		}
	}
	if len(member) > 0 {
		args = append(args, "--groups", strings.Join(member, ","))
	}
	if err := l.start(ctx, machine.Program{Name: "useradd", Args: append(args, "--", a.Name)}); err != nil {
		return fmt.Errorf("make account %s: %w", a.Name, err)
	}
	if password == "" {
		return nil
	}
	if strings.ContainsAny(password, "\r\n") {
		return errors.New("OSDMigrateLocalAccountPassword has a line end in it")
	}
	if err := l.start(ctx, machine.Program{Name: "chpasswd", Input: a.Name + ":" + password + "\n"}); err != nil {
		return fmt.Errorf("set the password of account %s: %w", a.Name, err)
	}
	return nil
}

func (l Linux) start(ctx context.Context, p machine.Program) error {
	exit, err := l.Programs.Start(ctx, p)
	if err == nil && exit.Code != 0 {
		err = fmt.Errorf("%s ended with exit code %d: %.200s", p.Name, exit.Code, strings.TrimSpace(exit.Output))
	}
	return err
}
