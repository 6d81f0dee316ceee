package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// bitLockerCodes are errors of manage-bde that need a word.
var bitLockerCodes = codes{
	0x80310008: "BitLocker is not switched on for this drive, or a TPM is missing",
	0x80310018: "the TPM is not ready; switch it on and clear it in the firmware",
	0x8031001E: "the drive has no protectors yet",
	0x80310028: "a removable medium is in the machine that can be started from; take it out",
	0x80310057: "the group policy does not allow this; look at the rules for BitLocker",
	0x803100B5: "no keyboard was found that could enter a PIN before the start",
}

// encryptMethods are the numbers of the step with the words of manage-bde.
func encryptMethod(text string) (string, error) {
	switch text {
	case "", "0":
		return "", nil
	case "3":
		return "aes128", nil
	case "4":
		return "aes256", nil
	case "6":
		return "xts_aes128", nil
	case "7":
		return "xts_aes256", nil
	}
	return "", fmt.Errorf("encryption method %q is unknown; 0, 3, 4, 6 and 7 exist", text)
}

// usableTPM says whether the machine has a TPM 2.0 that is switched on.
func usableTPM(ctx context.Context, c *Context) (bool, error) {
	if c.Machine.Readiness == nil {
		return false, errors.New("nothing is known about a TPM of this machine")
	}
	f, err := c.Machine.Readiness.Readiness(ctx)
	if err != nil {
		return false, err
	}
	return f.TPMEnabled != nil && *f.TPMEnabled && f.TPMActivated != nil && *f.TPMActivated, nil
}

// withoutTPM decides what happens when a TPM is needed and not there; done is false when the step goes on.
func withoutTPM(ctx context.Context, c *Context, skip bool) (out Outcome, done bool) {
	there, err := usableTPM(ctx, c)
	switch {
	case err != nil:
		return Failure(CodeFailed, err), true
	case there:
		return Outcome{}, false
	case skip:
		c.Log(smstslog.Warning, "This machine has no TPM that can be used: BitLocker is skipped, as the step says")
		return Outcome{}, true
	}
	return Failure(0x80310018, errors.New("this machine has no TPM that can be used; switch it on in the firmware, or let the step skip such machines")), true
}

// PreProvisionBitLocker is Pre-provision BitLocker: the empty drive is encrypted in WinPE with a clear key; Enable
// BitLocker gives it its protectors later.
type PreProvisionBitLocker struct{}

// Contract implements Step.
func (PreProvisionBitLocker) Contract() Contract {
	return Contract{Type: "OfflineEnableBitLockerAction", RunIn: sequence.WinPE, Effect: true, Component: "OSDOfflineBitlocker"}
}

// Run implements Step.
func (PreProvisionBitLocker) Run(ctx context.Context, c *Context) Outcome {
	if out := windowsOnly(c, "BitLocker"); out != nil {
		return *out
	}
	drive, err1 := driveOf(argument(c, "OSDBitLockerTargetDrive", "/drive:"))
	full, err2 := flag(c, "OSDBitLockerEncryptFullDisk", "/full:", false)
	skip, err3 := flag(c, "OSDBitLockerSkipWhenTPMInvalid", "/ignoretpm:", true)
	method, err4 := encryptMethod(argument(c, "OSDBitLockerEncryptMethod", "/crypt:"))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return Failure(CodeInvalid, err)
	}
	if drive == "" {
		if drive = c.Input("OSDisk"); drive == "" {
			drive = "C:"
		}
	}
	if out, done := withoutTPM(ctx, c, skip); done {
		return out
	}
	return startProgram(ctx, c, manageBDE(append([]string{"-on", drive}, encryptOptions(full, method)...)...), bitLockerCodes, "")
}

func encryptOptions(full bool, method string) (args []string) {
	if !full {
		args = append(args, "-usedspaceonly")
	}
	if method != "" {
		args = append(args, "-encryptionmethod", method)
	}
	return args
}

// DisableBitLocker is Disable BitLocker: it suspends the protection for some restarts and decrypts nothing.
type DisableBitLocker struct{}

// Contract implements Step.
func (DisableBitLocker) Contract() Contract {
	return Contract{Type: "DisableBitLockerAction", RunIn: sequence.FullOS, Effect: true, Repeatable: true, Component: "OSDBitLocker"}
}

// Run implements Step.
func (DisableBitLocker) Run(ctx context.Context, c *Context) Outcome {
	if out := windowsOnly(c, "BitLocker"); out != nil {
		return *out
	}
	drive, err1 := driveOf(argument(c, "OSDBitLockerTargetDrive", "/drive:"))
	count, err2 := c.InputInt("OSDBitLockerRebootCount", 1, 15, 1)
	override, err3 := c.InputInt("OSDBitLockerRebootCountOverride", 0, 15, count)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Failure(CodeInvalid, err)
	}
	if drive == "" {
		drive = "C:"
	}
	return startProgram(ctx, c, manageBDE("-protectors", "-disable", drive, "-rebootcount", fmt.Sprint(override)), bitLockerCodes, "")
}

// volumeStatus asks for the words of an enumeration, which are the same in every language.
func volumeStatus(ctx context.Context, c *Context, drive string) (string, Outcome) {
	p := powerShell("(Get-BitLockerVolume -MountPoint " + quoted(drive) + ").VolumeStatus.ToString()")
	out := startProgram(ctx, c, p, bitLockerCodes, "Get-BitLockerVolume "+drive)
	return strings.TrimSpace(out.Output), out
}
