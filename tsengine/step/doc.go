// Package step implements the steps of a task sequence, one file for each type, with its contract: where it runs, what
// it does outside the engine, and whether it may be repeated after an interruption (TS-112a).
//
// A step reads its inputs from a [Context], acts through the capabilities of the machine, and returns an [Outcome]. It
// never restarts the machine, never decides about continue on error, and never logs a secret; those are the engine's
// business. A step this package does not know fails with a clear text and never succeeds silently.
package step
