// Package signedurl makes and checks the signed, expiring paths under which
// boot files and content blobs are served over plain HTTP (DESIGN.md, "trust").
// A signature says that the appliance itself handed the path out, to whoever
// holds it, until the hour it names. It protects nothing from a listener on the
// wire; secrets never travel over plain HTTP.
package signedurl
