// Package capture makes an image of an installed system that does not run now: a
// WIM with one image for each volume, or a tar archive packed by zstd with one
// volume in it (Capture Operating System Image). What belongs to the machine and
// not to the system stays out: swap, what lives in memory, the run's own folder.
//
// It does not make the system unfit for being one of many (that is Prepare
// Windows for Capture, in the running system), and does not send images anywhere.
package capture
