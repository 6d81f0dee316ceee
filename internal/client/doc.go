// Package client is how the command line talks to an appliance: over the
// root-only unix socket on the appliance itself, elsewhere over HTTPS with a
// scoped token and the appliance's CA pinned.
package client
