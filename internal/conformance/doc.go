// Package conformance holds the rows of docs/spec/seed-rows.md against the
// tests that prove them. It finds the tests, reads what `go test -json` says of
// them and writes docs/conformance.md; its own tests named TestRows are the rows
// that need no machine: they drive the real API and the real agent.
//
// A test proves a row when an element of its name is the row's id, as in
// TestRows/S-37. A line `conformance: partly: REASON` in its log (see [Partly])
// says that it shows a part of the row's check only.
package conformance
