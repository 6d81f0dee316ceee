package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

// Where the agent and its files lie in an installed OS. StateDir is readable by
// root only.
const (
	AgentBinary = "/usr/bin/bootyard-agent"
	AgentUnit   = "/etc/systemd/system/bootyard-agent.service"
	AgentConfig = "/etc/bootyard/agent.json"
	AgentCA     = "/etc/bootyard/ca.pem"
	StateDir    = "/var/lib/bootyard"
	RunStateDir = StateDir + "/run"      // checkpoint of the run that goes on after the restart
	ResumeToken = RunStateDir + "/token" // 0600, see TS-118a
	RunDropIn   = AgentUnit + ".d/run.conf"
)

// agentUnit starts the agent after the network's configuration has begun but
// does not wait for it: a run resumes without network and queues its status
// (TS-118a). It is never given up: a machine that cannot be reached cannot be
// repaired from afar.
const agentUnit = `[Unit]
Description=bootyard agent
After=network.target dbus.service
StartLimitIntervalSec=0

[Service]
ExecStart=` + AgentBinary + ` service
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
`

// runDropIn shows a run on the console as well. The agent removes it with the
// run's state when the run has ended.
const runDropIn = `[Service]
StandardOutput=journal+console
StandardError=journal+console
`

// Agent is what InstallAgent puts into an image.
type Agent struct {
	Binary string // the agent's file in the boot environment
	Config []byte // agent.json, as the agent itself defines it
	CA     []byte // PEM
	// State are the files of the run to go on, by name below RunStateDir; a name
	// may have folders. None: the agent is installed without a run.
	State map[string][]byte
	Token []byte // lets the run go on; written for root only, never logged
}

// InstallAgent puts the agent, its unit, its configuration and the run's state
// into the applied image at dir (TS-118a). The unit is enabled last, so that a
// half-written agent never starts. Repeating it is safe.
func InstallAgent(ctx context.Context, dir string, a Agent) error {
	fail := func(err error) error { return fmt.Errorf("install the agent: %w", err) }
	if len(a.Config) > 0 && !json.Valid(a.Config) {
		return fail(fmt.Errorf("configuration is no JSON"))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = root.Close() }() // a folder, each file was synced
	if !hasSystemd(root) {
		return fail(fmt.Errorf("the image has no systemd, which starts the agent; use an image with systemd, or end the sequence before Set up OS and agent"))
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if err := copyFile(root, rel(AgentBinary), a.Binary, 0o755); err != nil {
		return fail(err)
	}
	if err := installState(root, a); err != nil {
		return fail(err)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{AgentCA, a.CA}, {AgentConfig, a.Config}, {AgentUnit, []byte(agentUnit)}} {
		if len(f.data) == 0 {
			continue
		}
		if err := writeFile(root, rel(f.name), f.data, 0o644); err != nil {
			return fail(err)
		}
	}
	wants := path.Join(path.Dir(rel(AgentUnit)), "multi-user.target.wants", path.Base(AgentUnit))
	if err := symlink(root, AgentUnit, wants); err != nil {
		return fail(err)
	}
	if err := syncVolume(dir); err != nil {
		return fail(err)
	}
	return nil
}

// ForgetAgent takes away what the agent of the machine that an image was made on left in it: its token, its state, its
// run. A copy would speak in that machine's name. It comes before InstallAgent. Repeating it is safe.
func ForgetAgent(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("forget the image's agent: %w", err)
	}
	defer func() { _ = root.Close() }() // a folder
	for _, pattern := range []string{rel(StateDir), rel(RunDropIn), MarkerOnRoot} {
		for _, name := range glob(root, pattern) {
			if err := root.RemoveAll(name); err != nil {
				return fmt.Errorf("forget the image's agent: %w", err)
			}
		}
	}
	return nil
}

func installState(root *os.Root, a Agent) error {
	for _, d := range []string{StateDir, RunStateDir} {
		if err := privateDir(root, rel(d)); err != nil {
			return err
		}
	}
	for name, data := range a.State {
		if !filepath.IsLocal(name) || path.Clean(name) == "." {
			return fmt.Errorf("state file name %q leads out of the state folder", name)
		}
		if err := writeFile(root, path.Join(rel(RunStateDir), name), data, 0o600); err != nil {
			return err
		}
	}
	if len(a.Token) > 0 {
		if err := writeFile(root, rel(ResumeToken), a.Token, 0o600); err != nil {
			return err
		}
	}
	if len(a.State) == 0 && len(a.Token) == 0 {
		return remove(root, rel(RunDropIn))
	}
	return writeFile(root, rel(RunDropIn), []byte(runDropIn), 0o644)
}

func hasSystemd(root *os.Root) bool {
	for _, name := range []string{"usr/lib/systemd/systemd", "lib/systemd/systemd"} {
		if info, err := root.Stat(name); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// HasAgent says whether the OS at dir would start the agent. Restart Computer to
// an installed OS without one fails and says so (TS-118a).
func HasAgent(dir string) (bool, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("look for the agent: %w", err)
	}
	defer func() { _ = root.Close() }() // only read from
	wants := path.Join(path.Dir(rel(AgentUnit)), "multi-user.target.wants", path.Base(AgentUnit))
	for _, name := range []string{rel(AgentBinary), rel(AgentUnit), wants} {
		if _, err := root.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("look for the agent: %w", err)
		}
	}
	return true, nil
}

// rel makes a path of the installed OS relative to its root.
func rel(name string) string { return name[1:] }
