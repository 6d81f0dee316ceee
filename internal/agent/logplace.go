package agent

import (
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// LogPlaces are the folders of smsts.log while there is no volume of the run for it (TS-154). The zero value is the folder
// logs of the state folder, where the log stays.
type LogPlaces struct {
	During string
	End    string // when the run has ended; empty: where it was
}

// WindowsLogs are the places where people who know Configuration Manager look; windows is %windir%.
func WindowsLogs(windows string, environment wire.Environment) LogPlaces {
	if environment == wire.WinPE {
		return LogPlaces{During: windows + `\Temp\SMSTSLog`}
	}
	return LogPlaces{During: windows + `\CCM\Logs\SMSTSLog`, End: windows + `\CCM\Logs`}
}

// logDir is where smsts.log is while there is no volume for it.
func (k *kit) logDir() string {
	if k.logs.During != "" {
		return k.logs.During
	}
	return filepath.Join(k.dir, "logs")
}

// logEnds puts smsts.log where it is looked for when no run goes on.
func (j *job) logEnds() {
	if j.logs.End == "" {
		return
	}
	from := j.log.Dir()
	if err := j.log.Move(j.logs.End); err != nil {
		j.console.Say("smsts.log stays in %s: %v", from, err)
		return
	}
	_ = os.Remove(filepath.Join(from, smstslog.Name))
}

// logToDisk has smsts.log go on on the run's volume, if there is one (TS-154).
func (j *job) logToDisk() {
	if j.target == nil {
		return
	}
	dir := j.target.DataDir()
	if dir == "" {
		return
	}
	if err := j.log.Move(filepath.Join(dir, "Logs", "Smstslog")); err != nil {
		j.console.Say("smsts.log stays in memory: %v", err)
		return
	}
	// What an agent that is killed and started again begins with must not be there twice.
	_ = os.Remove(filepath.Join(j.logDir(), smstslog.Name))
}

// logToRAM takes smsts.log back before its volume goes away: for another layout, for a restart, or because the run has
// failed and a person looks for it at the machine.
func (j *job) logToRAM() {
	if j.target == nil || j.log.Dir() == j.logDir() {
		return
	}
	_ = os.Remove(filepath.Join(j.logDir(), smstslog.Name))
	if err := j.log.Move(j.logDir()); err != nil {
		j.console.Say("smsts.log stays on the disk: %v", err)
	}
}
