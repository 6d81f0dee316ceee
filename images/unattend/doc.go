// Package unattend makes and changes the answer file of Windows Setup (unattend.xml): it writes settings over what a file
// had and leaves everything else as it was, down to comments and the order of components. It works on bytes and touches
// no machine.
package unattend
