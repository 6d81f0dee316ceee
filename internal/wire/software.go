package wire

import "time"

// Program is one way to install a package: what Install Package runs in the
// package's folder.
type Program struct {
	Name string `json:"name"` // 1 to 50 characters, unique in its package without regard to case
	// Command runs in the package's folder; it may hold %variables% of the
	// sequence. On Linux it is split without a shell (TS-100a).
	Command    string `json:"command"`
	WorkingDir string `json:"workingDir,omitempty"` // relative to the package's folder
	// RunMode is "always" (default) or "loggedOn". A sequence cannot run a
	// program that waits for a user to sign in.
	RunMode    string `json:"runMode,omitempty"`
	MaxMinutes int    `json:"maxMinutes,omitempty"` // 0 is 120
	// RunFirst is another program that must have run on the machine before:
	// PKGID:Program.
	RunFirst string `json:"runFirst,omitempty"`
	// Dynamic lets a sequence install it by a base variable: without it only a
	// package that the sequence names is handed out.
	Dynamic  bool `json:"dynamic,omitempty"`
	Disabled bool `json:"disabled,omitempty"`
}

// Application is software with detection (Install Application). Its
// deployment types are tried in order: the first whose requirement holds counts.
type Application struct {
	// ID is the model name by which sequences refer to it,
	// ScopeId_x/Application_y.
	ID        string `json:"id"`
	Name      string `json:"name"` // exact, case matters (TS-90)
	Version   string `json:"version,omitempty"`
	Publisher string `json:"publisher,omitempty"`
	// Dynamic lets a sequence install it by a base variable.
	Dynamic bool             `json:"dynamic,omitempty"`
	Types   []DeploymentType `json:"deploymentTypes"`
	// Supersedes are applications whose place this one takes.
	Supersedes []Supersedence `json:"supersedes,omitempty"`
	// Retired is no longer to be used: what supersedes it cannot be installed by a
	// sequence (TS-46).
	Retired bool      `json:"retired,omitempty"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Invalid says what keeps it from being installed.
	Invalid []Reason `json:"invalid,omitempty"`
}

// Supersedence is an application that another one takes the place of.
type Supersedence struct {
	Application string `json:"application"` // id or name
	// Uninstall removes it first; else the installer of the new one deals with it.
	Uninstall bool `json:"uninstall,omitempty"`
}

// DeploymentType is one way to install an application.
type DeploymentType struct {
	Name    string `json:"name"`
	Package string `json:"package,omitempty"` // content; empty needs none
	Install string `json:"install"`
	// Uninstall removes what Install brought; it runs when another application
	// supersedes this one and says so.
	Uninstall string `json:"uninstall,omitempty"`
	// WorkingDir is relative to the content's folder.
	WorkingDir string    `json:"workingDir,omitempty"`
	Detection  Detection `json:"detection"`
	// Requirement is a condition element of a task sequence; empty holds.
	Requirement string `json:"requirement,omitempty"`
	// Dependencies are ids or names of applications that are installed before.
	Dependencies []string `json:"dependencies,omitempty"`
	MaxMinutes   int      `json:"maxMinutes,omitempty"`   // 0 is 120
	SuccessCodes []uint32 `json:"successCodes,omitempty"` // besides 0; 3010 and 1641 restart
}

// Detection says whether an application is installed. All that is given must
// hold, and something must be given.
type Detection struct {
	File    string `json:"file,omitempty"`    // a path that exists
	Command string `json:"command,omitempty"` // ends with exit code 0
	Deb     string `json:"deb,omitempty"`     // installed package of Debian
	RPM     string `json:"rpm,omitempty"`     // installed package of an RPM system
	MSI     string `json:"msi,omitempty"`     // product code, {GUID}
	// Version is the least version of Deb or RPM.
	Version string `json:"version,omitempty"`
}

// SoftwareQuery asks for a program of a package or for an application, by id
// or name.
type SoftwareQuery struct {
	Package     string `json:"package,omitempty"`
	Program     string `json:"program,omitempty"`
	Application string `json:"application,omitempty"`
}

// SoftwareAnswer holds what was asked for.
type SoftwareAnswer struct {
	Program     *Program     `json:"program,omitempty"`
	Application *Application `json:"application,omitempty"`
}
