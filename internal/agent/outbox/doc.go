// Package outbox holds what a run has to tell the appliance until the appliance has it: events, the bytes of smsts.log and
// the final result, in that order. Handing something over never waits for the network. What is not delivered lies in a
// folder, so that a killed agent or a restarted machine goes on where it was (TS-162 allows the queue).
//
// Delivery is idempotent: events carry rising numbers, log bytes their offset. After every doubt (start, refused request)
// the appliance is asked what it has, and only the rest is sent.
package outbox
