// Package console is the live page of the appliance: every machine with its
// firmware, deployment, step, progress, result, last message and why it was or
// was not served. The page is made on the server; a stream of server-sent events
// replaces the list whenever the site changes, so nothing has to be reloaded.
//
// Who looks signs in with an API token of scope read; it is kept in a cookie
// that scripts cannot read.
package console
