// Package tsengine runs task sequences: node by node, with conditions, variables, failure propagation, a checkpoint
// after every node, and resumption after a restart, a power cut or the death of the agent (docs/spec/task-sequence.md).
//
// It reads the model of package sequence, does its steps through package step, and touches the machine only through the
// small interfaces of package machine, which the agent implements. It sends nothing over the network, restarts nothing
// and stores nothing itself: status goes to a [Reporter], state to a [CheckpointStore], and a restart is a [Result]
// that the caller carries out.
package tsengine
