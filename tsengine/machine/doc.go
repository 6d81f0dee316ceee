// Package machine declares what the steps of a task sequence need from the machine they run on: disks, images, OS
// setup, content and commands. Each is a small interface that the agent implements and hands to the engine. A
// capability that is nil does not exist in this environment, and a step that needs it fails and says so (TS-21).
//
// It also holds the volume table of a run: which drive letter means which partition, so that OSDTargetSystemDrive,
// letter variables and /target: have a meaning on Linux.
package machine
