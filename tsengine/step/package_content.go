package step

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

const (
	// maxDownloadRetries and maxDownloadDelay bound SMSTSDownloadRetryCount and SMSTSDownloadRetryDelay: a day of waiting is
	// a mistake in the sequence, not patience.
	maxDownloadRetries = 1000
	maxDownloadDelay   = 24 * time.Hour
	// providerTime ends an alternate content provider of a step without a time limit of its own; it is that of a run (TS-8).
	providerTime = 12 * time.Hour
)

// Package makes the content of a package available and returns its folder, which is also the value of
// _SMSTS<PackageID> from then on (TS-131). Where it came from is in _SMSTSLastContentDownloadLocation (TS-133).
func (c *Context) Package(ctx context.Context, id string) (string, error) {
	return c.content(ctx, c.contentRequest(id))
}

func (c *Context) content(ctx context.Context, r machine.ContentRequest) (string, error) {
	id := r.PackageID
	if err := variable.CheckName(id); err != nil || id == "00000000" {
		return "", fmt.Errorf("package id %q refers to nothing; import the package and set the reference in step %q", id, c.Node.Name)
	}
	if c.Machine.Content == nil {
		return "", fmt.Errorf("package %s cannot be fetched: this environment has no content source", id)
	}
	c.Log(smstslog.Info, "Resolving content for package "+id)
	got, err := c.Machine.Content.Fetch(ctx, r, c.Progress)
	for _, gone := range got.Removed {
		c.Log(smstslog.Info, "Content of package "+gone+" was removed to make room (TS-136)")
		_ = c.Variables.Set("_SMSTS"+gone, "") // a name that was set before
	}
	if got.Location != "" {
		if err := c.Variables.Set("_SMSTSLastContentDownloadLocation", got.Location); err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", fmt.Errorf("content of package %s: %w", id, err)
	}
	if err := c.Variables.Set("_SMSTS"+id, got.Dir); err != nil {
		return "", err
	}
	c.Log(smstslog.Info, "Content of package "+id+" is in "+got.Dir)
	if got.Unverified {
		c.Log(smstslog.Warning, "Content of package "+id+" is run from "+got.Location+"; its hash is not verified (DOP-15)")
	}
	return got.Dir, nil
}

// contentRequest takes up what the sequence says of downloads. A value that is none is not worth a failed deployment: it is
// named in the log, and the default counts.
func (c *Context) contentRequest(id string) machine.ContentRequest {
	r := machine.ContentRequest{PackageID: id, Keep: c.Variables.True("SMSTSPersistContent"), Preserve: c.Variables.True("SMSTSPreserveContent"), Step: c.Node}
	if n, ok := c.downloadNumber("SMSTSDownloadRetryCount", maxDownloadRetries, "2"); ok {
		r.Retries = &n
	}
	if n, ok := c.downloadNumber("SMSTSDownloadRetryDelay", int(maxDownloadDelay/time.Second), "15 seconds"); ok {
		delay := time.Duration(n) * time.Second
		r.Delay = &delay
	}
	if line := strings.TrimSpace(c.Variables.Value("SMSTSDownloadProgram")); line != "" {
		r.Provider = func(ctx context.Context, dir string, locations []string) error {
			return c.provide(ctx, providerCall{line: line, id: id, dir: dir, locations: locations})
		}
	}
	return r
}

func (c *Context) downloadNumber(name string, high int, usual string) (int, bool) {
	text := strings.TrimSpace(c.Input(name))
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > high {
		c.Log(smstslog.Warning, fmt.Sprintf("%s is %q; a number from 0 to %d is expected, the default (%s) counts (TS-133)", name, text, high, usual))
		return 0, false
	}
	return n, true
}

type providerCall struct {
	line, id, dir string
	locations     []string
}

// provide runs SMSTSDownloadProgram (TS-134): the program's own command line, then the package and the folder. Only the
// abort code ends the download; after anything else the built-in downloader looks at what is there.
func (c *Context) provide(ctx context.Context, call providerCall) error {
	if c.Machine.Commands == nil {
		c.Log(smstslog.Warning, "SMSTSDownloadProgram is not started: this environment cannot run programs")
		return nil
	}
	exchange, err := newExchange()
	if err != nil {
		return err
	}
	defer exchange.remove()
	arguments := " " + call.id + ` "` + call.dir + `"`
	limit := c.Node.Timeout
	if limit <= 0 {
		limit = providerTime
	}
	abort, aborts := c.abortCode()
	codes := []uint32{0}
	if aborts {
		codes = append(codes, abort)
	}
	logCommand(c, call.line+arguments)
	exit, err := c.Machine.Commands.Run(ctx, machine.Command{
		Line: c.Variables.Expand(call.line) + arguments, Timeout: limit, Codes: codes, Output: logOutput(c), Own: []string{exchange.path},
		Environment: append(exchange.environment(), "_SMSTSHTTP"+call.id+"="+strings.Join(call.locations, ",")),
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		c.Log(smstslog.Warning, fmt.Sprintf("The alternate content provider did not do its work (%v); the built-in download goes on", err))
		return nil
	}
	c.Log(smstslog.Info, fmt.Sprintf("Alternate content provider completed with exit code %d", exit.Code))
	if err := exchange.apply(c); err != nil {
		c.Log(smstslog.Warning, "Variables set by the alternate content provider: "+err.Error())
	}
	if aborts && exit.Code == abort {
		return fmt.Errorf("the alternate content provider ended with code %d, which SMSTSDownloadAbortCode says is final: nothing else is tried (TS-134)", exit.Code)
	}
	if exit.Code != 0 {
		c.Log(smstslog.Warning, fmt.Sprintf("The alternate content provider ended with code %d; the built-in download goes on (TS-134)", exit.Code))
	}
	return nil
}

// abortCode is SMSTSDownloadAbortCode, which may be written signed, unsigned or in hexadecimal. Zero is success, whatever
// the variable says.
func (c *Context) abortCode() (code uint32, ok bool) {
	text := strings.TrimSpace(c.Input("SMSTSDownloadAbortCode"))
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil || n < -1<<31 || n >= 1<<32 || n == 0 {
		c.Log(smstslog.Warning, fmt.Sprintf("SMSTSDownloadAbortCode is %q; a number of 32 bits other than 0 is expected, so no code aborts (TS-134)", text))
		return 0, false
	}
	return uint32(n), true
}
