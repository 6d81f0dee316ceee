// Package lint reads a task sequence as an experienced administrator would and names what is wrong, dangerous or
// pointless in it, before any machine runs it: each finding with its rule, its place and what to do about it.
//
// A finding is an error when the sequence would fail or do something else than it says, a warning when it does so on
// some machines or invites accidents, and a note when only its author can tell. Nothing is run and nothing is asked of
// a network. docs/lint.md lists the checks; it is made from [Checks].
package lint
