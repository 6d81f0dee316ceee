// Package smstslog writes smsts.log, the log of a task sequence, in the record format that log readers of Configuration
// Manager understand (TS-150 to TS-154): records, rotation, and moving to another folder while the run goes on.
//
// It masks nothing. Its callers hand in text without secrets.
package smstslog
