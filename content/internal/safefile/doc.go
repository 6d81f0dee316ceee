// Package safefile does the few things with files that must be right when the power fails or the disk is full: replace a
// file as a whole, make a rename last, lock a folder against a second process, and tell how much room there is.
package safefile
