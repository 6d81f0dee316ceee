package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/process"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// usmtCodes are those of scanstate and loadstate that say what to do. 3 is success with files left out, after /c.
var usmtCodes = codes{
	11: "an argument is wrong", 26: "the log or the store cannot be written, or the account has no rights", 27: "the store folder is not usable",
	28: "a configuration file is wrong", 61: "the migration was stopped because files could not be read or written", 71: "the environment cannot be prepared",
}

const usmtSkipped uint32 = 3

type scanOptions struct{ skip, skipEncrypted, hardlinks, offline bool }

// usmt is the folder of the programs, for this architecture where the package has several.
func (m *migration) usmt(ctx context.Context, input string) (string, error) {
	id := strings.TrimSpace(m.Argument(input))
	if id == "" {
		return "", fmt.Errorf("%s names no package with the User State Migration Tool", input)
	}
	dir, err := m.Package(ctx, id)
	if err != nil {
		return "", err
	}
	arch := map[string]string{"386": "x86"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	if info, err := os.Stat(filepath.Join(dir, arch)); err == nil && info.IsDir() {
		dir = filepath.Join(dir, arch)
	}
	return dir, nil
}

// staging is the folder that scanstate writes to: the one that was named, or one from which the state goes to the store.
func (m *migration) staging() (dir string, remote bool, err error) {
	remote = m.Machine.StateStore != nil && m.Machine.StateStore.Is(m.path)
	if !remote {
		return m.path, false, nil
	}
	base := m.Variables.Value("_SMSTSMDataPath")
	if base == "" {
		base = os.TempDir()
	}
	dir = filepath.Join(base, "UserState")
	return dir, true, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700))
}

// configuration are the /i arguments: USMT's own files, or those of the step.
func (m *migration) configuration(dir string) []string {
	files := m.files
	if !m.advanced {
		files = []string{"MigApp.xml", "MigDocs.xml"}
	}
	var out []string
	for _, f := range files {
		if !strings.Contains(f, ":") && !strings.HasPrefix(f, `\`) {
			f = filepath.Join(dir, f)
		}
		out = append(out, "/i:"+f)
	}
	return out
}

func (m *migration) log(name string) []string {
	level := "/v:5"
	if m.verbose {
		level = "/v:13"
	}
	return []string{level, "/l:" + filepath.Join(m.Variables.Value("_SMSTSLogPath"), name)}
}

// more are the options of the step that nobody checks.
func (m *migration) more(input string) []string {
	return process.Split(m.Input(input))
}

func (m *migration) scan(ctx context.Context, o scanOptions) Outcome {
	dir, err := m.usmt(ctx, "_OSDMigrateUsmtPackageID")
	if err != nil {
		return Failure(CodeContent, err)
	}
	store, remote, err := m.staging()
	if err != nil {
		return Failure(CodeFailed, err)
	}
	args := append([]string{store, "/o", "/localonly"}, m.configuration(dir)...)
	args = append(args, m.log("scanstate.log")...)
	if o.skip {
		args = append(args, "/c")
	}
	args = append(args, map[bool]string{true: "/efs:skip", false: "/efs:copyraw"}[o.skipEncrypted])
	if o.hardlinks {
		args = append(args, "/hardlink", "/nocompress")
	}
	if o.offline {
		args = append(args, `/offlineWinDir:`+offlineWindows(m.Context))
	}
	if access := m.Input("OSDMigrateFileAccess"); access != "" && !strings.EqualFold(access, "Normal") {
		args = append(args, "/vsc")
	}
	out := m.tool(ctx, machine.Program{Name: filepath.Join(dir, "scanstate.exe"), Args: append(args, m.more("OSDMigrateAdditionalCaptureOptions")...), Dir: dir, Timeout: day}, o.skip, "")
	if out.Err != nil || !remote {
		return out
	}
	defer os.RemoveAll(store)
	if err := m.save(ctx, func(w io.Writer) error { return m.Machine.UserState.Pack(ctx, store, w) }); err != nil {
		return Failure(CodeFailed, fmt.Errorf("send the user state to the store: %w", err))
	}
	return out
}

// offlineWindows is the Windows folder of the system that is not running.
func offlineWindows(c *Context) string {
	if root := c.Variables.Value("OSDTargetSystemRoot"); root != "" {
		return root
	}
	return `C:\Windows`
}

func (m *migration) loadState(ctx context.Context, skip, accounts bool, password string) Outcome {
	input := "_OSDMigrateUsmtRestorePackageID"
	if strings.TrimSpace(m.Argument(input)) == "" {
		input = "_OSDMigrateUsmtPackageID"
	}
	dir, err := m.usmt(ctx, input)
	if err != nil {
		return Failure(CodeContent, err)
	}
	store, remote, err := m.staging()
	if err != nil {
		return Failure(CodeFailed, err)
	}
	if remote {
		defer os.RemoveAll(store)
		if err := m.load(ctx, func(r io.Reader) error { return m.Machine.UserState.Unpack(ctx, r, store) }); err != nil {
			return Failure(CodeFailed, fmt.Errorf("fetch the user state from the store: %w", err))
		}
	}
	args := append([]string{store}, m.configuration(dir)...)
	args = append(args, m.log("loadstate.log")...)
	if skip {
		args = append(args, "/c")
	}
	shown := ""
	if accounts {
		account := "/lac"
		if password != "" { // loadstate reads it nowhere else
			account += ":" + password
			shown = "loadstate.exe with the password of local accounts"
		}
		args = append(args, account, "/lae")
	}
	if strings.EqualFold(m.Argument("_OSDMigrateUseHardlinks"), "true") {
		args = append(args, "/hardlink", "/nocompress")
	}
	return m.tool(ctx, machine.Program{Name: filepath.Join(dir, "loadstate.exe"), Args: append(args, m.more("OSDMigrateAdditionalRestoreOptions")...), Dir: dir, Timeout: day}, skip, shown)
}

// tool runs scanstate or loadstate. Exit code 3 with /c is success: files were left out, and its log names them.
func (m *migration) tool(ctx context.Context, p machine.Program, skip bool, shown string) Outcome {
	out := startProgram(ctx, m.Context, p, usmtCodes, shown)
	if out.Code == usmtSkipped && skip {
		m.Log(smstslog.Warning, "Some files were left out; the log of the User State Migration Tool names them")
		return Outcome{Output: out.Output}
	}
	return out
}
