// Package client brings the files of a package from its sources to a folder on this machine, resumes what was cut off, and
// lets nobody see a file whose SHA-256 is not that of the verified manifest (DOP-14).
//
// Below the cache folder:
//
//	<package id>.<version>-<digest>/    a complete, verified package; appears by one rename
//	.state/<same name>.json             size and time of its files when they were verified
//	.state/<same name>.lock             held while one Fetch works on it
//	.staging/<same name>/tree/          verified files of a package that is not complete yet
//	.staging/<same name>/parts/         files being downloaded, named by hash
//
// Downloads go through github.com/cavaliergopher/grab, wrapped in one place (grab.go), which lists its faults.
package client
