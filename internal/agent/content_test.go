package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

// allBefore offers a required deployment whose second package nobody has, due in two hours.
func allBefore(t *testing.T) *installed {
	i := newInstalled(t)
	i.addPackage("BYD00003", "run.sh", "echo hello")
	i.run.SequenceXML = sequenceOf(command("first", "echo one"), packageCommand("use it", "BYD00003", "sh run.sh"))
	c := candidate()
	c.Option, c.Packages = wire.AllBefore, []string{"BYD00003", "BYD00004"}
	c.Assignments = []wire.Assignment{{Kind: wire.Once, Start: &wire.Moment{At: start.Add(2 * time.Hour), UTC: true}}}
	i.offer(c)
	for _, at := range []time.Duration{0, time.Hour} {
		require.NoError(t, i.at(t, start.Add(at)))
		require.Empty(t, i.commands.All(), "DOP-12: missing content, no start")
		require.Empty(t, i.claims)
		require.Len(t, i.messages, 1, "the appliance is told, once")
		require.Contains(t, i.messages[0].Text, "SCH-17")
		require.False(t, i.agent.Next().After(start.Add(at+5*time.Minute)), "asked for again soon")
	}
	return i
}

func TestAllBeforeWaitsForContent(t *testing.T) {
	i := allBefore(t)
	i.addPackage("BYD00004", "other", "x")
	i.requests = nil
	require.NoError(t, i.at(t, start.Add(2*time.Hour)))
	require.Equal(t, []string{"echo one", "sh run.sh"}, i.commands.All())
	lastBlob, claim := 0, 0
	for n, r := range i.requests {
		if strings.Contains(r, "/blobs/") {
			lastBlob = n
		}
		if r == "POST "+wire.PathRuns {
			claim = n
		}
	}
	require.Less(t, lastBlob, claim)
}

func TestContentThatIsMissingAtTheDeadline(t *testing.T) {
	i := allBefore(t)
	i.fail = func(r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "BYD00004") {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	require.Error(t, i.at(t, start.Add(2*time.Hour)))
	require.Empty(t, i.claims, "an appliance that is away is waited for")
	i.fail = nil
	var finish wire.Finish
	inner := i.policy
	i.policy = func(r wire.PolicyRequest) wire.Policy {
		if i.finish != nil {
			finish = *i.finish
		}
		return inner(r)
	}
	require.NoError(t, i.at(t, start.Add(2*time.Hour+time.Minute)))
	require.Len(t, i.claims, 1)
	require.Empty(t, i.commands.All(), "DOP-12")
	require.False(t, finish.Succeeded, "SCH-17")
	require.EqualValues(t, 0x80091007, finish.ExitCode)
	require.Contains(t, finish.Message, "no step was run")
	require.Contains(t, finish.Message, "BYD00004")
	require.NotEmpty(t, finish.Remedy)
	_, status := i.agent.List()
	require.Contains(t, status.LastText, "0x80091007")
	i.addPackage("BYD00004", "other", "x")
	require.NoError(t, i.at(t, start.Add(3*time.Hour)))
	require.Empty(t, i.commands.All(), "one failure per due time")
}

// SCH-17: "as soon as possible" is due when it arrives; its content may take an hour more.
func TestSCH17AsSoonAsPossibleWaitsAnHour(t *testing.T) {
	for name, option := range map[string]wire.Option{"all before": wire.AllBefore, "as needed": wire.AsNeeded} {
		for _, comes := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " comes ", comes), func(t *testing.T) {
				i := newInstalled(t)
				i.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"))
				i.run.Packages = []string{"BYD00003"}
				c := candidate()
				c.Option, c.Packages = option, i.run.Packages
				c.Assignments = []wire.Assignment{{Kind: wire.ASAP}}
				i.offer(c)
				var finish wire.Finish
				inner := i.policy
				i.policy = func(r wire.PolicyRequest) wire.Policy {
					if i.finish != nil {
						finish = *i.finish
					}
					return inner(r)
				}
				for _, at := range []time.Duration{0, time.Minute, 5 * time.Minute, 59 * time.Minute} {
					require.NoError(t, i.at(t, start.Add(at)))
					require.Empty(t, i.claims, "nothing begins")
					require.Len(t, i.messages, 1, "told once")
					require.Contains(t, i.messages[0].Text, "SCH-17")
					require.Equal(t, c.Deployment, i.messages[0].Deployment)
					require.False(t, i.agent.Next().After(start.Add(at+5*time.Minute)), "asked for again soon")
				}
				if comes {
					i.addPackage("BYD00003", "run.sh", "echo hello")
				}
				require.NoError(t, i.at(t, start.Add(time.Hour)))
				require.Len(t, i.claims, 1)
				if comes {
					require.Equal(t, []string{"sh run.sh"}, i.commands.All())
					return
				}
				require.Empty(t, i.commands.All())
				require.False(t, finish.Succeeded)
				require.Contains(t, finish.Message, "no step was run")
				require.NoError(t, i.at(t, start.Add(2*time.Hour)))
				require.Len(t, i.claims, 1, "one failure per due time")
			})
		}
	}
}

// TS-133: what the sequence says of downloads counts for every step that needs content.
func TestTS133SequenceSaysHowOften(t *testing.T) {
	for _, c := range []struct {
		count string
		tries int
	}{{"0", 1}, {"3", 4}, {"many", 6}} { // the bench's default is one more round, in three goes
		t.Run(c.count, func(t *testing.T) {
			b := newBench(t)
			b.addPackage("BYD00003", "run.sh", "echo hello")
			b.run.Variables = map[string]string{"SMSTSDownloadRetryCount": c.count}
			b.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"))
			tries := 0
			b.fail = func(r *http.Request) int {
				if !strings.HasPrefix(r.URL.Path, "/blobs/") {
					return 0
				}
				tries++
				return http.StatusServiceUnavailable
			}
			require.Error(t, b.boot(t.Context()))
			require.Equal(t, c.tries, tries)
			require.Equal(t, c.count == "many", strings.Contains(string(b.log), "SMSTSDownloadRetryCount is"), "a bad value is told")
		})
	}
	b := newBench(t)
	b.addPackage("BYD00003", "run.sh", "echo hello")
	b.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"), command("tell", "echo from %_SMSTSLastContentDownloadLocation%"))
	require.NoError(t, b.boot(t.Context()))
	require.Equal(t, []string{"sh run.sh", "echo from self"}, b.commands.All())
}

// TS-134, with the real client behind it: the program's files are used, wrong ones are replaced.
func TestTS134ProviderInARun(t *testing.T) {
	for name, text := range map[string]string{"right": "echo hello", "wrong": "echo evil!"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.addPackage("BYD00003", "run.sh", "echo hello")
			b.run.Variables = map[string]string{"SMSTSDownloadProgram": "get"}
			b.run.SequenceXML = sequenceOf(packageCommand("use it", "BYD00003", "sh run.sh"))
			b.commands.On = func(_ context.Context, c machine.Command) {
				if rest, ok := strings.CutPrefix(c.Line, "get BYD00003 "); ok {
					require.Contains(t, strings.Join(c.Environment, "\n"), "_SMSTSHTTPBYD00003=")
					require.NoError(t, os.WriteFile(filepath.Join(strings.Trim(rest, `"`), "run.sh"), []byte(text), 0o600))
					return
				}
				require.Equal(t, "echo hello", readFile(t, filepath.Join(c.Dir, "run.sh")))
			}
			require.NoError(t, b.boot(t.Context()))
			require.Len(t, b.commands.All(), 2)
			require.Equal(t, text != "echo hello", strings.Contains(strings.Join(b.requests, "\n"), "/blobs/"), "downloaded only when the program's is wrong")
			noSecrets(t, string(b.log))
		})
	}
}
