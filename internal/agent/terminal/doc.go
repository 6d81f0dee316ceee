// Package terminal runs a shell for somebody far away: on a terminal of its own where the system has one, else line by
// line. It knows nothing of the network; bytes go in and come out.
package terminal
