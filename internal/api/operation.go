package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/bootyard/bootyard/internal/wire"
)

// output is an answer with a JSON body.
type output[T any] struct{ Body T }

// none is an answer without a body.
type none struct{}

// input is a request with a JSON body.
type input[T any] struct{ Body T }

// noInput is a request without parameters and body.
type noInput struct{}

// operation describes one admin operation.
func operation(method, path, summary string, scope wire.Scope) huma.Operation {
	return huma.Operation{
		OperationID: strings.ToLower(method) + strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path),
		Method:      method, Path: root + path, Summary: summary,
		Metadata: map[string]any{"scope": scope},
		Errors:   []int{401, 403, 404, 409, 422},
		Security: []map[string][]string{{"bearer": {}}},
	}
}

// answer registers an operation that returns a body.
func answer[I, O any](a *API, op huma.Operation, fn func(context.Context, *I) (O, error)) {
	huma.Register(a.admin, op, func(ctx context.Context, in *I) (*output[O], error) {
		v, err := fn(ctx, in)
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &output[O]{v}, nil
	})
}

// act registers an operation that returns nothing.
func act[I any](a *API, op huma.Operation, fn func(context.Context, *I) error) {
	op.DefaultStatus = http.StatusNoContent
	huma.Register(a.admin, op, func(ctx context.Context, in *I) (*none, error) {
		if err := fn(ctx, in); err != nil {
			return nil, a.fail(ctx, err)
		}
		return nil, nil
	})
}

// localOnly marks an operation that names files of the appliance.
func localOnly(op huma.Operation) huma.Operation {
	op.Metadata["local"] = true
	return op
}

// list never answers null where a list is promised.
func list[T any](v []T, err error) ([]T, error) {
	if v == nil {
		v = []T{}
	}
	return v, err
}
