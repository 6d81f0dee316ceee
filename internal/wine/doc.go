// Package wine is the test bed for the Windows programs: a Wine prefix of its own, programs and tests of packages built
// for Windows, and their runs under Wine without a display. It stands in for Windows in tests only, and says nothing about
// what Wine lacks: PowerShell, disks, services, accounts.
package wine
