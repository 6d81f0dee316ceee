// Package inf reads the INF files of Windows drivers: which devices a driver serves, on which Windows, and how new it is.
// It checks no signatures and installs nothing.
package inf
