package step_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
	"github.com/bootyard/bootyard/tsengine/variable"
)

type disks struct {
	request *machine.DiskRequest
	err     error
}

func (d *disks) Partition(_ context.Context, r machine.DiskRequest, _ machine.Progress) ([]machine.Volume, error) {
	d.request = &r
	var out []machine.Volume
	for i := range r.Partitions {
		out = append(out, machine.Volume{Disk: 3, Partition: i + 1})
	}
	return out, d.err
}

// bench runs one step outside an engine.
type bench struct {
	context *step.Context
	log     *strings.Builder
}

func prepare(t testing.TB, xml string, globals ...string) bench {
	t.Helper()
	s, err := sequence.Parse([]byte(`<sequence version="3.10">` + xml + `</sequence>`))
	require.NoError(t, err)
	env, log, agent := variable.New(), &strings.Builder{}, false
	for i := 0; i < len(globals); i += 2 {
		require.NoError(t, env.Set(globals[i], globals[i+1]))
	}
	n := s.All()[0]
	var local []variable.Assignment
	for _, v := range n.Defaults {
		if !v.Hidden {
			local = append(local, variable.Assignment{Name: v.Name, Value: v.Value})
		}
	}
	env.EnterStep(local)
	evaluator := condition.Evaluator{Variables: env}
	return bench{&step.Context{Node: n, Variables: env, Volumes: &machine.Table{}, Environment: machine.WinPE, AgentOnDisk: &agent,
		Machine:  machine.Capabilities{Commands: process.Runner{}},
		Progress: func(int64, int64, string) {}, Evaluate: evaluator.Evaluate,
		Log: func(_ smstslog.Type, text string) { log.WriteString(text + "\n") }}, log}
}

func (b bench) run(t testing.TB) step.Outcome {
	t.Helper()
	return step.Find(b.context.Node).Run(t.Context(), b.context)
}

// node writes a step; names with a leading ! are hidden.
func node(kind string, variables ...string) string {
	var b strings.Builder
	for i := 0; i < len(variables); i += 2 {
		name, hide := strings.CutPrefix(variables[i], "!")
		fmt.Fprintf(&b, `<variable name="%s" property="%s" hidden="%t">%s</variable>`, name, name, hide, variables[i+1])
	}
	return fmt.Sprintf(`<step type="SMS_TaskSequence_%s" name="s" successCodeList="0"><action/><defaultVarList>%s</defaultVarList></step>`, kind, b.String())
}

func TestPartitionLayout(t *testing.T) {
	one, five := 1, 5
	for _, c := range []struct {
		name      string
		variables []string
		globals   []string
		uefi      bool
		want      machine.DiskRequest
		fails     string
	}{
		{name: "units", variables: []string{"OSDDiskIndex", "1", "OSDPartitionStyle", "MBR", "!OSDPartitions", "3",
			"OSDPartitions0Type", "PRIMARY", "OSDPartitions0FileSystem", "NTFS", "OSDPartitions0Size", "350", "OSDPartitions0Bootable", "true", "OSDPartitions0QuickFormat", "false",
			"OSDPartitions1Size", "2", "OSDPartitions1SizeUnits", "GB", "OSDPartitions1Type", "Hidden",
			"OSDPartitions2Size", "50", "OSDPartitions2SizeUnits", "%", "OSDPartitions2FileSystem", "ext4"},
			want: machine.DiskRequest{Disk: &one, Style: machine.MBR, Partitions: []machine.Partition{
				{Type: machine.Primary, FileSystem: "NTFS", Bootable: true, Bytes: 350 << 20},
				{Type: machine.Hidden, QuickFormat: true, Bytes: 2 << 30},
				{Type: machine.Primary, FileSystem: "EXT4", QuickFormat: true, Percent: 50}}}},
		{name: "no disk, style by firmware, the rest", uefi: true, variables: []string{"!OSDPartitions", "2", "OSDPartitions0Type", "EFI", "OSDPartitions0Size", "100", "OSDPartitions1FileSystem", "NTFS"},
			want: machine.DiskRequest{Style: machine.GPT, Partitions: []machine.Partition{
				{Type: machine.EFI, FileSystem: "FAT32", QuickFormat: true, Bytes: 100 << 20},
				{Type: machine.Primary, FileSystem: "NTFS", QuickFormat: true, Rest: true}}}},
		{name: "EFI partition on request, types of our own", variables: []string{"OSDPartitionStyle", "gpt", "OSDGPTBootDisk", "true", "!OSDPartitions", "2", "OSDPartitions0Type", "biosboot", "OSDPartitions0Size", "1", "OSDPartitions0FileSystem", "FAT32", "OSDPartitions1Type", "LINUXROOT", "OSDPartitions1FileSystem", "btrfs"},
			want: machine.DiskRequest{Style: machine.GPT, Partitions: []machine.Partition{
				{Type: machine.EFI, FileSystem: "FAT32", Name: "EFI", Bytes: 512 << 20},
				{Type: machine.BIOSBoot, QuickFormat: true, Bytes: 1 << 20},
				{Type: machine.LinuxRoot, FileSystem: "BTRFS", QuickFormat: true, Rest: true}}}},
		{name: "a global layout replaces the whole", variables: []string{"OSDDiskIndex", "1", "!OSDPartitions", "2", "OSDPartitions0Size", "10", "OSDPartitions0VolumeName", "old", "OSDPartitions1Size", "1"},
			globals: []string{"OSDPartitions", "1", "OSDPartitions0FileSystem", "XFS", "OSDDiskIndex", "5"},
			want:    machine.DiskRequest{Disk: &five, Style: machine.MBR, Partitions: []machine.Partition{{Type: machine.Primary, FileSystem: "XFS", QuickFormat: true, Rest: true}}}},
		{name: "disk from a variable", variables: []string{"!DiskIndexVariable", "Which", "!OSDPartitions", "1"}, globals: []string{"Which", "5"},
			want: machine.DiskRequest{Disk: &five, Style: machine.MBR, Partitions: []machine.Partition{{Type: machine.Primary, QuickFormat: true, Rest: true}}}},
		{name: "disk variable not set", variables: []string{"!DiskIndexVariable", "Which", "!OSDPartitions", "1"}, fails: "Which"},
		{name: "no partitions", variables: []string{"!OSDPartitions", "0"}, fails: "OSDPartitions"},
		{name: "many partitions", variables: []string{"!OSDPartitions", "100000"}, fails: "OSDPartitions"},
		{name: "bad disk", variables: []string{"OSDDiskIndex", "10001", "!OSDPartitions", "1"}, fails: "OSDDiskIndex"},
		{name: "bad style", variables: []string{"OSDPartitionStyle", "APM", "!OSDPartitions", "1"}, fails: "OSDPartitionStyle"},
		{name: "bad size", variables: []string{"!OSDPartitions", "1", "OSDPartitions0Size", "-5"}, fails: "size"},
		{name: "bad unit", variables: []string{"!OSDPartitions", "1", "OSDPartitions0Size", "5", "OSDPartitions0SizeUnits", "furlong"}, fails: "unit"},
		{name: "bad percent", variables: []string{"!OSDPartitions", "1", "OSDPartitions0Size", "101", "OSDPartitions0SizeUnits", "percent"}, fails: "percent"},
		{name: "bad type", variables: []string{"!OSDPartitions", "1", "OSDPartitions0Type", "Moon"}, fails: "type"},
		{name: "GPT only", variables: []string{"OSDPartitionStyle", "MBR", "!OSDPartitions", "1", "OSDPartitions0Type", "EFI"}, fails: "GPT disks only"},
		{name: "MBR only", variables: []string{"OSDPartitionStyle", "GPT", "!OSDPartitions", "1", "OSDPartitions0Type", "Logical"}, fails: "MBR disks only"},
		{name: "bad file system", variables: []string{"!OSDPartitions", "1", "OSDPartitions0FileSystem", "ReFS"}, fails: "file system"},
		{name: "all that is left, twice", variables: []string{"!OSDPartitions", "2"}, fails: "all that is left"},
		{name: "five on MBR", variables: []string{"OSDPartitionStyle", "MBR", "!OSDPartitions", "5", "OSDPartitions0Size", "1", "OSDPartitions1Size", "1", "OSDPartitions2Size", "1", "OSDPartitions3Size", "1"}, fails: "four"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := prepare(t, node("PartitionDiskAction", c.variables...), c.globals...)
			d := &disks{}
			b.context.Machine.Disks, b.context.UEFI = d, c.uefi
			out := b.run(t)
			if c.fails != "" {
				require.ErrorContains(t, out.Err, c.fails)
				require.Equal(t, step.CodeInvalid, out.Code)
				require.Nil(t, d.request, "nothing is written when an input is wrong")
				return
			}
			require.NoError(t, out.Err)
			require.Equal(t, c.want, *d.request)
		})
	}
}

func TestLetters(t *testing.T) {
	b := prepare(t, node("PartitionDiskAction", "OSDPartitionStyle", "GPT", "!OSDPartitions", "4",
		"OSDPartitions0Type", "EFI", "OSDPartitions0Size", "1", "OSDPartitions0AssignVolumeLetter", "false",
		"OSDPartitions1Type", "MSR", "OSDPartitions1Size", "1", "OSDPartitions1VolumeLetterVariable", "Msr",
		"OSDPartitions2FileSystem", "NTFS", "OSDPartitions2Size", "1", "OSDPartitions2VolumeLetterVariable", "OSDisk",
		"OSDPartitions3FileSystem", "NTFS", "OSDPartitions3VolumeLetterVariable", "Data"))
	b.context.Machine.Disks = &disks{}
	b.context.Volumes.Volumes = []machine.Volume{{Letter: "C:", Disk: 3, Partition: 1}, {Letter: "D:", Disk: 4, Partition: 1}}
	*b.context.AgentOnDisk = true
	require.NoError(t, b.run(t).Err)
	require.False(t, *b.context.AgentOnDisk)
	require.Equal(t, "C:", b.context.Variables.Value("OSDisk"), "the wiped disk's letter is free again")
	require.Equal(t, "E:", b.context.Variables.Value("Data"))
	require.Equal(t, "3,2", b.context.Variables.Value("Msr"))
	require.Equal(t, 3, b.context.Volumes.ByLetter("c").Partition)
	require.Equal(t, 3, b.context.Volumes.NextFree().Partition)

	bad := prepare(t, node("PartitionDiskAction", "!OSDPartitions", "1"))
	bad.context.Machine.Disks = &disks{err: machine.ErrAmbiguousDisk}
	require.ErrorIs(t, bad.run(t).Err, machine.ErrAmbiguousDisk)
}

func TestDestinations(t *testing.T) {
	volumes := []machine.Volume{
		{Letter: "", Disk: 0, Partition: 1, Type: machine.EFI, FileSystem: "FAT32"},
		{Letter: "C:", Disk: 0, Partition: 2, Type: machine.Primary, FileSystem: "EXT4"},
		{Letter: "D:", Disk: 0, Partition: 3, Type: machine.Primary, FileSystem: "NTFS"},
	}
	for name, c := range map[string]struct {
		variables []string
		partition int
		fails     string
	}{
		"next formatted":     {nil, 2, ""},
		"disk and partition": {[]string{"!DestinationDisk", "0", "!DestinationPartition", "3"}, 3, ""},
		"unknown partition":  {[]string{"!DestinationDisk", "1", "!DestinationPartition", "1"}, 1, ""},
		"drive":              {[]string{"!DestinationLogicalDrive", "d:\\"}, 3, ""},
		"no such drive":      {[]string{"!DestinationLogicalDrive", "Q:"}, 0, "Q:"},
		"variable":           {[]string{"!DestinationVariable", "OSDisk"}, 3, ""},
		"variable not set":   {[]string{"!DestinationVariable", "Nothing"}, 0, "Nothing"},
		"nonsense":           {[]string{"!DestinationDisk", "x", "!DestinationPartition", "1"}, 0, "disk,partition"},
	} {
		t.Run(name, func(t *testing.T) {
			b := prepare(t, node("ApplyOperatingSystemAction", append([]string{"!ImagePackageID", "BYD00001"}, c.variables...)...), "OSDisk", "0,3")
			b.context.Volumes.Volumes = append([]machine.Volume(nil), volumes...)
			images := &images{}
			b.context.Machine.Images, b.context.Machine.Content = images, images
			out := b.run(t)
			if c.fails != "" {
				require.ErrorContains(t, out.Err, c.fails)
				require.Empty(t, images.fetched)
				return
			}
			require.NoError(t, out.Err)
			require.Equal(t, c.partition, images.request.Target.Partition)
			require.Equal(t, 1, images.request.Index)
			require.NotEmpty(t, b.context.Variables.Value("OSDTargetSystemDrive"))
			require.NotNil(t, b.context.Volumes.System())
		})
	}
}

type images struct {
	request machine.ApplyRequest
	fetched []string
}

func (i *images) Apply(_ context.Context, r machine.ApplyRequest, _ machine.Progress) (machine.Applied, error) {
	i.request = r
	return machine.Applied{Volume: machine.Volume{UUID: "new"}}, nil
}

func (i *images) Fetch(_ context.Context, r machine.ContentRequest, _ machine.Progress) (machine.Fetched, error) {
	i.fetched = append(i.fetched, r.PackageID)
	return machine.Fetched{Dir: os.TempDir()}, nil
}

func TestRunCommandLine(t *testing.T) {
	t.Run("TS-102: output variable", func(t *testing.T) {
		b := prepare(t, node("RunCommandLineAction", "!CommandLine", "sh -c 'yes ä | head -n 900; echo end'", "SMSTSRunCommandLineOutputVariableName", "Out"))
		require.NoError(t, b.run(t).Err)
		got := b.context.Variables.Value("Out")
		require.Len(t, []rune(got), 1000)
		require.True(t, strings.HasSuffix(got, "ä\nend"))
	})
	t.Run("TS-88: variables set by the program", func(t *testing.T) {
		b := prepare(t, node("RunCommandLineAction", "!CommandLine", `sh -c 'printf "A=1\nB=two words=x\r\n" >> $BOOTYARD_TSENV'`))
		require.NoError(t, b.run(t).Err)
		require.Equal(t, "1", b.context.Variables.Value("a"))
		require.Equal(t, "two words=x", b.context.Variables.Value("B"))
		b = prepare(t, node("RunCommandLineAction", "!CommandLine", `sh -c 'printf "_SMSTSType=1\nC=3\n" >> $BOOTYARD_TSENV'`))
		require.ErrorIs(t, b.run(t).Err, variable.ErrReadOnly)
		require.Equal(t, "3", b.context.Variables.Value("C"))
	})
	t.Run("not found", func(t *testing.T) {
		out := prepare(t, node("RunCommandLineAction", "!CommandLine", "cmd.exe /c dir")).run(t)
		require.Error(t, out.Err)
		require.Equal(t, step.CodeNotFound, out.Code)
	})
	t.Run("TS-11: another account in the boot environment", func(t *testing.T) {
		out := prepare(t, node("RunCommandLineAction", "!CommandLine", "true", "_SMSTSRunCommandLineAsUser", "true", "SMSTSRunCommandLineUserName", "nobody")).run(t)
		require.ErrorContains(t, out.Err, "TS-11")
	})
	t.Run("TS-101, TS-131: package folder and working directory", func(t *testing.T) {
		b := prepare(t, `<step name="s"><action>smsswd.exe /run:BYD00001  pwd</action></step>`)
		b.context.Machine.Content = &images{}
		out := b.run(t)
		require.NoError(t, out.Err)
		require.Equal(t, strings.TrimRight(os.TempDir(), "/"), out.Output)
		require.Equal(t, os.TempDir(), b.context.Variables.Value("_SMSTSBYD00001"))
		dir, err := os.MkdirTemp("", "byd-test-")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		b = prepare(t, node("RunCommandLineAction", "!CommandLine", "pwd", "!PackageID", "BYD00001"), "WorkingDirectory", dir[len(os.TempDir())+1:])
		b.context.Machine.Content = &images{}
		require.Equal(t, dir, b.run(t).Output)
	})
	t.Run("no content source", func(t *testing.T) {
		out := prepare(t, node("RunCommandLineAction", "!CommandLine", "true", "!PackageID", "BYD00001")).run(t)
		require.Equal(t, step.CodeContent, out.Code)
	})
}

func TestTS96DynamicVariables(t *testing.T) {
	rules := `<Rules><Rule><Variables><Variable Name="A" IsSecret="false">base %Site%</Variable><Variable Name="S" IsSecret="true">hushhush</Variable></Variables></Rule>` +
		`<Rule><condition><expression type="SMS_TaskSequence_MakeModelConditionExpression"><variable name="Make">acme*</variable><variable name="Model">*</variable></expression></condition><Variables><Variable Name="A">acme</Variable></Variables></Rule>` +
		`<Rule><condition><expression type="SMS_TaskSequence_MakeModelConditionExpression"><variable name="Make">other</variable></expression></condition><Variables><Variable Name="A">other</Variable></Variables></Rule></Rules>`
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(rules) + "\n"
	b := prepare(t, node("SetDynamicVariablesAction", "OSDSetDynamicVariablesRules", escaped), "_SMSTSMake", "ACME Inc")
	require.NoError(t, b.run(t).Err)
	require.Equal(t, "acme", b.context.Variables.Value("A"))
	require.Equal(t, "hushhush", b.context.Variables.Value("S"))
	require.NotContains(t, b.log.String(), "hushhush")
	rules = `<Rules><Rule><condition><expression type="SMS_TaskSequence_LocationConditionExpression"><variable name="DefaultGateway">10.0.0.1</variable></expression></condition><Variables><Variable Name="Site">Lab</Variable></Variables></Rule>` +
		`<Rule><condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">Site</variable><variable name="Operator">equals</variable><variable name="Value">lab</variable></expression></condition><Variables><Variable Name="Ring">%Site%-1</Variable></Variables></Rule></Rules>`
	b = prepare(t, node("SetDynamicVariablesAction", "OSDSetDynamicVariablesRules", strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(rules)), "_SMSTSDefaultGateways", "10.0.0.1")
	require.NoError(t, b.run(t).Err)
	require.Equal(t, "Lab-1", b.context.Variables.Value("Ring"), "a rule sees what earlier ones set")
	bad := prepare(t, node("SetDynamicVariablesAction", "OSDSetDynamicVariablesRules", "&lt;Rules>"))
	require.Error(t, bad.run(t).Err)
}

func TestSetVariableForms(t *testing.T) {
	for name, xml := range map[string]string{
		"variables": node("SetVariableAction", "!VariableName", "Site", "!VariableValue", `No"rth=%X%`),
		"mdt":       node("SetVariableAction", "VariableName", "Site", "VariableValue", `No"rth=%X%`),
		"action":    `<step type="SMS_TaskSequence_SetVariableAction" name="s"><action>tsenv.exe "Site=No"rth=%X%" /hiddenflag:False</action></step>`,
		"old":       `<step type="SMS_TaskSequence_SetVariableAction" name="s"><action>tsenv.exe "Site=No"rth=%X%"</action></step>`,
	} {
		t.Run(name, func(t *testing.T) {
			b := prepare(t, xml, "X", "1")
			require.NoError(t, b.run(t).Err)
			require.Equal(t, `No"rth=1`, b.context.Variables.Value("Site"))
		})
	}
	b := prepare(t, node("SetVariableAction", "!VariableName", "Site", "!VariableValue", ""), "Site", "x")
	require.NoError(t, b.run(t).Err)
	_, set := b.context.Variables.Lookup("Site")
	require.False(t, set, "TS-86")
	require.Error(t, prepare(t, `<step type="SMS_TaskSequence_SetVariableAction" name="s"><action>ZTISetVariable.wsf</action></step>`).run(t).Err)
}

func TestTS132Download(t *testing.T) {
	b := prepare(t, node("DownloadPackageContentAction", "OSDDownloadDownloadPackages", "BYD00001,BYD00002", "OSDDownloadDestinationVariable", "Got", "OSDDownloadDestinationLocationType", "TSCache"))
	i := &images{}
	b.context.Machine.Content = i
	require.NoError(t, b.run(t).Err)
	require.Equal(t, []string{"BYD00001", "BYD00002"}, i.fetched)
	require.Equal(t, os.TempDir(), b.context.Variables.Value("Got02"))
	require.Error(t, prepare(t, node("DownloadPackageContentAction")).run(t).Err)
}
