// Package simulate walks a task sequence for a machine that is only described, and says of each node whether it would
// run, be skipped or fail, and why (docs/simulate.md).
//
// The walk is that of [tsengine.Engine]; only what steps do to a machine is replaced. Nothing is read from or done to
// the machine the simulation runs on. What a step cannot know without the real machine, such as the output of a
// program, stays unset.
package simulate
