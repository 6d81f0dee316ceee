package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
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

// AgentFiles give what the agent in the applied operating system needs. Each call asks the appliance for a new token.
type AgentFiles func(ctx context.Context) (InstalledAgent, error)

// InstalledAgent is what Setup puts into an operating system.
type InstalledAgent struct {
	Binary string // this program
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
	return func(ctx context.Context) (InstalledAgent, error) {
		var token wire.ResumeToken
		err := a.retry(ctx, "ask for the resume token", func(ctx context.Context) error {
			return a.session.Do(ctx, http.MethodPost, link.Path(wire.PathResume, "run", run.ID), nil, &token)
		})
		if err != nil {
			return InstalledAgent{}, err
		}
		config, err := json.MarshalIndent(Settings{URL: a.config.Boot.URL, CASPKI: a.config.Boot.CASPKI, CAFile: wire.SiteCAFile, MarkerStays: a.markerStays()}, "", "  ")
		if err != nil {
			return InstalledAgent{}, err
		}
		binary, err := os.Executable()
		if err != nil {
			return InstalledAgent{}, fmt.Errorf("find this program: %w", err)
		}
		return InstalledAgent{Binary: binary, Config: config, CA: a.config.Boot.CAPEM, Token: []byte(token.Token)}, nil
	}
}
