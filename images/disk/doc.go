// Package disk knows the disks of the machine being deployed and puts a
// partition layout on one of them (Format and Partition Disk, TS-117).
//
// It works in three separate moves so that each can be tested alone: List reads
// sysfs and says which disks may be written and why not the others; Plan is a
// pure function from a layout and a disk size to exact sectors; Apply writes
// the table, makes the file systems and returns the volumes, which a
// VolumeTable keeps under their drive letters across restarts.
//
// It does not know task sequence variables, packages or images, and it never
// chooses between several disks on its own.
package disk
