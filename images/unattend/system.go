package unattend

import (
	"encoding/base64"
	"strconv"
	"unicode/utf16"
)

// System are settings of the computer. Empty ones leave alone what is there.
type System struct {
	ComputerName, Owner, Organization, ProductKey, TimeZone       string // TimeZone is Windows' own name
	AdminPassword                                                 string
	AdminEnabled                                                  *bool  // nil leaves the account as it is
	License                                                       string // PerSeat, PerServer or empty
	Connections                                                   int    // 5 to 9999, for PerServer
	InputLocale, SystemLocale, UILanguage, UIFallback, UserLocale string
}

// SetSystem writes settings over what the file had.
func (f *File) SetSystem(s System) {
	if s.ComputerName+s.Owner+s.Organization+s.ProductKey+s.TimeZone != "" {
		shell := f.component(specialize, "Microsoft-Windows-Shell-Setup")
		shell.set("ComputerName", s.ComputerName)
		shell.set("ProductKey", s.ProductKey)
		shell.set("RegisteredOwner", s.Owner)
		shell.set("RegisteredOrganization", s.Organization)
		shell.set("TimeZone", s.TimeZone)
	}
	if s.Owner+s.Organization+s.TimeZone+s.AdminPassword != "" {
		shell := f.component(oobeSystem, "Microsoft-Windows-Shell-Setup")
		shell.set("RegisteredOwner", s.Owner)
		shell.set("RegisteredOrganization", s.Organization)
		shell.set("TimeZone", s.TimeZone)
		if s.AdminPassword != "" {
			password := shell.at("UserAccounts").at("AdministratorPassword")
			password.children = nil
			password.set("Value", obscure(s.AdminPassword))
			password.set("PlainText", "false")
		}
	}
	if s.AdminEnabled != nil {
		// By its number, because the account has another name in other languages.
		verb := "Disable"
		if *s.AdminEnabled {
			verb = "Enable"
		}
		f.RunOnce("bootyard: local administrator", `powershell.exe -NoLogo -NoProfile -NonInteractive -Command "Get-LocalUser | Where-Object { $_.SID -like '*-500' } | `+verb+`-LocalUser"`)
	}
	if s.License != "" {
		license := f.component(specialize, "Microsoft-Windows-LicenseFilePrintData")
		license.set("AutoMode", s.License)
		if s.License == "PerServer" {
			license.set("AutoUsers", strconv.Itoa(s.Connections))
		}
	}
	if s.InputLocale+s.SystemLocale+s.UILanguage+s.UIFallback+s.UserLocale != "" {
		for _, pass := range []string{specialize, oobeSystem} {
			core := f.component(pass, "Microsoft-Windows-International-Core")
			core.set("InputLocale", s.InputLocale)
			core.set("SystemLocale", s.SystemLocale)
			core.set("UILanguage", s.UILanguage)
			core.set("UILanguageFallback", s.UIFallback)
			core.set("UserLocale", s.UserLocale)
		}
	}
}

// SkipQuestions has Setup ask nothing after its first start. A file that says anything about these pages keeps that.
func (f *File) SkipQuestions() {
	shell := f.component(oobeSystem, "Microsoft-Windows-Shell-Setup")
	if shell.child("OOBE") != nil {
		return
	}
	oobe := shell.add("OOBE")
	for _, page := range []string{"HideEULAPage", "HideOEMRegistrationScreen", "HideOnlineAccountScreens", "HideWirelessSetupInOOBE", "SkipMachineOOBE", "SkipUserOOBE"} {
		oobe.set(page, "true")
	}
	oobe.set("ProtectYourPC", "1")
}

// obscure is how Windows' own tools write a password: base64 of UTF-16LE of the password and the element's name. It keeps
// the password from being read over a shoulder, no more; Setup removes it from the file when it is done.
func obscure(password string) string {
	var raw []byte
	for _, u := range utf16.Encode([]rune(password + "AdministratorPassword")) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
