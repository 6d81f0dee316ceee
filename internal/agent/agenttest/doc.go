// Package agenttest is a machine without hardware for tests of the agent: identity, restarts, commands, screen and clock are
// kept and played. Other packages' tests use it as well.
package agenttest
