// Package fact is the fact sheet: what a machine is, written down, so that the conditions of a task sequence can be
// answered without Windows (TS-76) and without the machine (the simulator).
//
// A [Sheet] is gathered by the agent on a real machine or read from YAML with [Parse]; it answers WMI, registry,
// software and operating system expressions as condition.Facts, and file and folder expressions as condition.Files.
// docs/facts.md describes the YAML for users. Package wql reads the queries.
package fact
