// Package limit says how often somebody may ask for something: so many requests
// at once and so many a second for each address, machine or whatever the key is.
package limit
