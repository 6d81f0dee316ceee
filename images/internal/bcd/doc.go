// Package bcd makes the boot configuration store of Windows: the registry hive in which its boot manager finds the
// system to start. It makes a new store for one installed system, as it is after Windows' own setup of the boot files;
// it changes none.
//
// The numbers of objects and elements are those of the BCD reference of the Windows SDK (BcdObject, BcdElementType and
// their enumerations), and of what stores of real machines hold where that is silent (the form of a device).
package bcd
