package step

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// ConnectFolder is Connect To Network Folder. The connection lasts until the next restart [C]. Connecting twice does no
// harm, so it may be repeated.
type ConnectFolder struct{}

// Contract implements Step.
func (ConnectFolder) Contract() Contract {
	return Contract{Type: "ConnectNetworkFolderAction", Effect: true, Repeatable: true, Component: "smsnetuse"}
}

// uncPath is \\server\share and what follows. Servers are names or addresses; share names exclude what SMB does.
var uncPath = regexp.MustCompile(`^\\\\[A-Za-z0-9._:\-]{1,255}\\[^\\/:*?"<>|,\x00-\x1f]{1,80}(\\[^\\/:*?"<>|\x00-\x1f]+)*\\?$`)

// Run implements Step.
func (ConnectFolder) Run(ctx context.Context, c *Context) Outcome {
	request, err := readFolder(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if c.Machine.Folders == nil {
		return Failure(CodeEnvironment, errors.New("this environment cannot connect network folders"))
	}
	c.Log(smstslog.Info, strings.TrimSpace(fmt.Sprintf("Connecting %s as %s %s", request.Path, request.Account, request.Letter)))
	dir, err := c.Machine.Folders.Connect(ctx, request)
	if err != nil {
		return Failure(CodeFailed, fmt.Errorf("connect %s: %w", request.Path, err))
	}
	c.Volumes.Connected(machine.NetworkFolder{Path: request.Path, Letter: request.Letter, Dir: dir})
	c.Log(smstslog.Info, request.Path+" is at "+dir)
	return Outcome{}
}

func readFolder(c *Context) (r machine.FolderRequest, err error) {
	const prefix = "SMSConnectNetworkFolder"
	r = machine.FolderRequest{
		Path: strings.TrimSpace(c.Input(prefix + "Path")), Account: strings.TrimSpace(c.Input(prefix + "Account")), Password: c.Input(prefix + "Password"),
	}
	c.Variables.AddSecret(r.Password)
	if r.Path == "" { // old exports have it in the action alone
		if rest, ok := cutFold(strings.TrimSpace(c.Node.Action), "smsnetuse.exe "); ok {
			r.Path = strings.Trim(c.Variables.Expand(strings.TrimSpace(rest)), `"`)
		}
	}
	switch {
	case !uncPath.MatchString(r.Path) || strings.Contains(r.Path+`\`, `\..\`):
		return r, fmt.Errorf(`the network folder %q is not a path of the form \\server\share`, r.Path)
	case r.Account == "":
		return r, fmt.Errorf("%sAccount is empty: the step needs an account that may use %s", prefix, r.Path)
	case r.Password == "":
		return r, fmt.Errorf("%sPassword is empty: exports carry no passwords, enter it in the step or give it to the device as a secret variable (TS-93)", prefix)
	}
	letter := strings.ToUpper(strings.TrimRight(strings.TrimSpace(c.Input(prefix+"DriveLetter")), `:\`))
	if letter == "" {
		return r, nil
	}
	if len(letter) != 1 || letter < "D" || letter > "Z" || letter == "X" {
		return r, fmt.Errorf("drive letter %q cannot be used; D: to Z: without X: can", letter)
	}
	r.Letter = letter + ":"
	if v := c.Volumes.ByLetter(letter); v != nil {
		return r, fmt.Errorf("drive letter %s belongs to disk %d, partition %d; choose another", r.Letter, v.Disk, v.Partition)
	}
	return r, nil
}
