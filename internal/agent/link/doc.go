// Package link is the agent's line to its appliance: TLS that trusts one certificate authority by the hash of its key, the
// requests of package wire, which errors are worth another try, and how long to wait between tries.
//
// A boot environment may start with a clock that is wrong by decades. The first handshake therefore looks at everything in
// the certificates but their time fields (Verifier.IgnoreTime); once the appliance has told the time in an authenticated
// answer, nothing is ignored any more (DESIGN.md, "clock").
package link
