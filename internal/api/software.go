package api

import (
	"context"

	"github.com/bootyard/bootyard/internal/wire"
)

type applicationPath struct {
	Application string `path:"application" doc:"id or name"`
}

func (a *API) registerSoftware() {
	s := a.Site
	answer(a, operation("GET", "/applications", "List applications", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.Application, error) {
		return list(s.Applications(ctx))
	})
	answer(a, operation("GET", "/applications/{application}", "Show an application", wire.ScopeRead), func(ctx context.Context, in *applicationPath) (wire.Application, error) {
		return s.Application(ctx, in.Application)
	})
	put := operation("POST", "/applications", "Add an application, or change the one of that id or name", wire.ScopeWrite)
	put.SkipValidateBody = true // the site says what is wrong, with the rule
	answer(a, put, func(ctx context.Context, in *input[wire.Application]) (wire.Application, error) {
		return s.PutApplication(ctx, in.Body)
	})
	act(a, operation("DELETE", "/applications/{application}", "Delete an application", wire.ScopeWrite), func(ctx context.Context, in *applicationPath) error {
		return s.DeleteApplication(ctx, in.Application)
	})
	answer(a, operation("GET", "/drivers", "List the catalogue of drivers, without the ids that they serve", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.DriverPackage, error) {
		return list(s.DriverPackages(ctx))
	})
	answer(a, operation("GET", "/drivers/{package}", "Show a package of the catalogue of drivers", wire.ScopeRead), func(ctx context.Context, in *PackagePath) (wire.DriverPackage, error) {
		return s.DriverPackage(ctx, in.Package)
	})
	answer(a, operation("PUT", "/drivers/{package}/categories", "Replace the categories of a driver package", wire.ScopeWrite), func(ctx context.Context, in *struct {
		PackagePath
		Body wire.DriverCategories
	}) (wire.DriverPackage, error) {
		return s.SetDriverCategories(ctx, in.Package, in.Body.Categories)
	})
	answer(a, operation("POST", "/packages/{package}/programs", "Add a program to a package, or change the one of that name", wire.ScopeWrite), func(ctx context.Context, in *struct {
		PackagePath
		Body wire.Program
	}) (wire.Package, error) {
		return s.PutProgram(ctx, in.Package, in.Body)
	})
	answer(a, operation("DELETE", "/packages/{package}/programs/{program}", "Remove a program from a package", wire.ScopeWrite), func(ctx context.Context, in *struct {
		PackagePath
		Program string `path:"program"`
	}) (wire.Package, error) {
		return s.DeleteProgram(ctx, in.Package, in.Program)
	})
}
