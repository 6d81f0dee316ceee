package api

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

// cookieName holds an admin token for the page. It is accepted for reading
// only, so a foreign page cannot make a browser change anything.
const cookieName = "bootyard_token"

type sessionKey struct{}

func session(ctx context.Context) site.Session {
	s, _ := ctx.Value(sessionKey{}).(site.Session)
	return s
}

func bearer(header string) string {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func noToken() *wire.Problem {
	return &wire.Problem{Title: "Unauthorized", Status: http.StatusUnauthorized, Detail: "a token is needed",
		Remedy: "send Authorization: Bearer with a token of `bootyard token create`"}
}

// authenticate finds out who administers. The socket's file permission has
// checked it already.
func (a *API) authenticate(r *http.Request) (site.Admin, error) {
	if local(r.Context()) {
		return site.Admin{Name: "root", Scope: wire.ScopeAdmin}, nil
	}
	token := bearer(r.Header.Get("Authorization"))
	if token == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if c, err := r.Cookie(cookieName); err == nil {
			token = c.Value
		}
	}
	if token == "" {
		return site.Admin{}, noToken()
	}
	return a.Site.AuthenticateAdmin(r.Context(), token)
}

var rank = map[wire.Scope]int{wire.ScopeRead: 1, wire.ScopeWrite: 2, wire.ScopeAdmin: 3}

// allow checks that who may do what needs scope.
func allow(who site.Admin, scope wire.Scope) error {
	if rank[who.Scope] >= rank[scope] && rank[scope] > 0 {
		return nil
	}
	return &wire.Problem{Title: "Forbidden", Status: http.StatusForbidden, Detail: "the token has scope " + string(who.Scope) + ", this needs " + string(scope),
		Remedy: "make a token with that scope by `bootyard token create`"}
}

func (a *API) adminOnly(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	who, err := a.authenticate(r)
	if err == nil {
		scope, _ := ctx.Operation().Metadata["scope"].(wire.Scope)
		err = allow(who, scope)
	}
	if err == nil && ctx.Operation().Metadata["local"] == true && !local(r.Context()) {
		err = &wire.Problem{Title: "Forbidden", Status: http.StatusForbidden, Detail: "this names a folder of the appliance, so it is accepted on its unix socket only",
			Remedy: "run the command on the appliance as root"}
	}
	if err != nil {
		deny(ctx, err)
		return
	}
	next(huma.WithContext(ctx, site.WithActor(ctx.Context(), who.Name)))
}

func (a *API) agentOnly(ctx huma.Context, next func(huma.Context)) {
	if h := ctx.Header(wire.ProtocolHeader); h != "" {
		n, err := strconv.Atoi(h)
		if err != nil || n < max(1, wire.Protocol-1) || n > wire.Protocol {
			deny(ctx, &wire.Problem{Title: "Upgrade Required", Status: http.StatusUpgradeRequired, Detail: "the agent speaks another protocol version",
				Remedy: "start the machine from the network, or make the medium again"})
			return
		}
	}
	if ctx.Operation().Metadata["open"] == true {
		if !a.sessions.Allow(remote(ctx.RemoteAddr())) {
			deny(ctx, &wire.Problem{Title: "Too Many Requests", Status: http.StatusTooManyRequests, Detail: "too many sessions from this address", Remedy: "wait a minute"})
			return
		}
		next(ctx)
		return
	}
	token := bearer(ctx.Header("Authorization"))
	if token == "" {
		deny(ctx, noToken())
		return
	}
	s, err := a.Site.Authenticate(ctx.Context(), token)
	if err != nil {
		deny(ctx, a.fail(ctx.Context(), err))
		return
	}
	if s.Locked && ctx.Operation().Metadata["locked"] != true {
		deny(ctx, &wire.Problem{Title: "Forbidden", Status: http.StatusForbidden, Rule: "PXE-23", Detail: "this site asks for its PXE password first",
			Remedy: "type it at the machine; a machine started by an older boot image cannot ask: build the boot image again"})
		return
	}
	next(huma.WithValue(ctx, sessionKey{}, s))
}

// remote is the caller's address without port and zone.
func remote(addr string) string {
	p, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	return p.Addr().Unmap().WithZone("").String()
}
