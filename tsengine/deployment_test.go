package tsengine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

// bench is a machine without hardware: it records what it was asked.
type bench struct {
	disk     machine.DiskRequest
	applied  []machine.ApplyRequest
	setup    []machine.SetupRequest
	fetched  []string
	contents error
	state    json.RawMessage
}

func (b *bench) Partition(_ context.Context, r machine.DiskRequest, progress machine.Progress) ([]machine.Volume, error) {
	b.disk = r
	progress(1, 2, "partitioning")
	disk := 0
	if r.Disk != nil {
		disk = *r.Disk
	}
	var out []machine.Volume
	for i := range r.Partitions {
		out = append(out, machine.Volume{Disk: disk, Partition: i + 1, Device: fmt.Sprintf("/dev/vda%d", i+1), PartUUID: fmt.Sprintf("uuid-%d", i+1)})
	}
	b.state = json.RawMessage(`{"disk":"vda"}`)
	return out, nil
}

func (b *bench) Apply(_ context.Context, r machine.ApplyRequest, _ machine.Progress) (machine.Applied, error) {
	b.applied = append(b.applied, r)
	return machine.Applied{Volume: *r.Target.Volume, Description: "Debian"}, nil
}

func (b *bench) Setup(_ context.Context, r machine.SetupRequest, _ machine.Progress) error {
	b.setup = append(b.setup, r)
	return nil
}

func (b *bench) Fetch(_ context.Context, r machine.ContentRequest, _ machine.Progress) (machine.Fetched, error) {
	b.fetched = append(b.fetched, r.PackageID)
	return machine.Fetched{Dir: "/cache/" + r.PackageID}, b.contents
}

func (b *bench) State() (json.RawMessage, error) { return b.state, nil }
func (b *bench) Restore(s json.RawMessage) error { b.state = s; return nil }

// disks is the bench as a capability with a state of its own.
func (b *bench) capabilities(commands machine.Commands) machine.Capabilities {
	return machine.Capabilities{Disks: b, Images: images{b}, OSSetup: setup{b}, Content: content{b}, Commands: commands}
}

type images struct{ *bench }
type setup struct{ *bench }
type content struct{ *bench }

func item(name, value string) string {
	return fmt.Sprintf(`<variable name="%s" property="x%s">%s</variable>`, name, name, value)
}

func hidden(name, value string) string {
	return fmt.Sprintf(`<variable name="%s" property="%s" hidden="true">%s</variable>`, name, name, value)
}

func typed(kind, name, attributes string, variables ...string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_%s" name="%s" successCodeList="0" %s><action/><defaultVarList>%s</defaultVarList></step>`, kind, name, attributes, strings.Join(variables, ""))
}

func partitionStep(more ...string) string {
	return typed("PartitionDiskAction", "Partition", `runIn="WinPE"`, append([]string{
		item("OSDDiskIndex", "0"), item("OSDPartitionStyle", "GPT"), hidden("OSDPartitions", "2"),
		item("OSDPartitions0Type", "EFI"), item("OSDPartitions0FileSystem", "FAT32"), item("OSDPartitions0Size", "512"), item("OSDPartitions0AssignVolumeLetter", "false"),
		item("OSDPartitions1Type", "LinuxRoot"), item("OSDPartitions1FileSystem", "ext4"), item("OSDPartitions1Size", "100"), item("OSDPartitions1SizeUnits", "PERCENT"),
		item("OSDPartitions1VolumeLetterVariable", "OSDisk"), item("OSDPartitions1VolumeName", "root")}, more...)...)
}

const bootImage = "BYD00009"

func deployment(t testing.TB) *sequence.Sequence {
	return parse(t, `<group name="Install">`+variableCondition("_SMSTSInWinPE", "equals", "true")+partitionStep()+
		typed("ApplyOperatingSystemAction", "Apply", `runIn="WinPE"`, hidden("ImagePackageID", "BYD00002"), item("OSDImageIndex", "1"), hidden("DestinationVariable", "OSDisk"))+
		typed("SetupWindowsAndSMSAction", "Setup", `runIn="WinPE"`)+`</group>`+
		`<group name="Finish">`+variableCondition("_SMSTSInWinPE", "equals", "false")+command("mark", "mark %OSDComputerName% %OSDTargetSystemDrive% %_SMSTSBYD00002%", "")+`</group>`)
}

// The way of issue 2: partition, apply, set up, restart, go on in the new operating system.
func TestDeployment(t *testing.T) {
	b, done, st := &bench{}, &commands{}, &store{}
	dir := t.TempDir()
	s := deployment(t)
	var results []tsengine.Result
	rec := &recorder{}
	for _, env := range []tsengine.Environment{tsengine.WinPE, tsengine.FullOS} {
		log, err := smstslog.Open(dir, smstslog.Options{})
		require.NoError(t, err)
		c := tsengine.Config{Sequence: s, Environment: env, Store: st, Reporter: rec, Log: log,
			Identity: tsengine.Identity{PackageID: "BYD00001", AdvertID: "BYD20000", MachineName: "pc1", BootImageID: bootImage},
			Hardware: tsengine.Hardware{UEFI: true}, Machine: machine.Capabilities{Commands: done}}
		if env == tsengine.WinPE {
			c.Machine = b.capabilities(done)
		} else {
			c.Checkpoint = st.last(t)
			require.Equal(t, tsengine.FullOS, c.Checkpoint.Awaits)
			require.JSONEq(t, `{"disk":"vda"}`, string(c.Checkpoint.Capabilities["disks"]))
		}
		e, err := tsengine.New(c)
		require.NoError(t, err)
		r, err := e.Run(t.Context())
		require.NoError(t, err, r.Error)
		results = append(results, r)
		require.NoError(t, log.Close())
	}
	require.Equal(t, tsengine.RestartRequested, results[0].Outcome, results[0].Error)
	require.Equal(t, step.HD, results[0].Restart.Target)
	require.Equal(t, tsengine.Succeeded, results[1].Outcome, results[1].Error)

	require.Equal(t, machine.GPT, b.disk.Style)
	require.Equal(t, 0, *b.disk.Disk)
	require.Equal(t, []machine.Partition{
		{Type: machine.EFI, FileSystem: "FAT32", QuickFormat: true, Bytes: 512 << 20},
		{Type: machine.LinuxRoot, FileSystem: "EXT4", QuickFormat: true, Percent: 100, Name: "root"}}, b.disk.Partitions)
	require.Equal(t, []string{"BYD00002"}, b.fetched)
	require.Len(t, b.applied, 1)
	require.Equal(t, "/cache/BYD00002", b.applied[0].Dir)
	require.Equal(t, 2, b.applied[0].Target.Partition)
	require.True(t, b.applied[0].Bootable)
	require.True(t, b.applied[0].UEFI)
	require.Equal(t, "pc1", b.applied[0].ComputerName)
	require.Len(t, b.setup, 1)
	require.Equal(t, "C:", b.setup[0].Target.Letter)
	require.Equal(t, []string{"mark %OSDComputerName% C: /cache/BYD00002"}, done.lines)

	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	for _, phrase := range []string{ // TS-152, verbatim
		`<![LOG[Start executing an instruction. Instruction name: 'Install'.  Pointer: 0. Type: ''. Disabled: 0]LOG]!>`,
		`<![LOG[Start executing an instruction. Instruction name: 'Apply'.  Pointer: 2. Type: 'SMS_TaskSequence_ApplyOperatingSystemAction'. Disabled: 0]LOG]!>`,
		`<![LOG[The group (Install) has been successfully started]LOG]!>`,
		`<![LOG[Expand a string: WinPE]LOG]!>`, `<![LOG[Expand a string: WinPEandFullOS]LOG]!>`,
		`<![LOG[Process completed with exit code 0]LOG]!>`,
		`<![LOG[Successfully completed the action (mark) with the exit win32 code 0]LOG]!>`,
		`<![LOG[The action (Setup) initiated a reboot request]LOG]!>`,
		`<![LOG[Execution engine result code: Reboot (2)]LOG]!>`,
	} {
		require.Contains(t, string(text), phrase)
	}
}

// Without a capability the step fails and says why (TS-21); a failure of Setup cannot be ignored (TS-46).
func TestMissingCapability(t *testing.T) {
	r := execute(t, parse(t, partitionStep()), func(c *tsengine.Config) { c.Environment = tsengine.WinPE })
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
	require.Contains(t, r.result.Error, "boot environment")

	s := parse(t, `<group name="g" continueOnError="true">`+typed("SetupWindowsAndSMSAction", "Setup", `continueOnError="true"`)+`</group>`)
	b := &bench{}
	r = execute(t, s, func(c *tsengine.Config) { c.Environment, c.Machine = tsengine.WinPE, b.capabilities(nil) })
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Contains(t, r.result.Error, "Apply Operating System Image")
}

// Content that cannot be verified stops the step before it does anything (TS-135).
func TestTS135ContentFailure(t *testing.T) {
	b := &bench{contents: errors.New("file disk.tar: hash differs")}
	r := execute(t, deployment(t), func(c *tsengine.Config) {
		c.Environment, c.Machine = tsengine.WinPE, b.capabilities(nil)
		c.Identity.BootImageID = bootImage
	})
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Equal(t, step.CodeContent, r.result.ExitCode)
	require.Contains(t, r.result.Error, "hash differs")
	require.Empty(t, b.applied)
}

// TS-118a, TS-46, TS-110: a restart that would not come back is refused, whatever the flags.
func TestTS118aRestartThatWouldNotComeBack(t *testing.T) {
	restart := func(target string) string {
		return typed("RebootAction", "Restart", `continueOnError="true"`, hidden("SMSRebootTarget", target))
	}
	image := typed("ApplyOperatingSystemAction", "Apply", "", hidden("ImagePackageID", "BYD00002"))
	for name, c := range map[string]struct {
		body, want, boot string
		env              tsengine.Environment
	}{
		"nothing on disk": {restart("HD"), "TS-46", bootImage, tsengine.WinPE},
		"no agent":        {partitionStep() + image + restart("HD"), "TS-118a", bootImage, tsengine.WinPE},
		"no boot image":   {restart("WinPE"), "TS-110", "", tsengine.FullOS},
		"bad target":      {restart("Moon"), "", bootImage, tsengine.FullOS},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{}
			r := execute(t, parse(t, c.body), func(cfg *tsengine.Config) {
				cfg.Environment, cfg.Identity.BootImageID = c.env, c.boot
				cfg.Machine = b.capabilities(&commands{})
			})
			if c.want == "" { // a wrong input may be ignored
				require.Equal(t, tsengine.Succeeded, r.result.Outcome)
				return
			}
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Contains(t, r.result.Error, c.want)
		})
	}
}

// Power fails after Setup has done its work and before that was recorded, and the machine starts from its disk: the
// agent that runs there proves that Setup had ended.
func TestPowerCutAfterSetup(t *testing.T) {
	b, st := &bench{}, &store{}
	s := deployment(t)
	st.fail = func(int) error {
		if len(b.setup) > 0 {
			return errPower
		}
		return nil
	}
	e, err := tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.WinPE, Store: st, Identity: tsengine.Identity{BootImageID: bootImage}, Machine: b.capabilities(&commands{})})
	require.NoError(t, err)
	_, err = e.Run(t.Context())
	require.ErrorIs(t, err, errPower)
	require.True(t, st.last(t).Started)
	st.fail = nil

	done := &commands{}
	e, err = tsengine.New(tsengine.Config{Sequence: s, Environment: tsengine.FullOS, Store: st, Checkpoint: st.last(t), Machine: machine.Capabilities{Commands: done}})
	require.NoError(t, err)
	r, err := e.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, tsengine.Succeeded, r.Outcome, r.Error)
	require.Len(t, b.setup, 1)
	require.Len(t, done.lines, 1)
}
