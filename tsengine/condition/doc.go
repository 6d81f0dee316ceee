// Package condition evaluates the conditions of task sequence nodes (task-sequence.md section 5).
//
// Variable, file and folder expressions are answered here. What needs Windows (WMI, registry, installed software, the
// OS version) is asked of [Facts]; without an answer it is false with a warning (TS-76). What cannot be understood is
// an error of the node and never false (TS-23). Evaluation has no side effects (TS-63).
package condition
