package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/client"
	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	startTime = 60 * time.Second
	askEvery  = 200 * time.Millisecond
)

// Config describes a stage.
type Config struct {
	Lab     lab.Config
	Dir     string // data, configuration and logs of the appliance
	Program string // bootyard
	// PXE is the pxe section of the configuration file, as indented YAML.
	PXE string
	// More is further sections of that file.
	More string
	// Proxy makes the appliance a proxyDHCP beside another server that the
	// caller starts; otherwise it gives out the addresses.
	Proxy bool
	Log   *slog.Logger
}

// Stage is an appliance that is up in a lab. Its methods are for one goroutine.
type Stage struct {
	Lab    *lab.Lab
	API    *client.Client
	cfg    Config
	daemon *lab.Daemon
	// BootImage and OSImage are the ids that Import gave.
	BootImage, OSImage string
}

// Up makes the lab and starts the appliance. On error nothing is left.
func Up(ctx context.Context, cfg Config) (_ *Stage, err error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of the appliance: %w", err)
	}
	s := &Stage{cfg: cfg}
	if s.Lab, err = lab.Up(ctx, cfg.Lab); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Down(context.WithoutCancel(ctx)))
		}
	}()
	if err := s.writeConfig(); err != nil {
		return nil, err
	}
	if s.API, err = client.New(client.Options{Socket: s.Socket()}); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// Socket is the appliance's unix socket.
func (s *Stage) Socket() string { return filepath.Join(s.cfg.Dir, "sock") }

// Config is the appliance's configuration file.
func (s *Stage) Config() string { return filepath.Join(s.cfg.Dir, "bootyard.yaml") }

// Log is what the appliance printed.
func (s *Stage) Log() string { return filepath.Join(s.cfg.Dir, "serve.log") }

// DataDir is the appliance's data_dir.
func (s *Stage) DataDir() string { return filepath.Join(s.cfg.Dir, "data") }

func (s *Stage) writeConfig() error {
	mode, pool := "server", ""
	if s.cfg.Proxy {
		mode = "proxy"
	} else {
		base := s.Lab.Subnet().Masked().Addr().As4()
		pool = fmt.Sprintf("  range: %d.%d.%d.100-%d.%d.%d.199\n  lease: 1h\n", base[0], base[1], base[2], base[0], base[1], base[2])
	}
	text := fmt.Sprintf("data_dir: %s\nsocket: %s\ndhcp:\n  mode: %s\n  interfaces: [%s]\n%spxe:\n  kernel_args: %s\n%s",
		s.DataDir(), s.Socket(), mode, lab.HostInterface, pool, emulated, s.cfg.PXE) + s.cfg.More
	if err := os.WriteFile(s.Config(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// Start starts the appliance, again after Kill, and returns when it answers.
func (s *Stage) Start(ctx context.Context) error {
	var err error
	s.daemon, err = s.Lab.Server().Daemon(ctx, s.Log(), s.cfg.Program, "serve", "--config", s.Config(), "--verbose")
	if err != nil {
		return fmt.Errorf("start appliance: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if err := s.API.Do(ctx, http.MethodGet, "/api/v1/settings", nil, nil); err == nil {
			return nil
		}
		select {
		case <-s.daemon.Done():
			return fmt.Errorf("appliance ended: %w\n%s", s.daemon.Err(), tail(s.Log()))
		case <-ctx.Done():
			return fmt.Errorf("appliance does not answer: %w\n%s", ctx.Err(), tail(s.Log()))
		case <-tick.C:
		}
	}
}

// Kill ends the appliance as a crash would, and returns when it has ended: what is started after it finds no lock.
func (s *Stage) Kill() error {
	if err := s.daemon.Kill(); err != nil {
		return err
	}
	select {
	case <-s.daemon.Done():
		return nil
	case <-time.After(time.Minute):
		return errors.New("the killed appliance does not end")
	}
}

// Stop asks the appliance to end.
func (s *Stage) Stop(ctx context.Context) error { return s.daemon.Stop(ctx) }

// Down ends everything and removes the lab; the folder stays.
func (s *Stage) Down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return s.Lab.Down(ctx)
}

// Import registers the boot image and takes the OS image into the library.
func (s *Stage) Import(ctx context.Context, images Images) error {
	var boot wire.BootImage
	err := s.API.Do(ctx, http.MethodPost, "/api/v1/boot-images", wire.BootImage{
		Name: "bootyard boot environment", Arch: "amd64", Dir: filepath.Dir(images.Boot.Kernel), Ready: true, Default: true,
		Kernel: filepath.Base(images.Boot.Kernel), Initrd: filepath.Base(images.Boot.Initramfs),
		Size: images.Boot.KernelSize + images.Boot.InitramfsSize, SHA256: images.Boot.InitramfsSHA256,
	}, &boot)
	if err != nil {
		return fmt.Errorf("register boot image: %w", err)
	}
	s.BootImage = boot.ID
	s.OSImage, err = s.Package(ctx, "Debian", "osImage", images.OSDir)
	return err
}

// Package imports a folder and returns the package's id.
func (s *Stage) Package(ctx context.Context, name, kind, dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", dir, err)
	}
	var p wire.Package
	err = s.API.Do(ctx, http.MethodPost, "/api/v1/packages", map[string]string{"name": name, "kind": kind, "dir": abs}, &p)
	if err != nil {
		return "", fmt.Errorf("import %s: %w", name, err)
	}
	return p.ID, nil
}

// Sequence imports a sequence's XML in which exampleImage stands for the OS
// image, and returns its id.
func (s *Stage) Sequence(ctx context.Context, name, xml string) (string, error) {
	var out wire.Sequence
	in := wire.SequenceImport{Name: name, BootImage: s.BootImage, XML: strings.ReplaceAll(xml, exampleImage, s.OSImage)}
	if err := s.API.Do(ctx, http.MethodPost, "/api/v1/sequences", in, &out); err != nil {
		return "", fmt.Errorf("import sequence: %w", err)
	}
	if !out.CanDeploy {
		return out.ID, fmt.Errorf("sequence %s cannot be deployed: %v", out.ID, out.Invalid)
	}
	return out.ID, nil
}

// exampleImage is the OS image's id in examples/debian.xml.
const exampleImage = "BYD00002"

// Device imports a machine of the lab.
func (s *Stage) Device(ctx context.Context, name, mac, uuid string) error {
	in := wire.DeviceImport{Name: name, MACs: []string{mac}, UUID: uuid, Arch: "amd64"}
	if err := s.API.Do(ctx, http.MethodPost, "/api/v1/devices", in, nil); err != nil {
		return fmt.Errorf("import device %s: %w", name, err)
	}
	return nil
}

// DeployNow deploys a sequence to one device and returns the deployment's id.
func (s *Stage) DeployNow(ctx context.Context, device, sequence string) (string, error) {
	var out wire.DeploymentResult
	in := wire.DeployNow{Device: device, Sequence: sequence, AcceptHighRisk: true}
	if err := s.API.Do(ctx, http.MethodPost, "/api/v1/deploy-now", in, &out); err != nil {
		return "", fmt.Errorf("deploy to %s: %w", device, err)
	}
	return out.Deployment.ID, nil
}

// Status lists every machine.
func (s *Stage) Status(ctx context.Context) (list []wire.MachineStatus, err error) {
	err = s.API.Do(ctx, http.MethodGet, "/api/v1/status", nil, &list)
	return list, err
}

// Run returns a device's newest run with its phases, nil when there is none.
func (s *Stage) Run(ctx context.Context, device string) (*wire.RunInfo, error) {
	list, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if m.Name != device || m.Run == nil {
			continue
		}
		var r wire.RunInfo
		err := s.API.Do(ctx, http.MethodGet, "/api/v1/runs/"+m.Run.ID, nil, &r)
		return &r, err
	}
	return nil, nil
}

func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(data[max(0, len(data)-2000):])
}
