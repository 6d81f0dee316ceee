package tsengine_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/step"
)

// programs is a recorded machine.Programs: it notes what was started and answers by the first words of the command.
type programs struct {
	linux   bool
	has     []string // what Find finds; nil is everything
	answers map[string]machine.Exit
	err     error
	on      func(p machine.Program)
	started []string // name and arguments; a PowerShell script without its frame
	input   []string
}

func (p *programs) Windows() bool { return !p.linux }

func (p *programs) Find(name string) bool {
	for _, h := range p.has {
		if h == name {
			return true
		}
	}
	return p.has == nil
}

func (p *programs) Start(_ context.Context, r machine.Program) (machine.Exit, error) {
	line := strings.Join(append([]string{filepath.Base(r.Name)}, r.Args...), " ")
	line = strings.Replace(line, "powershell.exe -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -Command $ErrorActionPreference = 'Stop'; ", "PS ", 1)
	p.started, p.input = append(p.started, line), append(p.input, r.Input)
	if p.on != nil {
		p.on(r)
	}
	for prefix, exit := range p.answers {
		if strings.HasPrefix(line, prefix) {
			return exit, p.err
		}
	}
	return machine.Exit{}, p.err
}

// onWindows runs a body in an installed Windows, or in WinPE with pe.
func onWindows(t *testing.T, p *programs, pe bool, body string) (run, string) {
	t.Helper()
	b := &bench{}
	dir := t.TempDir()
	log, err := smstslog.Open(dir, smstslog.Options{})
	require.NoError(t, err)
	r := execute(t, parse(t, body), func(c *tsengine.Config) {
		c.Log = log
		c.Machine.Content = content{b}
		c.Machine.Programs, c.Machine.Readiness = p, sheet{facts: ready()}
		c.Machine.Capture = captured{network: machine.NetworkSettings{Join: machine.JoinWorkgroup}}
		c.Identity.BootImageID = bootImage
		if pe {
			c.Environment, c.Machine.Disks, c.Machine.Images, c.Machine.Capture = tsengine.WinPE, b, images{b}, nil
		}
	})
	require.NoError(t, log.Close())
	text, err := os.ReadFile(filepath.Join(dir, smstslog.Name))
	require.NoError(t, err)
	return r, string(text)
}

const (
	psVolume = "PS (Get-BitLockerVolume -MountPoint 'C:').VolumeStatus.ToString()"
	psAdd    = "PS Add-BitLockerKeyProtector -MountPoint 'C:' -RecoveryPasswordProtector"
)

func TestEnableBitLocker(t *testing.T) {
	decrypted := map[string]machine.Exit{"PS (Get-": {Output: "FullyDecrypted\r\n"}}
	backup := "PS (Get-BitLockerVolume -MountPoint 'C:').KeyProtector | Where-Object { $_.KeyProtectorType -eq 'RecoveryPassword' } | ForEach-Object { Backup-BitLockerKeyProtector -MountPoint 'C:' -KeyProtectorId $_.KeyProtectorId | Out-Null }"
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		variables []string
		answers   map[string]machine.Exit
		want      []string
		input     string
	}{
		"TPM, escrow": {[]string{hidden("OSDBitLockerMode", "TPM"), hidden("OSDBitLockerCreateRecoveryPassword", "AD")}, decrypted,
			[]string{psVolume, "manage-bde.exe -protectors -add C: -tpm", psAdd + " -WarningAction SilentlyContinue | Out-Null", backup, "manage-bde.exe -on C: -skiphardwaretest -usedspaceonly"}, ""},
		"MDT, all of the disk, wait": {[]string{item("OSDBitLockerMode", "TPM"), item("OSDBitLockerCreateRecoveryPassword", "None"), item("OSDBitLockerEncryptFullDisk", "true"), item("OSDBitLockerEncryptMethod", "7"), item("OSDBitLockerWaitForEncryption", "true")}, decrypted,
			[]string{psVolume, "manage-bde.exe -protectors -add C: -tpm", "manage-bde.exe -on C: -skiphardwaretest -encryptionmethod xts_aes256", "PS while ((Get-BitLockerVolume -MountPoint 'C:').VolumeStatus -eq 'EncryptionInProgress') { Start-Sleep -Seconds 10 }"}, ""},
		"encrypted before, PIN": {[]string{hidden("OSDBitLockerMode", "TPMAndPIN"), hidden("OSDBitLockerCreateRecoveryPassword", "None"), item("OSDBitLockerPIN", "12345678")}, map[string]machine.Exit{"PS (Get-": {Output: "FullyEncrypted"}},
			[]string{psVolume, "PS $s = ConvertTo-SecureString ([Console]::In.ReadLine()) -AsPlainText -Force; Add-BitLockerKeyProtector -MountPoint 'C:' -TpmAndPinProtector -Pin $s | Out-Null", "manage-bde.exe -protectors -enable C:"}, "12345678\n"},
		"stick": {[]string{hidden("OSDBitLockerMode", "TPMAndKey"), hidden("OSDBitLockerStartupKeyDrive", "E:"), hidden("OSDBitLockerCreateRecoveryPassword", "None")}, decrypted,
			[]string{psVolume, `manage-bde.exe -protectors -add C: -tpmandstartupkey E:\`, "manage-bde.exe -on C: -skiphardwaretest -usedspaceonly"}, ""},
		"given key": {[]string{hidden("OSDBitLockerMode", "Key"), hidden("OSDBitLockerStartupKeyDrive", "E:"), hidden("OSDBitLockerCreateRecoveryPassword", "None"), item("OSDBitLockerStartupKey", key)}, decrypted, nil, key + "\n"},
		"given recovery": {[]string{hidden("OSDBitLockerMode", "TPM"), hidden("OSDBitLockerCreateRecoveryPassword", "None"), item("OSDBitLockerRecoveryPassword", "111111-222222")}, decrypted,
			[]string{psVolume, "manage-bde.exe -protectors -add C: -tpm", psAdd + " -RecoveryPassword ([Console]::In.ReadLine()) | Out-Null", "manage-bde.exe -on C: -skiphardwaretest -usedspaceonly"}, "111111-222222\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &programs{answers: c.answers}
			r, log := onWindows(t, p, false, typed("EnableBitLockerAction", "BitLocker", "", c.variables...))
			require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
			if c.want != nil {
				require.Equal(t, c.want, p.started)
			}
			all := strings.Join(p.input, "")
			require.Equal(t, c.input, all, "secrets go to standard input")
			if secret := strings.TrimSpace(c.input); secret != "" {
				require.NotContains(t, strings.Join(p.started, "\n"), secret)
				require.NotContains(t, log, secret)
			}
		})
	}
	// The action alone, as old exports have it.
	p := &programs{answers: decrypted}
	r, _ := onWindows(t, p, false, `<step type="SMS_TaskSequence_EnableBitLockerAction" name="b" successCodeList="0"><action>OSDBitLocker.exe /enable /wait:False /mode:TPM /pwd:None</action></step>`)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{psVolume, "manage-bde.exe -protectors -add C: -tpm", "manage-bde.exe -on C: -skiphardwaretest -usedspaceonly"}, p.started)
}

func TestBitLockerFailures(t *testing.T) {
	enable := func(v ...string) string { return typed("EnableBitLockerAction", "BitLocker", "", v...) }
	for name, c := range map[string]struct {
		body string
		p    *programs
		code uint32
		want string
	}{
		"escrow":     {enable(hidden("OSDBitLockerMode", "TPM")), &programs{answers: map[string]machine.Exit{"PS (Get-BitLockerVolume -MountPoint 'C:').Key": {Code: 1}}}, 1, "exit code 1"},
		"mode":       {enable(hidden("OSDBitLockerMode", "Magic")), &programs{}, step.CodeInvalid, "TPMAndPIN"},
		"method":     {enable(hidden("OSDBitLockerMode", "TPM"), hidden("OSDBitLockerEncryptMethod", "5")), &programs{}, step.CodeInvalid, "5"},
		"no PIN":     {enable(hidden("OSDBitLockerMode", "TPMAndPIN")), &programs{}, step.CodeInvalid, "OSDBitLockerPIN"},
		"no stick":   {enable(hidden("OSDBitLockerMode", "Key")), &programs{}, step.CodeInvalid, "StartupKeyDrive"},
		"short key":  {enable(hidden("OSDBitLockerMode", "Key"), hidden("OSDBitLockerStartupKeyDrive", "E:"), item("OSDBitLockerStartupKey", "AAAA")), &programs{}, step.CodeInvalid, "256-bit"},
		"Linux":      {enable(hidden("OSDBitLockerMode", "TPM")), &programs{linux: true}, step.CodeEnvironment, "TS-21"},
		"named code": {enable(hidden("OSDBitLockerMode", "TPM")), &programs{answers: map[string]machine.Exit{"manage-bde": {Code: 0x80310018}}}, 0x80310018, "TPM is not ready"},
		"count":      {typed("DisableBitLockerAction", "off", "", item("OSDBitLockerRebootCount", "16")), &programs{}, step.CodeInvalid, "1 to 15"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := onWindows(t, c.p, false, c.body)
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
			require.Contains(t, r.result.Error, c.want)
		})
	}
	// Without a TPM the step fails, or is skipped where it says so.
	no := false
	for skip, outcome := range map[string]tsengine.Outcome{"true": tsengine.Succeeded, "false": tsengine.Failed} {
		p := &programs{}
		r := execute(t, parse(t, enable(hidden("OSDBitLockerMode", "TPM"), hidden("OSDBitLockerSkipWhenNoValidTPM", skip))), func(c *tsengine.Config) {
			c.Machine.Programs, c.Machine.Readiness = p, sheet{facts: machine.ReadinessFacts{TPMEnabled: &no}}
		})
		require.Equal(t, outcome, r.result.Outcome)
		require.Empty(t, p.started)
	}
}

// one runs one step and gives what was started.
func one(t *testing.T, pe bool, p *programs, body string) []string {
	t.Helper()
	r, _ := onWindows(t, p, pe, body)
	require.NotEqual(t, tsengine.Failed, r.result.Outcome, r.result.Error)
	return p.started
}

func TestWindowsPrograms(t *testing.T) {
	for name, c := range map[string]struct {
		pe   bool
		body string
		want []string
	}{
		"pre-provision":     {true, typed("OfflineEnableBitLockerAction", "p", "", hidden("OSDBitLockerEncryptMethod", "6")), []string{"manage-bde.exe -on C: -usedspaceonly -encryptionmethod xts_aes128"}},
		"pre-provision all": {true, typed("OfflineEnableBitLockerAction", "p", "", hidden("OSDBitLockerEncryptFullDisk", "true"), hidden("OSDBitLockerTargetDrive", "W:")), []string{"manage-bde.exe -on W:"}},
		"suspend":           {false, typed("DisableBitLockerAction", "d", "", item("OSDBitLockerRebootCount", "3")), []string{"manage-bde.exe -protectors -disable C: -rebootcount 3"}},
		"override":          {false, setVariable("OSDBitLockerRebootCountOverride", "0") + typed("DisableBitLockerAction", "d", "", item("OSDBitLockerRebootCount", "3"), hidden("OSDBitLockerTargetDrive", "D:")), []string{"manage-bde.exe -protectors -disable D: -rebootcount 0"}},
		"drivers": {true, applied(typed("ApplyDriverPackageAction", "d", "", hidden("OSDApplyDriverDriverPackageID", "BYD00007"), item("OSDAllowUnsignedDriver", "true"), item("OSDRecurse", "true"), item("OSDInstallDriversAdditionalOptions", "/LogLevel:4"))),
			[]string{`dism.exe /Image:C:\ /Add-Driver /Driver:/cache/BYD00007 /Recurse /ForceUnsigned /LogLevel:4`}},
		"drivers by action": {true, applied(`<step type="SMS_TaskSequence_ApplyDriverPackageAction" name="d" successCodeList="0"><action>osddriverclient.exe /install:BYD00007  /unsigned:%OSDAllowUnsignedDriver% /recurse:false</action></step>`),
			[]string{`dism.exe /Image:C:\ /Add-Driver /Driver:/cache/BYD00007 /Recurse`}},
		"dynamic":   {false, typed("ConvertDiskAction", "c", "", item("OSDConvertDiskIndex", "1")), []string{"diskpart.exe"}},
		"workgroup": {false, typed("JoinDomainWorkgroupAction", "j", "", item("OSDJoinType", "1"), item("OSDJoinWorkgroupName", "O'LAB"), item("OSDJoinSkipReboot", "true")), []string{"PS Add-Computer -WorkgroupName 'O''LAB' -Force"}},
		"client":    {false, setVariable("SMSTSUninstallCCMClient", "TRUE") + typed("PrepareSMSClientAction", "c", ""), []string{`C:\Windows\ccmsetup\ccmsetup.exe /uninstall`}},
		"tools":     {false, typed("InstallDeployToolsAction", "t", ""), nil},
		"sysprep": {false, typed("PrepareOSAction", "p", "", item("OSDKeepActivation", "true")), []string{
			`reg.exe add HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform /v SkipRearm /t REG_DWORD /d 1 /f`, `C:\Windows\System32\Sysprep\sysprep.exe /quiet /generalize /oobe /quit`}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, one(t, c.pe, &programs{}, c.body)) })
	}
}

// driverStore is a boot environment that leaves drivers for Windows' own setup.
type driverStore struct {
	requests []machine.DriverRequest
	err      error
}

func (d *driverStore) AddDrivers(_ context.Context, r machine.DriverRequest) ([]string, error) {
	d.requests = append(d.requests, r)
	return []string{"placed"}, d.err
}

// Without DISM, in bootyard's own boot environment, drivers go to the volume of the applied Windows.
func TestDriversWithoutDISM(t *testing.T) {
	body := applied(typed("ApplyDriverPackageAction", "d", "", hidden("OSDApplyDriverDriverPackageID", "BYD00007"), item("OSDAllowUnsignedDriver", "true")))
	run := func(store *driverStore, body string) run {
		b := &bench{}
		return execute(t, parse(t, body), func(c *tsengine.Config) {
			c.Environment, c.Machine = tsengine.WinPE, b.capabilities(&commands{})
			c.Machine.DriverStore = store
		})
	}
	store := &driverStore{}
	r := run(store, body)
	require.Equal(t, tsengine.Succeeded, r.result.Outcome, r.result.Error)
	require.Len(t, store.requests, 1)
	require.Equal(t, "BYD00007", store.requests[0].PackageID)
	require.Equal(t, "C:", store.requests[0].Target.Letter)
	require.NotEmpty(t, store.requests[0].Dir)
	r = run(&driverStore{err: errors.New("no .inf")}, body)
	require.Equal(t, tsengine.Failed, r.result.Outcome)
	require.Contains(t, r.result.Error, "no .inf")
	r = run(&driverStore{}, typed("ApplyDriverPackageAction", "d", "", hidden("OSDApplyDriverDriverPackageID", "BYD00007")))
	require.Contains(t, r.result.Error, "Apply Operating System Image")
}

// No step for Windows passes anywhere else, and a code that is not success is a failure with its meaning.
func TestWindowsProgramFailures(t *testing.T) {
	for kind, pe := range map[string]bool{"OfflineEnableBitLockerAction": true, "ApplyDriverPackageAction": true, "AutoApplyAction": true, "DisableBitLockerAction": false, "EnableBitLockerAction": false,
		"UpgradeOperatingSystemAction": false, "ConvertDiskAction": false, "JoinDomainWorkgroupAction": false, "PrepareOSAction": false, "PrepareSMSClientAction": false, "InstallDeployToolsAction": false} {
		r := execute(t, parse(t, typed(kind, "x", "", item("OSDJoinType", "1"), item("OSDJoinWorkgroupName", "LAB"))), func(c *tsengine.Config) {
			if pe {
				c.Environment = tsengine.WinPE
			}
		})
		require.Equal(t, tsengine.Failed, r.result.Outcome, kind)
		require.Equal(t, step.CodeEnvironment, r.result.ExitCode, kind)
		require.Contains(t, r.result.Error, "TS-21", kind)
	}
	drivers := applied(typed("ApplyDriverPackageAction", "d", "", hidden("OSDApplyDriverDriverPackageID", "BYD00007")))
	for name, c := range map[string]struct {
		pe   bool
		body string
		p    *programs
		code uint32
		want string
	}{
		"dism":          {true, drivers, &programs{answers: map[string]machine.Exit{"dism": {Code: 50}}}, 50, "at least one driver"},
		"dism not here": {true, drivers, &programs{err: exec.ErrNotFound}, step.CodeNotFound, "not on this machine"},
		"dism too long": {true, drivers, &programs{err: machine.ErrTimeout}, step.CodeTimeout, "TS-28"},
		"no Windows":    {true, typed("ApplyDriverPackageAction", "d", "", hidden("OSDApplyDriverDriverPackageID", "BYD00007")), &programs{}, step.CodeInvalid, "Apply Operating System Image"},
		"no package":    {true, applied(typed("ApplyDriverPackageAction", "d", "")), &programs{}, step.CodeInvalid, "driver package"},
		"no catalogue":  {true, applied(typed("AutoApplyAction", "a", "")), &programs{}, step.CodeEnvironment, "catalogue"},
		"join type":     {false, typed("JoinDomainWorkgroupAction", "j", ""), &programs{}, step.CodeInvalid, "OSDJoinType"},
		"sysprep":       {false, typed("PrepareOSAction", "p", ""), &programs{answers: map[string]machine.Exit{"C:\\Windows\\System32\\Sysprep": {Code: 1}}}, 1, "setuperr.log"},
		"no sysprep":    {false, typed("InstallDeployToolsAction", "t", ""), &programs{has: []string{}}, step.CodeNotFound, "sysprep"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := onWindows(t, c.p, c.pe, c.body)
			require.Equal(t, tsengine.Failed, r.result.Outcome)
			require.Equal(t, c.code, r.result.ExitCode, r.result.Error)
			require.Contains(t, r.result.Error, c.want)
		})
	}
	// Sysprep refuses a member of a domain before it begins.
	p := &programs{}
	r := execute(t, parse(t, typed("PrepareOSAction", "p", "")), func(c *tsengine.Config) {
		c.Machine.Programs, c.Machine.Capture = p, captured{network: machine.NetworkSettings{Join: machine.JoinDomain, Domain: "lab.example"}}
	})
	require.Contains(t, r.result.Error, "lab.example")
	require.Empty(t, p.started)
}

func TestJoinDomain(t *testing.T) {
	join := typed("JoinDomainWorkgroupAction", "j", "", item("OSDJoinType", "0"), item("OSDJoinDomainName", "lab.example"), item("OSDJoinDomainOUName", "LDAP://OU=PCs,DC=lab,DC=example"), item("OSDJoinAccount", `LAB\join`), item("OSDJoinPassword", "pass word"))
	p := &programs{}
	r, log := onWindows(t, p, false, join)
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
	require.Len(t, p.started, 1)
	require.Contains(t, p.started[0], "Add-Computer -DomainName 'lab.example' -OUPath 'OU=PCs,DC=lab,DC=example' -Credential")
	require.Equal(t, []string{"LAB\\join\npass word\n"}, p.input)
	require.NotContains(t, log, "pass word")

	p = &programs{linux: true, has: []string{"realm"}}
	r, _ = onWindows(t, p, false, join)
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
	require.Equal(t, []string{"realm list --name-only", "realm join --unattended --user=join --computer-ou=OU=PCs,DC=lab,DC=example lab.example"}, p.started)
	require.Equal(t, []string{"", "pass word\n"}, p.input)

	p = &programs{linux: true, has: []string{"realm"}, answers: map[string]machine.Exit{"realm list": {Output: "lab.example\n"}}}
	r, _ = onWindows(t, p, false, join)
	require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
	require.Len(t, p.started, 1, "a member stays where it is")

	p = &programs{linux: true, has: []string{"adcli"}, answers: map[string]machine.Exit{"adcli": {Code: 5}}}
	r, _ = onWindows(t, p, false, join)
	require.Equal(t, []string{"adcli join --stdin-password --login-user=join --domain-ou=OU=PCs,DC=lab,DC=example lab.example"}, p.started)
	require.EqualValues(t, 5, r.result.ExitCode)
	require.Contains(t, r.result.Error, "refuses the account")

	p = &programs{linux: true, has: []string{}}
	r, _ = onWindows(t, p, false, join)
	require.Equal(t, step.CodeNotFound, r.result.ExitCode)
	r, _ = onWindows(t, &programs{linux: true}, false, typed("JoinDomainWorkgroupAction", "j", "", item("OSDJoinType", "1"), item("OSDJoinWorkgroupName", "LAB")))
	require.Equal(t, step.CodeEnvironment, r.result.ExitCode)
}

type prepared struct{ err error }

func (p prepared) PrepareOS(context.Context) ([]string, error) { return []string{"clean"}, p.err }

// On Linux the system is prepared for real and restarts to the boot image, or is switched off.
func TestPrepareOS(t *testing.T) {
	for shutdown, off := range map[string]bool{"false": false, "true": true} {
		r := execute(t, parse(t, typed("PrepareSMSClientAction", "c", "")+typed("InstallDeployToolsAction", "t", "")+typed("PrepareOSAction", "p", "", item("OSDShutdownPreparedOs", shutdown))), func(c *tsengine.Config) {
			c.Machine.Preparation, c.Identity.BootImageID = prepared{}, bootImage
		})
		require.Equal(t, tsengine.RestartRequested, r.result.Outcome, r.result.Error)
		require.Equal(t, step.BootImage, r.result.Restart.Target)
		require.Equal(t, off, r.result.Restart.PowerOff)
		require.Equal(t, tsengine.WinPE, r.store.last(t).Awaits)
	}
	r := execute(t, parse(t, typed("PrepareOSAction", "p", "")), func(c *tsengine.Config) {
		c.Machine.Preparation, c.Identity.BootImageID = prepared{errors.New("a member of the domain")}, bootImage
	})
	require.Equal(t, step.CodeFailed, r.result.ExitCode)
	require.Contains(t, r.result.Error, "member of the domain")
}
