package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
)

// Settings are agent.json of an installed agent. They hold no secrets.
type Settings struct {
	URL    string `json:"url"`
	CASPKI string `json:"caSpki,omitempty"`
	CAFile string `json:"caFile"`
	// MarkerStays is how long after its making the run's mark stays on the disk, so that a medium that is first in the boot
	// order starts the disk (MED-25). Zero takes it away when the run ends.
	MarkerStays wire.Duration `json:"markerStays,omitzero"`
	// ClientCacheMB bounds the client cache, in MiB; zero is DefaultClientCache (TS-136).
	ClientCacheMB int64 `json:"clientCacheMB,omitzero"`
}

// mediumGuard is how long the same medium leaves a machine alone that it has deployed (MED-25).
const mediumGuard = 24 * time.Hour

// ReadSettings reads agent.json and the CA it names.
func ReadSettings(name string) (s Settings, caPEM []byte, err error) {
	data, err := readSmall(name)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && (s.URL == "" || s.CAFile == "" && s.CASPKI == "") {
		err = errors.New("the appliance's address or its CA is missing")
	}
	if err == nil && s.CAFile != "" {
		caPEM, err = readSmall(s.CAFile)
	}
	if err != nil {
		return s, nil, fmt.Errorf("read the agent's settings %s: %w: deploy the machine, or install the agent again", name, err)
	}
	return s, caPEM, nil
}

// AgentFiles give what the agent in the applied operating system, linux or windows, needs. Each call asks the appliance
// for a new token.
type AgentFiles func(ctx context.Context, system string) (InstalledAgent, error)

// InstalledAgent is what Setup puts into an operating system.
type InstalledAgent struct {
	Binary string // the agent's program for that system
	Config []byte // Settings
	CA     []byte // PEM
	Token  []byte // resume token; secret
}

// markerStays is about media only: from the network the appliance says what a deployed machine starts, and a medium made
// to deploy again and again must find no mark.
func (a *BootAgent) markerStays() wire.Duration {
	if m := a.config.Boot.Media; m == nil || m.Repeat {
		return 0
	}
	return wire.Duration(mediumGuard)
}

// agentFiles prepares the hand-over of a run to an installed agent (TS-118a).
func (a *BootAgent) agentFiles(run wire.Run) AgentFiles {
	return func(ctx context.Context, system string) (InstalledAgent, error) {
		settings := Settings{URL: a.config.Boot.URL, CASPKI: a.config.Boot.CASPKI, CAFile: wire.SiteCAFile, MarkerStays: a.markerStays()}
		binary, err := os.Executable()
		if err != nil {
			return InstalledAgent{}, fmt.Errorf("find this program: %w", err)
		}
		if system == "windows" {
			settings.CAFile = windowsCAFile
			if binary, err = a.program(ctx, system, "amd64"); err != nil {
				return InstalledAgent{}, err
			}
		}
		var token wire.ResumeToken
		err = a.retry(ctx, "ask for the resume token", func(ctx context.Context) error {
			return a.session.Do(ctx, http.MethodPost, link.Path(wire.PathResume, "run", run.ID), nil, &token)
		})
		if err != nil {
			return InstalledAgent{}, err
		}
		config, err := json.MarshalIndent(settings, "", "  ")
		if err != nil {
			return InstalledAgent{}, err
		}
		return InstalledAgent{Binary: binary, Config: config, CA: a.config.Boot.CAPEM, Token: []byte(token.Token)}, nil
	}
}

// windowsCAFile is where an installed Windows keeps the site's CA.
const windowsCAFile = `C:\ProgramData\bootyard\ca.pem`

// maxProgram bounds what is taken for a program of the agent, in bytes.
const maxProgram = 128 << 20

// program brings the agent's program for another system from the appliance into the folder of this agent.
func (a *BootAgent) program(ctx context.Context, system, arch string) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("get the agent for %s from the appliance: %w", system, err)
	}
	var data []byte
	for n, pieces, sum := 0, 1, ""; n < pieces; n++ {
		var p wire.ProgramPiece
		err := a.retry(ctx, "ask for the agent for "+system, func(ctx context.Context) error {
			return a.session.Do(ctx, http.MethodGet, link.Path(wire.PathProgram, "system", system, "arch", arch, "number", strconv.Itoa(n)), nil, &p)
		})
		if err != nil {
			return fail(err)
		}
		if n == 0 {
			pieces, sum = p.Pieces, p.SHA256
		}
		data = append(data, p.Data...)
		if p.Pieces != pieces || p.SHA256 != sum || len(data) > maxProgram || len(p.Data) == 0 {
			return fail(errors.New("its pieces do not belong together; was the appliance updated just now? Start the machine again"))
		}
		if n == pieces-1 && fmt.Sprintf("%x", sha256.Sum256(data)) != sum {
			return fail(errors.New("it arrived damaged"))
		}
	}
	name := filepath.Join(a.config.Dir, "bootyard-agent-"+system+"-"+arch)
	if err := atomicfile.Write(name, data, 0o700); err != nil {
		return fail(err)
	}
	return name, nil
}
