// Package examples holds the example task sequences, so that the demo and the
// tests use the very files that the documentation shows.
package examples

import _ "embed"

// Debian is debian.xml: one sequence that deploys Debian on BIOS and UEFI.
//
//go:embed debian.xml
var Debian string

// Inventory is inventory.xml: a generic sequence for installed agents.
//
//go:embed inventory.xml
var Inventory string

// Workstation is workstation.yaml: a Windows sequence in the YAML form.
//
//go:embed workstation.yaml
var Workstation string
