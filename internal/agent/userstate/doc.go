// Package userstate moves the state of a machine's users: their files as a stream (a compressed tar with owners and
// extended attributes), and that stream, cut into encrypted pieces, to the appliance and back.
//
// It decides nothing about when that happens; the steps of a task sequence do.
package userstate
