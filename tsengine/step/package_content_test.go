package step_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// source is a machine.Content that notes what it is asked and lets the provider work as the real one does.
type source struct {
	dir     string
	err     error
	request machine.ContentRequest
	built   bool // the built-in download ran
}

func (s *source) Fetch(ctx context.Context, r machine.ContentRequest, _ machine.Progress) (machine.Fetched, error) {
	s.request = r
	got := machine.Fetched{Location: "http://dp.example"}
	if r.Provider != nil {
		if err := r.Provider(ctx, s.dir, []string{"http://a/x", "http://b/y"}); err != nil {
			return got, err
		}
	}
	s.built = true
	got.Dir = s.dir
	return got, s.err
}

func TestTS133RetryAndLastLocation(t *testing.T) {
	two, zero := 2, 0
	minute := time.Minute
	for name, c := range map[string]struct {
		variables []string
		retries   *int
		delay     *time.Duration
		warns     string
	}{
		"defaults":     {},
		"as set":       {variables: []string{"SMSTSDownloadRetryCount", "2", "SMSTSDownloadRetryDelay", " 60 "}, retries: &two, delay: &minute},
		"none":         {variables: []string{"SMSTSDownloadRetryCount", "0"}, retries: &zero},
		"no number":    {variables: []string{"SMSTSDownloadRetryCount", "often", "SMSTSDownloadRetryDelay", "60"}, delay: &minute, warns: `SMSTSDownloadRetryCount is "often"`},
		"negative":     {variables: []string{"SMSTSDownloadRetryDelay", "-1"}, warns: `SMSTSDownloadRetryDelay is "-1"`},
		"out of range": {variables: []string{"SMSTSDownloadRetryDelay", "999999"}, warns: "the default (15 seconds) counts"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, fails := range []error{nil, errors.New("gone")} {
				// Any step that needs content, not Download Package Content alone.
				b := prepare(t, node("RunCommandLineAction", "!CommandLine", "true", "!PackageID", "BYD00001"), c.variables...)
				content := &source{dir: t.TempDir(), err: fails}
				b.context.Machine.Content = content
				require.ErrorIs(t, b.run(t).Err, fails)
				require.Equal(t, c.retries, content.request.Retries)
				require.Equal(t, c.delay, content.request.Delay)
				require.Equal(t, "http://dp.example", b.context.Variables.Value("_SMSTSLastContentDownloadLocation"), "also when it failed")
				if c.warns == "" {
					require.NotContains(t, b.log.String(), "is expected")
				} else {
					require.Contains(t, b.log.String(), c.warns)
				}
			}
		})
	}
}

func TestTS134AlternateProvider(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		abort  string
		fails  string
		logged string
		built  bool
	}{
		"success":                       {script: "exit 0", abort: "7", built: true, logged: "exit code 0"},
		"the abort code":                {script: "exit 7", abort: "7", fails: "SMSTSDownloadAbortCode"},
		"the abort code in hexadecimal": {script: "exit 5", abort: "0x80004005", fails: "2147500037"},
		"the abort code signed":         {script: "exit 5", abort: "-2147467259", fails: "SMSTSDownloadAbortCode"},
		"another code falls back":       {script: "exit 8", abort: "7", built: true, logged: "the built-in download goes on"},
		"no abort code":                 {script: "exit 8", built: true, logged: "the built-in download goes on"},
		"zero never aborts":             {script: "exit 0", abort: "0", built: true, logged: "no code aborts"},
		"an abort code that is none":    {script: "exit 8", abort: "never", built: true, logged: `SMSTSDownloadAbortCode is "never"`},
		"no such program":               {built: true, logged: "did not do its work"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a folder")
			require.NoError(t, os.Mkdir(dir, 0o700))
			program := filepath.Join(t.TempDir(), "get content")
			if c.script != "" {
				require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nprintf '%s|%s|%s' \"$1\" \"$2\" \"$(printenv _SMSTSHTTPBYD00001)\" >\"$2/seen\"\necho Tried=yes >>\"$BOOTYARD_TSENV\"\n"+c.script+"\n"), 0o700))
			}
			b := prepare(t, node("DownloadPackageContentAction", "OSDDownloadDownloadPackages", "BYD00001"),
				"SMSTSDownloadProgram", `"%Tool%"`, "Tool", program, "SMSTSDownloadAbortCode", c.abort)
			content := &source{dir: dir}
			b.context.Machine.Content = content
			out := b.run(t)
			require.Equal(t, c.built, content.built)
			if c.fails != "" {
				require.ErrorContains(t, out.Err, c.fails)
			} else {
				require.NoError(t, out.Err)
			}
			require.Contains(t, b.log.String(), c.logged)
			if c.script != "" {
				seen, err := os.ReadFile(filepath.Join(dir, "seen"))
				require.NoError(t, err)
				require.Equal(t, "BYD00001|"+dir+"|http://a/x,http://b/y", string(seen))
				require.Equal(t, "yes", b.context.Variables.Value("Tried"))
				require.NotContains(t, b.log.String(), "http://a/x", "a location may be what lets one in")
			}
		})
	}
}

func TestTS134ProviderEndsWithItsTime(t *testing.T) {
	b := prepare(t, node("DownloadPackageContentAction", "OSDDownloadDownloadPackages", "BYD00001"), "SMSTSDownloadProgram", "sleep 600;")
	b.context.Node.Timeout = 50 * time.Millisecond
	content := &source{dir: t.TempDir()}
	b.context.Machine.Content = content
	require.NoError(t, b.run(t).Err)
	require.True(t, content.built)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.context.Package(ctx, "BYD00001")
	require.ErrorIs(t, err, context.Canceled)
}
