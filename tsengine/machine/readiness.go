package machine

import "context"

// Readiness gathers what Check Readiness compares with its wishes. The agent reads it from the machine, the simulator
// from a sheet.
type Readiness interface {
	// Readiness looks at the machine as it is now. An error means that nothing at all could be found out; a single fact
	// that is unknown stays nil or empty in the answer, and a check of it fails.
	Readiness(ctx context.Context) (ReadinessFacts, error)
}

// ReadinessFacts are the facts behind the checks. Nil and empty mean unknown.
type ReadinessFacts struct {
	MemoryMB     *int64 // installed
	ProcessorMHz *int64 // the highest speed of the processor
	// FreeDiskMB is the largest free space on one disk: of the system volume in an installed system; in a boot
	// environment also a whole disk that has no partitions.
	FreeDiskMB    *int64
	OSType        string // CLIENT or SERVER; a boot environment is a CLIENT
	Architecture  int    // 32 or 64; 0 is unknown
	OSVersion     string // numbers separated by dots
	ClientVersion string // of the agent
	LanguageID    int    // Windows' number (LCID) of the system's language; 0 is unknown
	OnMains       *bool  // a machine without a battery is
	Connected     *bool  // some network card has a link
	Wired         *bool  // ... that is not a radio
	UEFI          *bool
	TPMEnabled    *bool // a TPM 2.0 that can be used
	TPMActivated  *bool
}
