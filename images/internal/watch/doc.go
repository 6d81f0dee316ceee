// Package watch tells how far a program is that does not say so itself, by looking at what it has written.
package watch
