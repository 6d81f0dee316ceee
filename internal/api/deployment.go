package api

import (
	"context"
	"net/http"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

type deploymentPath struct {
	Deployment string `path:"deployment"`
}

func (a *API) registerDeployments() {
	s := a.Site
	answer(a, operation("GET", "/deployments", "List deployments", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.Deployment, error) {
		return list(s.Deployments(ctx))
	})
	create := operation("POST", "/deployments", "Create a deployment, or try it with dryRun", wire.ScopeWrite)
	create.DefaultStatus = http.StatusCreated
	answer(a, create, func(ctx context.Context, in *input[wire.DeploymentCreate]) (wire.DeploymentResult, error) {
		return confirmed(s.CreateDeployment(ctx, in.Body))
	})
	now := operation("POST", "/deploy-now", "Deploy a sequence to one device at once", wire.ScopeWrite)
	now.DefaultStatus = http.StatusCreated
	answer(a, now, func(ctx context.Context, in *input[wire.DeployNow]) (wire.DeploymentResult, error) {
		return confirmed(s.DeployNow(ctx, in.Body))
	})
	answer(a, operation("GET", "/deployments/{deployment}", "Show a deployment", wire.ScopeRead), func(ctx context.Context, in *deploymentPath) (wire.Deployment, error) {
		return s.Deployment(ctx, in.Deployment)
	})
	answer(a, operation("GET", "/deployments/{deployment}/occurrences", "The next times at which it comes due in a zone (SCH-9)", wire.ScopeRead), func(ctx context.Context, in *struct {
		Deployment string `path:"deployment"`
		Zone       string `query:"zone" default:"UTC" doc:"IANA name, e.g. Europe/Amsterdam"`
	}) (wire.Occurrences, error) {
		return s.Occurrences(ctx, in.Deployment, in.Zone)
	})
	act(a, operation("DELETE", "/deployments/{deployment}", "Delete a deployment", wire.ScopeWrite), func(ctx context.Context, in *deploymentPath) error {
		return s.DeleteDeployment(ctx, in.Deployment)
	})
	answer(a, operation("GET", "/deployments/{deployment}/status", "Count and list a deployment's devices (STA-4)", wire.ScopeRead), func(ctx context.Context, in *deploymentPath) (wire.DeploymentStatus, error) {
		return s.DeploymentStatus(ctx, in.Deployment)
	})
	answer(a, operation("GET", "/explain", "What a device may boot or run, and why", wire.ScopeRead), func(ctx context.Context, in *struct {
		Device     string           `query:"device" required:"true"`
		In         wire.Environment `query:"in"`
		At         time.Time        `query:"at"`
		Preferred  string           `query:"preferred"`
		Deployment string           `query:"deployment" doc:"leave out the others"`
	}) (wire.Decision, error) {
		d, err := s.Explain(ctx, in.Device, in.In, in.Preferred, in.At)
		if err == nil && in.Deployment != "" {
			d.Considered = only(d.Considered, in.Deployment)
		}
		return d, err
	})
}

func only(all []wire.Considered, id string) []wire.Considered {
	out := []wire.Considered{}
	for _, c := range all {
		if c.Deployment == id {
			out = append(out, c)
		}
	}
	return out
}

// confirmed turns "confirmation needed" into a refusal that a program cannot
// take for a success (HRD-14). A dry run tells it as a result.
func confirmed(r wire.DeploymentResult, err error) (wire.DeploymentResult, error) {
	if err != nil || r.Confirm == nil || r.DryRun {
		return r, err
	}
	return r, &wire.Problem{Title: "Confirmation needed", Status: http.StatusConflict, Rule: "HRD-14", Field: r.Confirm.Field, Confirm: r.Confirm,
		Detail: "this deployment installs an operating system by itself; nothing was made yet", Remedy: "look at the reasons and send it again with acceptHighRisk, or with --yes"}
}
