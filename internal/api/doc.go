// Package api offers internal/site over HTTP: the agent's API exactly as in
// internal/wire, and the administrators' API below /api/v1, described by an
// OpenAPI 3.1 document. Over HTTPS everything but the opening of a session
// needs a bearer token; on the unix socket whoever may open the file is the
// administrator. Errors are RFC 9457 problems that name the rule and the field
// and say what to do; what went wrong inside stays in the log.
package api
