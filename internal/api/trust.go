package api

import (
	"context"
	"net/http"

	"github.com/bootyard/bootyard/internal/wire"
)

func (a *API) registerTrust() {
	s := a.Site
	answer(a, operation("GET", "/tokens", "List tokens of this API", wire.ScopeAdmin), func(ctx context.Context, _ *noInput) ([]wire.TokenInfo, error) {
		return list(s.Tokens(ctx))
	})
	create := operation("POST", "/tokens", "Create a token; it is shown this once", wire.ScopeAdmin)
	create.DefaultStatus = http.StatusCreated
	answer(a, create, func(ctx context.Context, in *input[wire.TokenCreate]) (wire.TokenCreated, error) {
		return s.CreateToken(ctx, in.Body)
	})
	act(a, operation("DELETE", "/tokens/{token}", "Revoke a token by its id", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		Token string `path:"token"`
	}) error {
		return s.RevokeToken(ctx, in.Token)
	})
	answer(a, operation("GET", "/media", "List boot media", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.MediaRecord, error) {
		return list(s.Media(ctx))
	})
	medium := operation("POST", "/media", "Register a boot medium and get what its image must carry", wire.ScopeAdmin)
	medium.DefaultStatus = http.StatusCreated
	answer(a, medium, func(ctx context.Context, in *input[wire.MediaCreate]) (wire.MediaCreated, error) {
		return s.CreateMedium(ctx, in.Body)
	})
	act(a, operation("DELETE", "/media/{media}", "Revoke a boot medium (MED-7)", wire.ScopeAdmin), func(ctx context.Context, in *struct {
		Media string `path:"media"`
	}) error {
		return s.RevokeMedium(ctx, in.Media)
	})
	answer(a, operation("GET", "/settings", "Show the site's settings", wire.ScopeRead), func(ctx context.Context, _ *noInput) (wire.Settings, error) {
		return s.Settings(ctx)
	})
	act(a, operation("PUT", "/settings", "Replace the site's settings", wire.ScopeAdmin), func(ctx context.Context, in *input[wire.Settings]) error {
		return s.SetSettings(ctx, in.Body)
	})
	act(a, operation("PUT", "/settings/pxe-password", "Set the PXE password, or end it by an empty one (PXE-23)", wire.ScopeAdmin), func(ctx context.Context, in *input[wire.Password]) error {
		return s.SetPXEPassword(ctx, in.Body.Password)
	})
}
