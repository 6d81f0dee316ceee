// Package target connects the engine's disks, images and OS setup (tsengine/machine) to the packages that do the work on
// a Linux boot environment (images/disk, images/apply). It keeps the volumes of a run mounted while they are needed and
// takes its knowledge through restarts in the run's checkpoint.
package target
