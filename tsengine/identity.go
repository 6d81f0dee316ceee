package tsengine

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
	"github.com/bootyard/bootyard/tsengine/variable"
)

// setGlobals puts the globalVarLists into the environment where nothing stronger is set; the last of equal names wins
// (TS-182).
func (e *Engine) setGlobals() {
	lists := [][]sequence.Variable{e.config.Sequence.Globals}
	for i := range e.program.code {
		if child := e.program.code[i].child; child != nil {
			lists = append(lists, child.Globals)
		}
	}
	values, order := map[string]string{}, []string{}
	for _, list := range lists {
		for _, v := range list {
			name := strings.ToLower(strings.Trim(v.Name, " ")) // one variable, whatever its case (TS-80)
			if _, seen := values[name]; !seen {
				order = append(order, v.Name)
			}
			values[name] = v.Value
		}
	}
	for _, name := range order {
		value := values[strings.ToLower(strings.Trim(name, " "))]
		if _, set := e.variables.Lookup(name); set || value == "" {
			continue
		}
		if err := e.variables.Assign(variable.Assignment{Name: name, Value: value}); err != nil {
			e.log(smstslog.Warning, "Global variable of the sequence left out: "+err.Error())
		}
	}
}

// setIdentity sets the read-only variables, again after each restart because the environment is another one.
func (e *Engine) setIdentity() error {
	c, id, hw := &e.config, &e.config.Identity, &e.config.Hardware
	kind := "1"
	if e.config.Sequence.DeploysOS() {
		kind = "2"
	}
	name := id.PackageName
	if name == "" {
		name = c.Sequence.Name
	}
	values := []struct{ name, value string }{
		{"_SMSTSInWinPE", strconv.FormatBool(c.Environment == WinPE)}, // TS-98
		{"_SMSTSBootUEFI", strconv.FormatBool(hw.UEFI)},
		{"_SMSTSType", kind}, // TS-6
		{"_SMSTSPackageID", e.packageID()}, {"_SMSTSPackageName", name},
		{"_SMSTSAdvertID", id.AdvertID}, {"_SMSTSBootImageID", e.bootImage()},
		{"_SMSTSLaunchMode", id.LaunchMode}, {"_SMSTSMediaType", id.MediaType},
		{"_SMSTSMachineName", id.MachineName}, {"_SMSTSClientGUID", id.ClientGUID},
		{"_SMSTSOrgName", id.OrgName}, {"_SMSTSSiteCode", id.SiteCode}, {"_SMSTSMP", id.ManagementPoint},
		{"_SMSTSMDataPath", id.MDataPath}, {"_SMSTSClientCache", id.ClientCache},
		{"_SMSTSDownloadOnDemand", strconv.FormatBool(id.DownloadOnDemand)},
		{"_SMSTSRunFromDP", strconv.FormatBool(id.RunFromDP)},
		{"_SMSTSUserStarted", strconv.FormatBool(id.UserStarted)},
		// TS-99: nothing here holds back the sign-in screen of an installed system; only full media stand alone.
		{"_SMSTSReturnToGINA", "false"}, {"_SMSTSStandAloneMode", strconv.FormatBool(id.MediaType == "FullMedia")},
		{"_SMSTSShowProgressUI", strconv.FormatBool(!id.HideProgress)},
		{"_TSSecureBoot", hw.SecureBoot},
		{"_SMSTSMake", hw.Make}, {"_SMSTSModel", hw.Model}, {"_SMSTSSerialNumber", hw.SerialNumber},
		{"_SMSTSAssetTag", hw.AssetTag}, {"_SMSTSUUID", hw.UUID},
		{"_SMSTSMacAddresses", strings.Join(hw.MACAddresses, ",")}, {"_SMSTSIPAddresses", strings.Join(hw.IPAddresses, ",")},
		{"_SMSTSDefaultGateways", strings.Join(hw.DefaultGateways, ",")},
	}
	if c.Log != nil {
		values = append(values, struct{ name, value string }{"_SMSTSLogPath", c.Log.Dir()})
	}
	for _, v := range values {
		if v.value == "" {
			continue // what is not known here stays as the caller or the time before a restart left it
		}
		if err := e.variables.Set(v.name, v.value); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) packageID() string {
	if e.config.Identity.PackageID != "" {
		return e.config.Identity.PackageID
	}
	return e.config.Sequence.PackageID
}

func (e *Engine) bootImage() string {
	if e.config.Identity.BootImageID != "" {
		return e.config.Identity.BootImageID
	}
	if e.config.Sequence.BootImageID != "" {
		return e.config.Sequence.BootImageID
	}
	// After a restart the caller may know less than the one who started the run.
	return e.variables.Value("_SMSTSBootImageID")
}

func (e *Engine) setComponent(name string) {
	if name == "" {
		name = smstslog.TSManager
	}
	e.mu.Lock()
	e.component = name
	e.mu.Unlock()
}

// managerReboot is what the manager of the task sequence ends with when the machine is to restart (TS-123).
const managerReboot uint32 = 0x80070BC2

// logExit is the record of the manager's end, by which tools that read the log tell a restart from an end (TS-123).
func (e *Engine) logExit(code uint32) {
	e.setComponent(smstslog.TSManager)
	e.log(smstslog.Info, fmt.Sprintf("Exiting with return code 0x%08X", code))
}

// log writes to smsts.log; every secret in the text is masked (TS-93).
func (e *Engine) log(kind smstslog.Type, text string) {
	if e.config.Log == nil {
		return
	}
	e.mu.Lock()
	component := e.component
	e.mu.Unlock()
	file := "engine.go:1"
	if _, path, line, ok := runtime.Caller(1); ok {
		file = fmt.Sprintf("%s:%d", path[strings.LastIndexByte(path, '/')+1:], line)
	}
	err := e.config.Log.Write(smstslog.Record{Text: e.variables.Mask(text), Component: component, Type: kind, Thread: 1, File: file})
	if err != nil {
		e.config.Logger.Warn("smsts.log not written", "err", err)
	}
}

func (e *Engine) reportNode(ev Event, i int) {
	in := &e.program.code[i]
	ev.Pointer, ev.NodeKind = i, in.node.Kind.String()
	ev.Name, ev.Type, ev.Group = in.node.Name, in.node.Type, e.program.group(i)
	ev.Step, ev.Steps = in.number, e.program.steps
	ev.Hidden = e.variables.True("TSDisableProgressUI")
	if level, err := strconv.Atoi(strings.TrimSpace(e.variables.Value("TSProgressInfoLevel"))); err == nil {
		ev.Progress = ProgressText(ev, level)
	}
	e.report(ev)
}

func (e *Engine) report(ev Event) {
	ev.Time = e.config.Now()
	ev.Name, ev.Group = e.variables.Mask(ev.Name), e.variables.Mask(ev.Group)
	ev.Reason, ev.Output, ev.Because = e.variables.Mask(ev.Reason), e.variables.Mask(ev.Output), e.variables.Mask(ev.Because)
	e.config.Reporter.Report(ev)
}
