// Package inventory gathers the fact sheet of the machine the agent runs on (TS-76): SMBIOS, sysfs, proc and os-release,
// under the names that Windows gives them, so that WMI conditions made for Windows are answered on Linux too.
//
// Everything is read below a root, so that tests gather from recorded machines. What cannot be read is left out and never
// an error. No secret is read. docs/facts.md lists the classes and where each property comes from.
package inventory
