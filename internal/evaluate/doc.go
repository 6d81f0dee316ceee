// Package evaluate answers what one device may and must do with one deployment at one moment, and why: it is a pure
// function of the deployment, the device's history, clock, zone, maintenance windows and environment. The agent calls it
// on the device; the appliance calls it to explain, to show the next occurrences and to plan wake-ups. It reads no clock
// and keeps no state, so the same input gives the same answer everywhere.
//
// The rules are those of docs/spec/deployment.md, sections 7 (SCH), 8 (RRN), 10 (MWN) and parts of 9 (UX) and 18 (WOL);
// every [Reason] names the one it comes from.
package evaluate
