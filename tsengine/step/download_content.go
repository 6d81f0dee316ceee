package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// DownloadContent is Download Package Content (TS-132). Fetching again is harmless.
type DownloadContent struct{}

// Contract implements Step.
func (DownloadContent) Contract() Contract {
	return Contract{Type: "DownloadPackageContentAction", Effect: true, Repeatable: true, Component: smstslog.Content}
}

// Run implements Step.
func (DownloadContent) Run(ctx context.Context, c *Context) Outcome {
	ids := strings.FieldsFunc(c.Input("OSDDownloadDownloadPackages"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(ids) == 0 {
		return Failure(CodeInvalid, errors.New("OSDDownloadDownloadPackages lists no package"))
	}
	if where := c.Input("OSDDownloadDestinationLocationType"); where != "" && !strings.EqualFold(where, "TSCache") {
		return Failure(CodeUnsupported, fmt.Errorf("destination %q is not supported by this version; TSCache is", where))
	}
	goOn, err := c.InputBool("OSDDownloadContinueDownloadOnError", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	base := c.Input("OSDDownloadDestinationVariable")
	for i, id := range ids {
		dir, err := c.Package(ctx, id)
		if err != nil {
			if !goOn {
				return Failure(CodeContent, err)
			}
			c.Log(smstslog.Warning, err.Error()+"; going on with the next package")
			continue
		}
		if base == "" {
			continue
		}
		if _, err := os.Stat(dir); err != nil {
			return Failure(CodeContent, err)
		}
		if err := c.Variables.Assign(variable.Assignment{Name: fmt.Sprintf("%s%02d", base, i+1), Value: dir}); err != nil {
			return Failure(CodeInvalid, err)
		}
		if i == 0 {
			if err := c.Variables.Assign(variable.Assignment{Name: base, Value: filepath.Dir(dir)}); err != nil {
				return Failure(CodeInvalid, err)
			}
		}
	}
	return Outcome{}
}
