package agent

import (
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// logDir is where smsts.log is while there is no volume for it.
func (k *kit) logDir() string { return filepath.Join(k.dir, "logs") }

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
