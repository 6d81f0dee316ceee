// Package wire holds what the appliance and the agent say to each other: ids,
// messages of the agent's API, the problem type and the protocol version. It
// imports the standard library only, so both programs and every top folder may
// use it. It decides nothing; who may do what is answered in internal/site.
package wire
