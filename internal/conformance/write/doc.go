// Write runs the tests of the rows and writes docs/conformance.md; see package
// conformance. scripts/conformance calls it from the top of the project. It ends
// with 1 when a test failed, after the page was written.
package main
