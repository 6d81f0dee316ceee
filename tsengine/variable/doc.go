// Package variable is the environment of a task sequence: two scopes, read-only names, deletion by empty value,
// expansion of %name%, and secrets that are masked wherever text leaves the engine (task-sequence.md sections 6, 7).
//
// It does not know steps or XML, and it does not encrypt: a checkpoint's secrets are sealed by a function its caller
// hands in.
package variable
