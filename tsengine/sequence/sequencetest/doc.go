// Package sequencetest helps tests of task sequence documents: a canonical form by a reader of XML that shares nothing
// with package sequence, documents drawn at random, and the encodings in which real files are stored.
package sequencetest
