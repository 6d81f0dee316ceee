// Package quiet keeps a log readable when strangers ask again and again: the
// same refusal is one line a minute with a count, and a flood of different ones
// has a limit too.
package quiet
