// Package imagestore brings a captured image to the appliance: as a stream, cut into pieces with a hash each, which the
// appliance keeps over an interruption (IMG-1).
//
// It does not know what is in the stream.
package imagestore
