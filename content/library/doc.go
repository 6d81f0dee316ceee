// Package library keeps the content of packages on the appliance: every file once, under its SHA-256 (DOP-20), and per
// package and version a signed manifest. It imports folders, updates, verifies, repairs and removes packages, and serves
// the files by HTTP.
//
// On disk:
//
//	blobs/<first two digits>/<sha-256>     one file, mode 0644
//	packages/<package id>/<version>.json   signed manifest; a package exists when it has one
//	temp/                                  files being written; emptied when the library is opened
//	lock                                   held while a process has the library open
//
// A manifest is written after all its files and removed before any of them, so a crash leaves the old or the new state,
// plus at most some files that no manifest names; those shorten the next import and are removed by [Library.Collect].
package library
