// Package content describes what a deployment downloads: a package is a versioned, signed list of files, and each file is
// named by its SHA-256.
//
// The manifest is the only thing that has to be trusted: whoever holds a verified [Manifest] may take the bytes from
// anywhere, because every file and every chunk of it carries its hash (DOP-14). Package library stores and serves the
// files on the appliance, package client brings them to the machine that is deployed. What this folder does not do:
// decide which source a machine may use (boundary groups), deliver manifests (the API does), or run anything.
package content
