package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// ApplyWindowsSettings is Apply Windows Settings: name, zone, languages and the local administrator of the operating
// system that the run applied, written over what it had. On Linux the administrator is root. Writing twice gives the same.
type ApplyWindowsSettings struct{}

// Contract implements Step.
func (ApplyWindowsSettings) Contract() Contract {
	return Contract{Type: "ApplyWindowsSettingsAction", RunIn: sequence.WinPE, Effect: true, Repeatable: true, Component: "OSDWindowsSettings"}
}

// Run implements Step.
func (ApplyWindowsSettings) Run(ctx context.Context, c *Context) Outcome {
	target, out := appliedSystem(c)
	if target == nil {
		return out
	}
	settings, err := readSystemSettings(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	notes, err := c.Machine.Settings.ApplySystem(ctx, machine.SystemRequest{Target: *target, Settings: settings})
	return settingsDone(c, notes, err)
}

// appliedSystem is the volume that the settings go to, or the failure when there is none.
func appliedSystem(c *Context) (*machine.Volume, Outcome) {
	if c.Machine.Settings == nil {
		return nil, Failure(CodeEnvironment, errors.New("an operating system gets its settings only in the boot environment, before it starts (TS-21)"))
	}
	v := c.Volumes.System()
	if v == nil {
		return nil, Failure(CodeInvalid, errors.New("no operating system was applied by this sequence; put an Apply Operating System Image step before this one"))
	}
	return v, Outcome{}
}

func settingsDone(c *Context, notes []string, err error) Outcome {
	for _, note := range notes {
		c.Log(smstslog.Info, note)
	}
	if err != nil {
		return Failure(CodeFailed, err)
	}
	return Outcome{}
}

func readSystemSettings(c *Context) (machine.SystemSettings, error) {
	text := func(name string) string { return strings.TrimSpace(c.Input(name)) }
	s := machine.SystemSettings{
		ComputerName: c.ComputerName(), RegisteredUser: text("OSDRegisteredUserName"), RegisteredOrganisation: text("OSDRegisteredOrgName"),
		ProductKey: text("OSDProductKey"), TimeZone: text("OSDTimeZone"),
		InputLocale: text("OSDWindowsSettingsInputLocale"), SystemLocale: text("OSDWindowsSettingsSystemLocale"), UILanguage: text("OSDWindowsSettingsUILanguage"),
		UIFallback: text("OSDWindowsSettingsUILanguageFallback"), UserLocale: text("OSDWindowsSettingsUserLocale"),
	}
	c.Variables.AddSecret(s.ProductKey)
	for name, value := range map[string]string{"OSDRegisteredUserName": s.RegisteredUser, "OSDRegisteredOrgName": s.RegisteredOrganisation, "OSDProductKey": s.ProductKey} {
		if len([]rune(value)) > 255 {
			return s, fmt.Errorf("%s has more than 255 characters", name)
		}
	}
	random, err := c.InputBool("OSDRandomAdminPassword", true)
	if err != nil {
		return s, err
	}
	s.Administrator = machine.AdministratorDisabled
	if !random {
		s.AdminPassword = c.Input("OSDLocalAdminPassword")
		c.Variables.AddSecret(s.AdminPassword)
		s.Administrator = machine.AdministratorPassword
		switch {
		case s.AdminPassword == "":
			// An export has no passwords: then the account stays as it is in the image rather than open to everybody.
			s.Administrator = machine.AdministratorKept
			c.Log(smstslog.Warning, "OSDLocalAdminPassword is empty: the local administrator stays as it is in the image")
		case len([]rune(s.AdminPassword)) > 255:
			return s, errors.New("OSDLocalAdminPassword has more than 255 characters")
		}
	}
	switch mode := text("OSDServerLicenseMode"); strings.ToLower(mode) {
	case "":
	case "perseat":
		s.License = "PerSeat"
	case "perserver":
		s.License = "PerServer"
		if s.Connections, err = c.InputInt("OSDServerLicenseConnectionLimit", 5, 9999, 5); err != nil {
			return s, err
		}
	default:
		return s, fmt.Errorf("OSDServerLicenseMode is %q; PerSeat and PerServer exist", mode)
	}
	return s, nil
}
