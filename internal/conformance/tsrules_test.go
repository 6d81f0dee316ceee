package conformance_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

// set gives a device or a collection a variable.
func (b *bench) set(owner string, v wire.Variable) {
	b.t.Helper()
	call[struct{}](b, "PUT", owner+"/variables/"+v.Name, v)
}

func assigns(name, value string) string {
	return fmt.Sprintf(`<step type="SMS_TaskSequence_SetVariableAction" name="set %s" successCodeList="0"><action/><defaultVarList><variable name="VariableName" hidden="true">%s</variable><variable name="VariableValue" hidden="true">%s</variable></defaultVarList></step>`, name, name, value)
}

// Collections by ascending priority, then by id, then the device, then what the sequence sets; the step's own default is
// the weakest.
func TestTS82Precedence(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	make := func(name string, priority int) wire.Collection {
		return call[wire.Collection](b, "POST", "/collections", wire.CollectionCreate{Name: name, Members: []string{c.device.ID}, Priority: priority})
	}
	high, low, same := make("High", 5), make("Low", 1), make("Same", 5)
	for _, v := range []struct{ owner, name, value string }{
		{"/collections/" + low.ID, "A", "low"}, {"/collections/" + low.ID, "B", "low"}, {"/collections/" + low.ID, "C", "low"}, {"/collections/" + low.ID, "D", "low"}, {"/collections/" + low.ID, "E", "low"},
		{"/collections/" + high.ID, "B", "high"}, {"/collections/" + high.ID, "C", "high"}, {"/collections/" + high.ID, "D", "high"}, {"/collections/" + high.ID, "E", "high"},
		{"/collections/" + same.ID, "C", "same"},
		{"/devices/pc-1", "d", "device"}, {"/devices/pc-1", "E", "device"},
	} {
		b.set(v.owner, wire.Variable{Name: v.name, Value: v.value})
	}
	require.Less(t, high.ID, same.ID)
	call[wire.Device](b, "POST", "/devices/pc-1/approve", nil)
	defaults := `<step type="SMS_TaskSequence_RunCommandLineAction" name="show" successCodeList="0 3010"><action>smsswd.exe /run: x</action><defaultVarList><variable name="CommandLine" hidden="true">echo %A% %B% %C% %D% %E% %F%</variable><variable name="A">default</variable><variable name="F">default</variable></defaultVarList></step>`
	b.create(wire.DeploymentSpec{TaskSequence: b.tasks("Tasks", defaults, assigns("E", "sequence"), defaults).ID, Collection: low.ID, Purpose: wire.Required, Assignments: asap})
	c.round()
	require.Equal(t, []string{"echo low high same device device default", "echo low high same device sequence default"}, c.commands.All())
}

// One required deployment runs without a question; available ones are chosen by a person.
func TestTS18OneCandidateRunsWithoutAsking(t *testing.T) {
	b := newBench(t)
	all := b.collection("PCs", b.device("pc-1"))
	spec := wire.DeploymentSpec{TaskSequence: b.wipeAndLoad("Debian").ID, Collection: all.ID, MakeAvailableTo: wire.MediaAndPXE}
	available := b.create(spec)
	p := b.bootEnvironment(1).policy("")
	require.Equal(t, wire.ActionMenu, p.Action)
	require.Len(t, p.Candidates, 1)
	call[struct{}](b, "DELETE", "/deployments/"+available.ID, nil)
	spec.Purpose = wire.Required
	required := b.create(spec)
	p = b.bootEnvironment(1).policy("")
	require.Equal(t, wire.ActionRun, p.Action)
	require.Equal(t, required.ID, p.Deployment)
}

func TestTS160States(t *testing.T) { monitor(t) }

// What the appliance keeps of each step: device, sequence and deployment by the run, then time, number, group, name,
// message, exit code and output.
func TestTS161StepRecord(t *testing.T) {
	b := newBench(t)
	c := b.client("pc-1", "UTC")
	q := b.tasks("Tasks", `<group name="work" continueOnError="true">`+command("one", "echo one")+command("two", "exit 7")+`</group>`)
	d := b.create(wire.DeploymentSpec{TaskSequence: q.ID, Collection: b.collection("PCs", c.device).ID, Purpose: wire.Required, Assignments: asap})
	c.round()
	run := b.runs(d.ID)[0]
	require.Equal(t, []string{c.device.ID, q.ID, d.ID}, []string{run.Device, run.Sequence, run.Deployment})
	records := []string{}
	for _, e := range call[[]wire.Event](b, "GET", "/runs/"+run.ID+"/events", nil) {
		if e.Current > 0 && (e.Result == "succeeded" || e.Result == "failed") {
			require.Equal(t, start, e.Time)
			records = append(records, fmt.Sprintf("%d of %d %s/%s %d %d %s", e.Current, e.Total, e.Group, e.Step, e.MessageID, e.ExitCode, e.Text))
		}
	}
	require.Equal(t, []string{"1 of 2 work/one 11134 0 echo one", "2 of 2 work/two 11135 7 exit code 7 is not in the success codes 0 3010 (TS-29) exit 7"}, records)
}
