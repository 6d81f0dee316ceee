package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bootyard/bootyard/internal/cli"
	"github.com/bootyard/bootyard/internal/client"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bootyard": func() {
		ctx, stop := cli.SignalContext()
		code := cli.Execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}})
}

// TestTranscripts runs the command line against a real appliance. A transcript
// starts it with 'exec bootyard serve --config $CONFIG &appliance&' and waits
// with 'answers'.
func TestTranscripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"answers": answers, "api": api, "exits": exits, "jsonlist": jsonList, "keep": keep, "flip": flip, "machine": machine, "debugs": debugs,
		},
	})
}

// setup gives each transcript an appliance's configuration of its own: nothing
// but loopback, and ports that nobody has at this moment.
func setup(e *testscript.Env) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`data_dir: %s/data
socket: %s/s
http: {listen: "127.0.0.1:%d"}
https: {listen: "127.0.0.1:%d"}
dhcp: {mode: "off", interfaces: [lo]}
wake: {port: %d, retries: 1}
`, e.WorkDir, e.WorkDir, ports[0], ports[1], ports[2])
	name := filepath.Join(e.WorkDir, "bootyard.yaml")
	if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
		return err
	}
	example, err := os.ReadFile("../../examples/debian.xml")
	if err != nil {
		return err
	}
	export, err := family()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.WorkDir, "family.zip"), export, 0o600); err != nil {
		return err
	}
	e.Setenv("CONFIG", name)
	e.Setenv("BOOTYARD_SOCKET", e.WorkDir+"/s")
	e.Setenv("HTTPS", fmt.Sprintf("https://127.0.0.1:%d", ports[1]))
	e.Setenv("GORACE", "atexit_sleep_ms=0") // each command would sleep for a second
	e.Setenv("TZ", "Europe/Amsterdam")
	return os.WriteFile(filepath.Join(e.WorkDir, "debian.xml"), example, 0o600)
}

func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all are held until the last is found
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func appliance(ts *testscript.TestScript) *client.Client {
	c, err := client.New(client.Options{Socket: ts.Getenv("BOOTYARD_SOCKET")})
	ts.Check(err)
	return c
}

// answers waits until the appliance answers, on its socket and by HTTPS.
func answers(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := appliance(ts).Do(ctx, http.MethodGet, "/api/v1/settings", nil, nil)
		if err == nil {
			var conn net.Conn
			if conn, err = net.Dial("tcp", strings.TrimPrefix(ts.Getenv("HTTPS"), "https://")); err == nil {
				conn.Close()
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("the appliance does not answer: %v", err)
		}
	}
}

// api METHOD PATH [FILE] sends a request that no command sends.
func api(ts *testscript.TestScript, neg bool, args []string) {
	var body any
	if len(args) > 2 {
		body = json.RawMessage(os.Expand(ts.ReadFile(args[2]), ts.Getenv))
	}
	var answer any
	err := appliance(ts).Do(context.Background(), args[0], "/api/v1"+args[1], body, &answer)
	switch {
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	case err == nil && neg:
		ts.Fatalf("expected a refusal, got %v", answer)
	}
}

// exits CODE COMMAND... runs a command that leaves with exactly this code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var code interface{ ExitCode() int }
		if !errors.As(err, &code) {
			ts.Fatalf("%v", err)
		}
		got = fmt.Sprint(code.ExitCode())
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// jsonlist N checks that the last output is a JSON array of N elements.
func jsonList(ts *testscript.TestScript, _ bool, args []string) {
	var list []any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &list); err != nil {
		ts.Fatalf("not a JSON array: %v", err)
	}
	if got := fmt.Sprint(len(list)); got != args[0] {
		ts.Fatalf("%s elements, want %s", got, args[0])
	}
}

// keep NAME FIELD sets an environment variable to a field of the last output,
// a JSON object; without FIELD to the whole output's first line.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	if len(args) == 1 {
		line, _, _ := strings.Cut(out, "\n")
		ts.Setenv(args[0], line)
		return
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(out), &object))
	for _, name := range strings.Split(args[1], ".") {
		if inner, ok := object[name].(map[string]any); ok {
			object = inner
			continue
		}
		ts.Setenv(args[0], fmt.Sprint(object[name]))
	}
}

// flip FOLDER changes one byte of every file below FOLDER that holds "content".
func flip(ts *testscript.TestScript, _ bool, args []string) {
	changed := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(data), "content") {
			return err
		}
		data[0] ^= 1
		changed++
		return errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, data, 0o600))
	}))
	if changed == 0 {
		ts.Fatalf("no file changed")
	}
}
