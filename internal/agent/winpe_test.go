package agent_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/agent"
	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func TestTS118RunFromTheNetworkToItsEnd(t *testing.T) {
	b := newBench(t)
	var logged bytes.Buffer
	b.config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	b.run.SequenceXML = sequenceOf(command("first", "echo one"), command("second", "echo two"))
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, []string{"echo one", "echo two"}, b.commands.All())
	require.True(t, b.finish.Succeeded)
	require.Equal(t, 1, b.machine.Restarts)
	for _, mark := range []string{wire.MarkRunStarted, wire.MarkRunSucceeded, "step 1 of 2: first"} {
		require.Contains(t, b.screen.String(), mark)
	}
	require.Contains(t, string(b.log), "Start executing an instruction. Instruction name: 'first'")
	for i, e := range b.events {
		require.EqualValues(t, i+1, e.Number)
	}
	require.Equal(t, wire.PhaseDone, b.events[len(b.events)-1].Phase)
	noSecrets(t, logged.String(), b.screen.String(), string(b.log))
}

func TestClockDecadesOff(t *testing.T) {
	for name, at := range map[string]time.Time{"2001": time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), "2050": time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.clock.Set(at)
			b.run.SequenceXML = sequenceOf(command("first", "echo one"))
			require.NoError(t, b.boot(context.Background()))
			require.Equal(t, []time.Time{start}, b.machine.Clocks)
			require.True(t, b.finish.Succeeded)
		})
	}
}

func TestExpiredCertificateIsFoundWithTheRightClock(t *testing.T) {
	b := newBench(t)
	b.appliance.now = func() time.Time { return start.AddDate(1, 0, 0) } // the appliance's clock, its certificate is older
	err := b.boot(context.Background())
	require.ErrorIs(t, err, link.ErrUntrusted)
	require.Empty(t, b.policies, "nothing but the session may be asked over the first connection")
}

func TestTS49FailedStepKeepsTheMachine(t *testing.T) {
	b := newBench(t)
	b.run.SequenceXML = sequenceOf(command("break it", "exit 5"), command("never", "echo no"))
	err := b.boot(context.Background())
	require.Error(t, err)
	agent.Explain(b.config.Console, err)
	require.Equal(t, []string{"exit 5"}, b.commands.All())
	require.Zero(t, b.machine.Restarts)
	require.False(t, b.finish.Succeeded)
	require.EqualValues(t, 5, b.finish.ExitCode)
	require.Equal(t, "break it", b.finish.Step)
	require.NotEmpty(t, b.finish.Remedy)
	require.Contains(t, string(b.log), "Failed to run the action: break it.")
	for _, text := range []string{wire.MarkRunFailed, "break it", "0x00000005", "to do:"} {
		require.Contains(t, b.screen.String(), text)
	}
}

func TestTS26ContentIsFetchedBeforeItsStep(t *testing.T) {
	b := newBench(t)
	b.addPackage("BYD00003", "run.sh", "echo hello")
	seen := ""
	b.commands.On = func(_ context.Context, c machine.Command) { seen = readFile(t, c.Dir+"/run.sh") }
	b.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"))
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, "echo hello", seen)
	var content []wire.Event
	for _, e := range b.events {
		if e.Kind == wire.EventContent {
			content = append(content, e)
		}
	}
	require.Len(t, content, 1)
	require.EqualValues(t, 10, content[0].Bytes)
	require.Equal(t, 1, content[0].Hashes)
	noSecrets(t, content[0].Text, b.screen.String(), string(b.log))
}

func TestTS135FlippedByteIsRefused(t *testing.T) {
	b := newBench(t)
	b.addPackage("BYD00003", "run.sh", "echo hello")
	b.flip = true
	b.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"))
	require.Error(t, b.boot(context.Background()))
	require.Empty(t, b.commands.All(), "no step may use the bytes")
	require.False(t, b.finish.Succeeded)
	require.EqualValues(t, 0x80091007, b.finish.ExitCode)
	require.Contains(t, b.finish.Message, "BYD00003")
}

func TestApplianceThatComesBack(t *testing.T) {
	for name, path := range map[string]string{
		"session": wire.PathSession, "policy": wire.PathPolicy, "claim": wire.PathRuns, "content": "/api/v1/agent/content/BYD00003",
		"blob": "/blobs/", "events": "/events", "checkpoint": "/checkpoint", "finish": "/finish",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.addPackage("BYD00003", "run.sh", "echo hello")
			failures := 0
			b.fail = func(r *http.Request) int {
				if strings.Contains(r.URL.Path, path) && failures < 3 {
					failures++
					return http.StatusServiceUnavailable
				}
				return 0
			}
			b.run.SequenceXML = sequenceOf(command("first", "echo one"), packageCommand("use it", "BYD00003", "sh run.sh"))
			require.NoError(t, b.boot(context.Background()))
			require.True(t, b.finish.Succeeded)
			require.Equal(t, 3, failures)
			require.Equal(t, []string{"echo one", "sh run.sh"}, b.commands.All())
		})
	}
}

func TestKilledAgentGoesOnInTheSameBoot(t *testing.T) {
	b := newBench(t)
	b.run.SequenceXML = sequenceOf(command("first", "echo one"), command("second", "echo two"), command("third", "echo three"))
	ctx, kill := context.WithCancel(context.Background())
	b.commands.On = func(_ context.Context, c machine.Command) {
		if c.Line == "echo two" {
			kill()
		}
	}
	require.Error(t, b.boot(ctx))
	b.commands.On = nil
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionResume, ActiveRun: b.run.ID}
	}
	// The boot token is used up: the session of the killed agent must do.
	err := b.boot(context.Background())
	require.Error(t, err, "the interrupted command is not run again (TS-112a)")
	require.Equal(t, []string{"echo one", "echo two"}, b.commands.All())
	require.EqualValues(t, 0x800704D3, b.finish.ExitCode)
	require.Len(t, b.sessions, 1)
}

func TestTS117aMachineThatWasResetGoesOnFromTheAppliancesCheckpoint(t *testing.T) {
	b := newBench(t)
	b.run.SequenceXML = sequenceOf(command("first", "echo one"), `<step type="SMS_TaskSequence_RebootAction" name="again" successCodeList="0"><action>smsboot.exe /target:WinPE</action><defaultVarList><variable name="SMSRebootTarget" property="Target" hidden="true">WinPE</variable></defaultVarList></step>`, command("second", "echo two"))
	b.run.BootImage = "BYD00009"
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, 1, b.machine.Restarts)
	require.Contains(t, b.screen.String(), wire.MarkRunRestart)
	require.Nil(t, b.finish)
	b.config.Dir = t.TempDir() // nothing in RAM survived
	b.bootUsed = false         // the loader got a new token
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionResume, ActiveRun: b.run.ID}
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, []string{"echo one", "echo two"}, b.commands.All())
	require.True(t, b.finish.Succeeded)
}

// TS-112a: a power cut takes the status along that is still queued in memory; of a step that will not run again it is at
// the appliance when the next one begins.
func TestTS112aStatusComesBeforeTheCheckpoint(t *testing.T) {
	b := newBench(t)
	b.run.SequenceXML = sequenceOf(command("one", "one"), command("two", "two"), command("three", "three"))
	b.commands.On = func(_ context.Context, c machine.Command) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, line := range []string{"one", "two", "three"} {
			if line == c.Line {
				told := 0
				for _, e := range b.events {
					if e.MessageID == 11134 {
						told++
					}
				}
				assert.Equal(t, i, told, c.Line)
			}
		}
	}
	require.NoError(t, b.boot(t.Context()))
	require.Equal(t, []string{"one", "two", "three"}, b.commands.All())
}

func TestTS13NothingToRunSaysWhyAndAsksAgain(t *testing.T) {
	b := newBench(t)
	asked := 0
	b.policy = func(wire.PolicyRequest) wire.Policy {
		if asked++; asked < 4 {
			return wire.Policy{Action: wire.ActionNothing, Reasons: []wire.Reason{{Rule: "PXE-24", Text: "no deployment is meant for this machine"}}}
		}
		return wire.Policy{Action: wire.ActionRun, Deployment: b.run.Deployment}
	}
	b.run.SequenceXML = sequenceOf(command("first", "echo one"))
	require.NoError(t, b.boot(context.Background()))
	require.Contains(t, b.screen.String(), wire.MarkNothing)
	require.Contains(t, b.screen.String(), "no deployment is meant for this machine (PXE-24)")
	require.Len(t, b.messages, 1)
}

type typed struct {
	lines []string
	early []string // typed before the question
	asked func()   // before a line is given
}

func (k *typed) Drop() { k.early = nil }

func (k *typed) Secret(ctx context.Context) (string, error) { return k.Line(ctx) }

func (k *typed) Line(ctx context.Context) (string, error) {
	if k.asked != nil {
		k.asked()
	}
	if len(k.early) > 0 {
		return k.early[0], nil
	}
	if len(k.lines) == 0 {
		<-ctx.Done()
		return "", ctx.Err()
	}
	line := k.lines[0]
	k.lines = k.lines[1:]
	return line, nil
}

func TestMenu(t *testing.T) {
	b := newBench(t)
	b.run.SequenceXML = sequenceOf(command("first", "echo one"))
	b.config.Keys = &typed{lines: []string{"x", "9", "2"}}
	b.policy = func(r wire.PolicyRequest) wire.Policy {
		if r.Chosen != "" {
			return wire.Policy{Action: wire.ActionRun, Deployment: r.Chosen}
		}
		return wire.Policy{Action: wire.ActionMenu, Candidates: []wire.Candidate{
			{Deployment: "BYD20001", SequenceName: "Alpha"}, {Deployment: "BYD20003", SequenceName: "Secret", Availability: wire.MediaAndPXEHidden},
			{Deployment: "BYD20002", SequenceName: "Beta"}}}
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, "BYD20002", b.policies[1].Chosen)
	require.NotContains(t, b.screen.String(), "Secret", "PXE-25")
}

func TestTS16MediumWithPreferredDeploymentAndNobodyTyping(t *testing.T) {
	b := newBench(t)
	b.config.Boot.Token = ""
	b.config.Boot.Media = &wire.Media{ID: "m1", Token: "media-secret", Unattended: true, Variables: map[string]string{"smstspreferredadvertid": "BYD20007"}}
	b.run.SequenceXML = sequenceOf(command("first", "echo one"))
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, "BYD20007", b.policies[0].PreferredDeployment)
	require.True(t, b.policies[0].Unattended)
	require.Equal(t, wire.LaunchCD, b.sessions[0].LaunchMode)

	b = newBench(t)
	b.config.Boot.Token = ""
	b.config.Boot.Media = &wire.Media{ID: "m1", Token: "media-secret", Unattended: true}
	b.policy = func(wire.PolicyRequest) wire.Policy {
		return wire.Policy{Action: wire.ActionMenu, Candidates: []wire.Candidate{{Deployment: "BYD20001"}, {Deployment: "BYD20002"}}}
	}
	require.ErrorContains(t, b.boot(context.Background()), "MED-3")
	require.Contains(t, b.screen.String(), wire.MarkNothing)
	require.NotContains(t, b.screen.String(), "Press Enter")
}

func TestWrongCA(t *testing.T) {
	b, other := newBench(t), newBench(t)
	b.config.Boot.CASPKI, b.config.Boot.CAPEM = other.ca.SPKI(), other.ca.PEM()
	require.ErrorIs(t, b.boot(context.Background()), link.ErrUntrusted)
	require.Empty(t, b.sessions, "the token must not leave the machine")
}

func TestTS12MissingPackageIsFoundBeforeTheFirstStep(t *testing.T) {
	b := newBench(t)
	b.run.Packages = []string{"BYD00003"}
	b.run.SequenceXML = sequenceOf(command("first", "echo one"), packageCommand("use it", "BYD00003", "sh run.sh"))
	require.Error(t, b.boot(context.Background()))
	require.Empty(t, b.commands.All(), "TS-12")
	require.False(t, b.finish.Succeeded)
	require.EqualValues(t, 0x80091007, b.finish.ExitCode)
	require.Contains(t, b.finish.Message, "BYD00003")
}

func TestLostAnswerOfTheSessionStartsTheMachineAnew(t *testing.T) {
	b := newBench(t)
	calls := 0
	b.fail = func(r *http.Request) int {
		if r.URL.Path != wire.PathSession {
			return 0
		}
		if calls++; calls == 1 {
			return http.StatusBadGateway // the appliance died behind a proxy after it had used the token up
		}
		return http.StatusUnauthorized
	}
	require.NoError(t, b.boot(context.Background()))
	require.Equal(t, 1, b.machine.Restarts)

	b = newBench(t)
	b.fail = func(*http.Request) int { return http.StatusUnauthorized }
	require.Error(t, b.boot(context.Background()))
	require.Zero(t, b.machine.Restarts, "a token that was never good is no reason to go in circles")
}

func TestTS162FailureIsDeliveredWhenTheApplianceComesBack(t *testing.T) {
	b := newBench(t)
	b.config.Quietly, b.config.Patience = 50*time.Millisecond, time.Minute
	b.run.SequenceXML = sequenceOf(command("break it", "exit 5"))
	b.fail = func(r *http.Request) int {
		// It is away from the first step on, and comes back after the person was told.
		if len(b.commands.All()) > 0 && !strings.Contains(b.screen.String(), "tries to deliver them for up to 1m0s") {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	err := b.boot(context.Background())
	require.Error(t, err)
	require.NotNil(t, b.finish)
	require.EqualValues(t, 5, b.finish.ExitCode)
	require.Contains(t, string(b.log), "Failed to run the action: break it.")
	text := b.screen.String()
	require.Contains(t, text, "The appliance has the log and the result now.")
	require.Less(t, strings.Index(text, "to do:"), strings.Index(text, "tries to deliver"), "a person reads the cause meanwhile")
}

func TestFailureThatCannotBeDelivered(t *testing.T) {
	b := newBench(t)
	b.config.Quietly, b.config.Patience = 20*time.Millisecond, 50*time.Millisecond
	b.run.SequenceXML = sequenceOf(command("break it", "exit 5"))
	b.fail = func(*http.Request) int {
		if len(b.commands.All()) > 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	require.Error(t, b.boot(context.Background()))
	require.Nil(t, b.finish)
	require.Contains(t, b.screen.String(), "The appliance does not know of the failure")
}
