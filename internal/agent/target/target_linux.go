package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bootyard/bootyard/images/disk"
	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// dataFolder is the folder of a run on a volume (TS-115); images leave it alone (TS-117).
const dataFolder = "_SMSTaskSequence"

// unmountTime bounds the end; after it the volumes are detached.
const unmountTime = 30 * time.Second

// Options of a Target.
type Options struct {
	Run      string // id, for the run marker
	Firmware wire.Firmware
	Arch     string // GOARCH; empty means amd64
	// DiskFirst puts the disk first in the firmware's lasting boot order; else only the next start is from it.
	DiskFirst bool
	Mounts    string // folder for mount points
	Files     agent.AgentFiles
	Say       func(format string, args ...any)
	System    disk.System // of images/disk; zero is this machine
	// Protected are folders, such as that of content on a medium, whose disk must not be partitioned.
	Protected []string
}

// Target is the machine's disks. It is safe for concurrent use.
type Target struct {
	options Options

	mu        sync.Mutex
	table     disk.VolumeTable
	mounted   map[string]string // PARTUUID -> mount point
	data      string            // PARTUUID of the volume with the run's folder
	fresh     []string          // PARTUUIDs of volumes that were formatted and have nothing on them
	staging   *disk.Staging     // for the run's folder, on a fresh one
	system    string            // PARTUUID of the volume with the operating system
	installed *agent.InstalledAgent
}

// New makes a Target that knows no volume yet.
func New(o Options) *Target {
	return &Target{options: o, mounted: map[string]string{}}
}

// Capabilities implements agent.Target.
func (t *Target) Capabilities() machine.Capabilities {
	return machine.Capabilities{Disks: disks{t}, Images: images{t}, Imaging: imaging{t}, OSSetup: setup{t}, Settings: settings{t}, UserState: offline{t: t}, Volumes: folders{t},
		DriverStore: drivers{t}}
}

// DataDir implements agent.Target.
func (t *Target) DataDir() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.staging != nil {
		return filepath.Join(t.staging.Dir, dataFolder)
	}
	if dir := t.mounted[t.data]; dir != "" {
		return filepath.Join(dir, dataFolder)
	}
	return ""
}

// Clean removes the run's folder from the volume (TS-122).
func (t *Target) Clean() error {
	if dir := t.DataDir(); dir != "" {
		return os.RemoveAll(dir)
	}
	return nil
}

// Close implements agent.Target.
func (t *Target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), unmountTime)
	defer cancel()
	return t.unmountAll(ctx)
}

func (t *Target) unmountAll(ctx context.Context) error {
	err := t.unstage(ctx)
	for id, dir := range t.mounted {
		err = errors.Join(err, disk.Unmount(ctx, dir))
		delete(t.mounted, id)
	}
	return err
}

// mount makes a volume's files reachable and returns the folder. The caller holds the lock.
func (t *Target) mount(ctx context.Context, v disk.Volume) (string, error) {
	if dir := t.mounted[v.PARTUUID]; dir != "" {
		return dir, nil
	}
	if t.staging != nil && t.staging.Volume.PARTUUID == v.PARTUUID {
		if err := t.unstage(ctx); err != nil {
			return "", err
		}
	}
	t.written(v)
	dir := filepath.Join(t.options.Mounts, filepath.Base(v.Device))
	if err := disk.Mount(ctx, v, dir); err != nil {
		return "", err
	}
	t.mounted[v.PARTUUID] = dir
	return dir, nil
}

// find returns what images/disk knows of a volume of the engine's.
func (t *Target) find(v machine.Volume) (disk.Volume, error) {
	for _, known := range t.table.Volumes() {
		if v.PartUUID != "" && known.PARTUUID == v.PartUUID || v.PartUUID == "" && known.Disk == v.Disk && known.Partition == v.Partition {
			return known, nil
		}
	}
	return disk.Volume{}, fmt.Errorf("disk %d, partition %d was not made by this run: put a Format and Partition Disk step before this one", v.Disk, v.Partition)
}

// state is what the checkpoint keeps (machine.Stateful).
type state struct {
	Volumes disk.VolumeTable `json:"volumes"`
	System  string           `json:"system,omitempty"`
	Fresh   []string         `json:"fresh,omitempty"`
}

func (t *Target) state() (json.RawMessage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return json.Marshal(state{Volumes: t.table, System: t.system, Fresh: t.fresh})
}

func (t *Target) restore(data json.RawMessage) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read the volumes of the run: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(s.Volumes.Volumes()) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), unmountTime)
	defer cancel()
	if err := t.takeOver(ctx); err != nil {
		return err
	}
	list, err := disk.List(ctx, t.options.System)
	if err != nil {
		return err
	}
	if err := s.Volumes.Rescan(ctx, t.options.System, list); err != nil {
		return err
	}
	t.table, t.system, t.fresh = s.Volumes, s.System, s.Fresh
	t.useForData(ctx)
	return nil
}

// volume is the engine's view of a volume.
func volume(v disk.Volume) machine.Volume {
	return machine.Volume{Disk: v.Disk, Partition: v.Partition, Type: machine.PartitionType(v.Type), FileSystem: string(v.FileSystem),
		Name: v.Label, Device: v.Device, PartUUID: v.PARTUUID, UUID: v.UUID, Bytes: v.Size}
}
