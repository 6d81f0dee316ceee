// Package stage sets an appliance up in a lab: a lab, 'bootyard serve' on its
// server, images and a sequence imported. The demo and the end-to-end tests play
// on it; both use the program that was built, from outside.
package stage
