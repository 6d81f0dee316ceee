package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/lab"
	"github.com/bootyard/bootyard/internal/wire"
)

// cli runs the built command line against the scene's appliance and returns what
// it prints to standard output.
func (s *scene) cli(args ...string) string {
	s.t.Helper()
	out, err := s.tryCLI(args...)
	require.NoError(s.t, err, "bootyard %s\n%s", strings.Join(args, " "), out)
	return out
}

func (s *scene) tryCLI(args ...string) (string, error) {
	var out, problems strings.Builder
	cmd := exec.CommandContext(s.t.Context(), repoPath(s.t, "bin", "bootyard"), append([]string{"--socket", s.Socket()}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if err != nil {
		return out.String() + problems.String(), err
	}
	return out.String(), nil
}

// sequenceFile imports testdata/engine/NAME by the command line, with words
// replaced by what this scene calls them, and returns the sequence's id.
func (s *scene) sequenceFile(name string, words []string, args ...string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "engine", name))
	require.NoError(s.t, err)
	file := filepath.Join(s.t.TempDir(), name)
	require.NoError(s.t, os.WriteFile(file, []byte(strings.NewReplacer(words...).Replace(string(text))), 0o600))
	var out wire.Sequence
	require.NoError(s.t, json.Unmarshal([]byte(s.cli(append([]string{"sequence", "import", file, "--json"}, args...)...)), &out))
	return out.ID
}

// scripted is a scene with a machine, a disk for Debian, and a package that
// holds testdata/engine/steps.
type scripted struct {
	*scene
	steps string
}

func scriptScene(t *testing.T, number int) (scripted, lab.MachineSpec) {
	t.Helper()
	s := newScene(t)
	spec := small("pc", lab.BIOS, number)
	spec.MemoryMiB, spec.Disks[0].Size = 1536, 4<<30
	s.device(spec)
	steps, err := s.Package(t.Context(), "Steps", "package", filepath.Join("testdata", "engine", "steps"))
	require.NoError(t, err)
	return scripted{s, steps}, spec
}

// said are the numbers of the lines that steps wrote to the machine's console
// since it was switched on for the first time.
func (s *scene) said() (numbers []string) {
	s.t.Helper()
	for _, g := range sayLine.FindAllStringSubmatch(s.wholeConsole(), -1) {
		numbers = append(numbers, g[1])
	}
	return numbers
}

// wholeConsole is the console of the scene's only machine over all power-ons.
func (s *scene) wholeConsole() string {
	s.t.Helper()
	status, err := s.Lab.Status()
	require.NoError(s.t, err)
	require.Len(s.t, status.Machines, 1)
	text, err := os.ReadFile(status.Machines[0].Console)
	require.NoError(s.t, err)
	return string(text)
}

// waitLong waits for a mark that comes after more than a boot.
func (s *scene) waitLong(m *lab.Machine, mark string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), deployLimit)
	defer cancel()
	_, err := m.WaitConsole(ctx, mark)
	require.NoError(s.t, err)
}

func (s *scene) server() string { return s.Lab.Subnet().Masked().Addr().Next().String() }

// static is an address that the appliance does not give out.
func (s *scene) static() string {
	a := s.Lab.Subnet().Masked().Addr().As4()
	a[3] = 50
	return addr4(a).String()
}

var (
	sayLine  = regexp.MustCompile(`LINE (\d\d)([^\r\n]*)`)
	tellLine = regexp.MustCompile(`TELLS name=(\S*) zone=(\S*) keyboard=(\S*) address=([^\r\n]*)`)
)

// TestEngine deploys with everything that the engine does beside running steps:
// child sequences, dynamic variables from the machine's real facts, WMI
// conditions, failures that are gone past, an output variable, and restarts that
// steps ask for, with and without being run again, before there is a disk and
// after (TS-30, TS-41, TS-74, TS-96, TS-111, TS-112, TS-117a, TS-120, TS-121).
func TestEngine(t *testing.T) {
	needsVM(t, false)
	t.Parallel()
	s, spec := scriptScene(t, 0x70)
	words := []string{"STEPS", s.steps, "IMAGE", s.OSImage, "MACADDRESS", spec.MAC, "SERVER", s.server(), "STATIC", s.static()}
	words = append(words, "BEFORE", s.sequenceFile("before.yaml", words), "AFTER", s.sequenceFile("after.yaml", words))
	_, err := s.DeployNow(t.Context(), spec.Name, s.sequenceFile("parent.yaml", words, "--boot-image", s.BootImage))
	require.NoError(t, err)
	s.boot(spec)
	run := s.succeeded(spec.Name)
	for _, p := range run.Phases {
		t.Logf("phase %-10s %6.1f s", p.Phase, p.Seconds)
	}

	console := s.wholeConsole()
	log := s.cli("run", "log", run.ID)
	status := messages(call[[]wire.Event](s.scene, http.MethodGet, "/runs/"+run.ID+"/events", nil))
	t.Log(status)
	// Each once, in order; 03 and 09 asked to be run again.
	require.Equal(t, []string{"01", "02", "03", "03", "04", "05", "06", "07", "08", "09", "09", "10"}, s.said())
	require.Equal(t, 2, strings.Count(console, wire.MarkBootEnvironment))
	require.Equal(t, 1, strings.Count(console, wire.MarkInstalledOS), "said when the new system begins")
	require.Equal(t, 4, strings.Count(console, wire.MarkRunStarted), "twice before the disk, and after 3010 and the retry")

	t.Run("TS-112 and TS-117a: again after a restart, also before there is a disk", func(t *testing.T) {
		require.Equal(t, []int{11134, 11142, 11134}, status["Ask for the boot image again"])
		require.Equal(t, []int{11134, 11142, 11134}, status["Ask for the disk again"])
	})
	t.Run("TS-30: 3010 restarts, then the next step", func(t *testing.T) {
		require.Equal(t, []int{11134, 11142}, status["Exit with 3010"])
		require.Contains(t, log, "Process completed with exit code 3010")
	})
	t.Run("TS-96 and TS-74: rules and queries over the machine's facts", func(t *testing.T) {
		require.Regexp(t, `LINE 02 lines,01 make=QEMU site=lab badge=hidden-badge`, console)
		require.Equal(t, []int{11130}, status["On hardware"])
	})
	t.Run("TS-120 and TS-87: one environment for parents, children and both systems", func(t *testing.T) {
		require.Regexp(t, `LINE 10 lines,01,02,03,03,04,05,06,07,08,09,09\s`, console)
		require.Equal(t, []int{11134}, status["Answered"], "it wants a variable of the child and an output variable")
	})
	t.Run("TS-121 and TS-41: a child that fails, gone past", func(t *testing.T) {
		require.Contains(t, status["Fail"], 11135)
		for _, never := range []string{"After a failure", "After a failed group"} {
			require.NotContains(t, status[never], 11134)
		}
	})
	t.Run("Check Readiness", func(t *testing.T) {
		require.Equal(t, []int{11135, 11138}, status["Too much asked"])
		require.Equal(t, []int{11134}, status["Ready"])
	})
	t.Run("TS-93: secrets are in no log", func(t *testing.T) { require.NotContains(t, log, "hidden-badge") })
	t.Run("TS-152", func(t *testing.T) { requirePhrases(t, log) })
	t.Run("settings in the deployed Debian", func(t *testing.T) {
		told := tellLine.FindStringSubmatch(console)
		require.Len(t, told, 5)
		require.Equal(t, []string{"lab-01", "+1100", "de", s.static() + "/24"}, []string{told[1], told[2], told[3], strings.TrimSpace(told[4])})
	})
}

// messages are the ids of section 11 by step, in order.
func messages(events []wire.Event) map[string][]int {
	ids := map[string][]int{}
	for _, e := range events {
		if e.MessageID != 0 {
			ids[e.Step] = append(ids[e.Step], e.MessageID)
		}
	}
	return ids
}

// requirePhrases looks for what tools that read the log match (TS-152).
func requirePhrases(t *testing.T, log string) {
	t.Helper()
	for phrase, times := range map[string]int{
		"Start executing an instruction. Instruction name: 'Ask for the boot image again'.":            2,
		"Start executing an instruction. Instruction name: 'Ask for the disk again'.":                  2,
		"Start executing an instruction. Instruction name: 'After a failure'.":                         0,
		"The action (Ask for the boot image again) initiated a reboot request":                         1,
		"The action (Ask for the disk again) initiated a reboot request":                               1,
		"The action (Exit with 3010) initiated a reboot request":                                       1,
		"Process completed with exit code 7":                                                           1,
		"Failed to run the action: Fail.":                                                              1,
		"Failed to run the action: Too much asked.":                                                    1,
		"The execution of the group (Only in the lab) has failed and the execution has been aborted. ": 1,
		"The group (Install) has been successfully started":                                            1,
		"Execution engine result code: Reboot (2)":                                                     4,
	} {
		assert.Equal(t, times, strings.Count(log, phrase), phrase)
	}
}
