package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/bootyard/bootyard/tsengine/machine"
)

func build(ctx context.Context, c machine.Command) (*exec.Cmd, error) {
	line, dir := c.Line, c.Dir
	if expanded, err := registry.ExpandString(line); err == nil { // %windir% and its like (TS-91); unknown names stay
		line = expanded
	}
	if expanded, err := registry.ExpandString(dir); err == nil {
		dir = expanded
	}
	program, err := resolve(line, dir, c.Redirect)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program.path)
	cmd.Dir = dir
	// Windows programs parse their own command line: it is passed as written.
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: program.line, HideWindow: true}
	if c.User == "" {
		return cmd, nil
	}
	token, err := logOn(c.User, c.Password)
	if err != nil {
		return nil, err
	}
	for _, name := range c.Own {
		if err := grant(name, token); err != nil {
			return nil, fmt.Errorf("run as another user: %w", err)
		}
	}
	cmd.SysProcAttr.Token = syscall.Token(token) // closed with the tree
	// Later ones count: execute puts the agent's environment before.
	if cmd.Env, err = token.Environ(false); err != nil {
		return nil, fmt.Errorf("run as another user: read the environment of the account: %w", err)
	}
	return cmd, nil
}

// logOn opens an account for a program (TS-104): DOMAIN\name, name@domain, or a name of this machine, also as .\name.
func logOn(user, password string) (windows.Token, error) {
	domain, name, ok := strings.Cut(user, `\`)
	if !ok {
		name, domain = user, "."
		if strings.Contains(user, "@") {
			domain = ""
		}
	}
	texts := make([]*uint16, 3)
	for i, text := range []string{name, domain, password} {
		p, err := windows.UTF16PtrFromString(text)
		if err != nil {
			return 0, errors.New("run as another user: the name or the password holds a zero byte")
		}
		texts[i] = p
	}
	if domain == "" {
		texts[1] = nil
	}
	const interactive, standard = 2, 0 // LOGON32_LOGON_INTERACTIVE, LOGON32_PROVIDER_DEFAULT
	var token windows.Token
	call := windows.NewLazySystemDLL("advapi32.dll").NewProc("LogonUserW")
	if done, _, err := call.Call(uintptr(unsafe.Pointer(texts[0])), uintptr(unsafe.Pointer(texts[1])), uintptr(unsafe.Pointer(texts[2])),
		interactive, standard, uintptr(unsafe.Pointer(&token))); done == 0 {
		return 0, fmt.Errorf("run as another user: sign in: %w", err)
	}
	return token, nil
}

// grant gives the account of a token what the engine made for its command, beside those who have it already.
func grant(name string, token windows.Token) error {
	user, err := token.GetTokenUser()
	if err != nil {
		return err
	}
	have, err := windows.GetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	old, _, err := have.DACL()
	if err != nil {
		return err
	}
	acl, err := windows.ACLFromEntries([]windows.EXPLICIT_ACCESS{{
		AccessPermissions: windows.GENERIC_READ | windows.GENERIC_WRITE | windows.GENERIC_EXECUTE | windows.DELETE, AccessMode: windows.GRANT_ACCESS,
		Trustee: windows.TRUSTEE{TrusteeForm: windows.TRUSTEE_IS_SID, TrusteeType: windows.TRUSTEE_IS_USER, TrusteeValue: windows.TrusteeValueFromSID(user.User.Sid)},
	}}, old)
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, acl, nil)
}

// detachedProcess is DETACHED_PROCESS, which package syscall does not name.
const detachedProcess = 0x00000008

// detached gives the program no console and a group of its own.
func detached(a *syscall.SysProcAttr) {
	a.CreationFlags |= detachedProcess | syscall.CREATE_NEW_PROCESS_GROUP
}

// alone starts a program without a window.
func alone(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true} }

// wholeCode: codes have 32 bits here.
func wholeCode(_ *os.ProcessState, code uint32, _ []uint32) uint32 { return code }
