package step

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// EnableBitLocker is Enable BitLocker: it gives a drive its protectors, escrows the recovery password, encrypts, and
// waits if asked. A drive that is encrypted already gets its protectors switched on.
type EnableBitLocker struct{}

// Contract implements Step.
func (EnableBitLocker) Contract() Contract {
	return Contract{Type: "EnableBitLockerAction", RunIn: sequence.FullOS, Effect: true, Component: "OSDBitLocker"}
}

type bitLocker struct {
	drive, mode, keyDrive, method string
	escrow, wait, full, skip      bool
	pin, recovery, key            string // secrets
}

// Run implements Step.
func (EnableBitLocker) Run(ctx context.Context, c *Context) Outcome {
	if out := windowsOnly(c, "BitLocker"); out != nil {
		return *out
	}
	b, err := readBitLocker(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if strings.HasPrefix(b.mode, "TPM") {
		if out, done := withoutTPM(ctx, c, b.skip); done {
			return out
		}
	}
	status, out := volumeStatus(ctx, c, b.drive)
	if out.Err != nil {
		return out
	}
	programs, err := b.protectors()
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if strings.EqualFold(status, "FullyDecrypted") {
		programs = append(programs, shownProgram{manageBDE(append([]string{"-on", b.drive, "-skiphardwaretest"}, encryptOptions(b.full, b.method)...)...), ""})
	} else {
		c.Log(smstslog.Info, b.drive+" is "+status+": its protectors are switched on")
		programs = append(programs, shownProgram{manageBDE("-protectors", "-enable", b.drive), ""})
	}
	if b.wait {
		p := powerShell("while ((Get-BitLockerVolume -MountPoint " + quoted(b.drive) + ").VolumeStatus -eq 'EncryptionInProgress') { Start-Sleep -Seconds 10 }")
		p.Timeout = day
		programs = append(programs, shownProgram{p, "waiting until " + b.drive + " is encrypted"})
	}
	for _, p := range programs {
		if out = startProgram(ctx, c, p.Program, bitLockerCodes, p.shown); out.Err != nil {
			return out
		}
	}
	return out
}

type shownProgram struct {
	machine.Program
	shown string // for the log; empty shows the arguments
}

func manageBDE(args ...string) machine.Program {
	return machine.Program{Name: "manage-bde.exe", Args: args}
}

func readBitLocker(c *Context) (b bitLocker, err error) {
	b = bitLocker{mode: argument(c, "OSDBitLockerMode", "/mode:"), pin: c.Input("OSDBitLockerPIN"), recovery: strings.TrimSpace(c.Input("OSDBitLockerRecoveryPassword")), key: strings.TrimSpace(c.Input("OSDBitLockerStartupKey"))}
	for _, secret := range []string{b.pin, b.recovery, b.key} {
		c.Variables.AddSecret(secret)
	}
	var errs [6]error
	b.drive, errs[0] = driveOf(argument(c, "OSDBitLockerTargetDrive", "/drive:"))
	b.keyDrive, errs[1] = driveOf(argument(c, "OSDBitLockerStartupKeyDrive", "/keydrive:"))
	b.wait, errs[2] = flag(c, "OSDBitLockerWaitForEncryption", "/wait:", false)
	b.full, errs[3] = flag(c, "OSDBitLockerEncryptFullDisk", "/full:", false)
	b.skip, errs[4] = flag(c, "OSDBitLockerSkipWhenNoValidTPM", "/ignoretpm:", false)
	b.method, errs[5] = encryptMethod(argument(c, "OSDBitLockerEncryptMethod", "/crypt:"))
	if err := errors.Join(errs[:]...); err != nil {
		return b, err
	}
	switch pwd := argument(c, "OSDBitLockerCreateRecoveryPassword", "/pwd:"); strings.ToUpper(pwd) {
	case "", "AD":
		b.escrow = true
	case "NONE":
	default:
		return b, fmt.Errorf("OSDBitLockerCreateRecoveryPassword is %q; AD and None exist", pwd)
	}
	if b.drive != "" && !strings.EqualFold(b.drive, "C:") && b.mode == "" {
		return b, nil // a data drive is unlocked by the key of the system's
	}
	if b.drive == "" {
		b.drive = "C:"
	}
	for _, mode := range []string{"TPM", "Key", "TPMAndKey", "TPMAndPIN"} {
		if strings.EqualFold(mode, b.mode) {
			b.mode = mode
			return b, nil
		}
	}
	return b, fmt.Errorf("OSDBitLockerMode is %q; TPM, Key, TPMAndKey and TPMAndPIN exist", b.mode)
}

// protectors are the programs that add them. A PIN, a given key and a given recovery password go to standard input.
func (b bitLocker) protectors() (list []shownProgram, err error) {
	volume := "-MountPoint " + quoted(b.drive)
	if strings.Contains(b.mode, "Key") && b.keyDrive == "" {
		return nil, errors.New("a startup key needs OSDBitLockerStartupKeyDrive: the drive of the USB stick that is to hold it")
	}
	switch {
	case b.mode == "TPM":
		list = append(list, shownProgram{manageBDE("-protectors", "-add", b.drive, "-tpm"), ""})
	case b.mode == "TPMAndPIN":
		if b.pin == "" {
			return nil, errors.New("mode TPMAndPIN needs OSDBitLockerPIN")
		}
		list = append(list, shownProgram{powerShell("$s = ConvertTo-SecureString ([Console]::In.ReadLine()) -AsPlainText -Force; Add-BitLockerKeyProtector "+volume+" -TpmAndPinProtector -Pin $s | Out-Null", b.pin), "adding TPM and PIN to " + b.drive})
	case b.mode == "Key" && b.key != "":
		raw, err := base64.StdEncoding.DecodeString(b.key)
		if err != nil || len(raw) != 32 {
			return nil, errors.New("OSDBitLockerStartupKey is not a 256-bit key in base64")
		}
		list = append(list, shownProgram{powerShell("$v = Get-CimInstance -Namespace root/cimv2/Security/MicrosoftVolumeEncryption -ClassName Win32_EncryptableVolume -Filter \"DriveLetter='"+b.drive+"'\"; "+
			"$k = [byte[]][Convert]::FromBase64String([Console]::In.ReadLine()); $r = Invoke-CimMethod -InputObject $v -MethodName ProtectKeyWithExternalKey -Arguments @{ ExternalKey = $k }; if ($r.ReturnValue) { exit $r.ReturnValue }; "+
			"$r = Invoke-CimMethod -InputObject $v -MethodName SaveExternalKeyToFile -Arguments @{ VolumeKeyProtectorID = $r.VolumeKeyProtectorID; Path = "+quoted(b.keyDrive+`\`)+" }; exit $r.ReturnValue", b.key), "adding the given startup key to " + b.drive})
	case b.mode == "Key":
		list = append(list, shownProgram{manageBDE("-protectors", "-add", b.drive, "-startupkey", b.keyDrive+`\`), ""})
	case b.mode == "TPMAndKey":
		list = append(list, shownProgram{manageBDE("-protectors", "-add", b.drive, "-tpmandstartupkey", b.keyDrive+`\`), ""})
	default:
		list = append(list, shownProgram{powerShell("Enable-BitLockerAutoUnlock " + volume), "unlocking " + b.drive + " with the system drive"})
	}
	if b.recovery != "" {
		list = append(list, shownProgram{powerShell("Add-BitLockerKeyProtector "+volume+" -RecoveryPasswordProtector -RecoveryPassword ([Console]::In.ReadLine()) | Out-Null", b.recovery), "adding the given recovery password to " + b.drive})
	} else if b.escrow {
		list = append(list, shownProgram{powerShell("Add-BitLockerKeyProtector " + volume + " -RecoveryPasswordProtector -WarningAction SilentlyContinue | Out-Null"), "adding a recovery password to " + b.drive})
	}
	if b.escrow { // a failing escrow fails the step, before anything is encrypted
		list = append(list, shownProgram{powerShell("(Get-BitLockerVolume " + volume + ").KeyProtector | Where-Object { $_.KeyProtectorType -eq 'RecoveryPassword' } | ForEach-Object { Backup-BitLockerKeyProtector " + volume + " -KeyProtectorId $_.KeyProtectorId | Out-Null }"), "escrowing the recovery password of " + b.drive})
	}
	if b.key != "" && b.mode != "Key" {
		return nil, errors.New("OSDBitLockerStartupKey is for mode Key only")
	}
	return list, nil
}
