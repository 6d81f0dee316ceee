// Package command runs the tools that the images packages need, each with a
// deadline, an environment of its own and bounded output. It does not know what
// the tools do.
package command
