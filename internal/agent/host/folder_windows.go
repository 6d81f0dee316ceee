package host

import (
	"context"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/bootyard/bootyard/tsengine/machine"
)

// Folders is a machine.NetworkFolders by WNetAddConnection2: unlike net use it takes the password from memory and not from
// the command line, which everybody can read.
type Folders struct{}

var addConnection = windows.NewLazySystemDLL("mpr.dll").NewProc("WNetAddConnection2W")

var cancelConnection = windows.NewLazySystemDLL("mpr.dll").NewProc("WNetCancelConnection2W")

// Disconnect implements machine.NetworkFolders.
func (Folders) Disconnect(_ context.Context, r machine.FolderRequest) error {
	name := r.Path
	if r.Letter != "" {
		name = r.Letter
	}
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	const force = 1 // open files do not keep it
	code, _, _ := cancelConnection.Call(uintptr(unsafe.Pointer(text)), 0, force)
	switch errno := syscall.Errno(code); errno {
	case 0, windows.ERROR_NOT_CONNECTED:
		return nil
	default:
		return fmt.Errorf("disconnect %s: error %d: %w", r.Path, code, errno)
	}
}

// netResource is NETRESOURCEW.
type netResource struct {
	scope, kind, display, usage      uint32
	local, remote, comment, provider *uint16
}

// Connect implements machine.NetworkFolders. A connection that is there already with the same account is no error.
func (Folders) Connect(_ context.Context, r machine.FolderRequest) (string, error) {
	if r.Port != 0 && r.Port != 445 {
		return "", fmt.Errorf("the share is on port %d, and Windows connects to port 445 only; set share.listen of the appliance to :445", r.Port)
	}
	remote, err := windows.UTF16PtrFromString(r.Path)
	if err != nil {
		return "", err
	}
	resource := netResource{kind: 1, remote: remote} // RESOURCETYPE_DISK
	dir := r.Path
	if r.Letter != "" {
		if resource.local, err = windows.UTF16PtrFromString(r.Letter); err != nil {
			return "", err
		}
		dir = r.Letter + `\`
	}
	account, err := windows.UTF16PtrFromString(r.Account)
	if err != nil {
		return "", err
	}
	password, err := windows.UTF16PtrFromString(r.Password)
	if err != nil {
		return "", err
	}
	const temporary = 4 // CONNECT_TEMPORARY: not restored at the next sign-in
	code, _, _ := addConnection.Call(uintptr(unsafe.Pointer(&resource)), uintptr(unsafe.Pointer(password)), uintptr(unsafe.Pointer(account)), temporary)
	switch errno := syscall.Errno(code); errno {
	case 0, windows.ERROR_ALREADY_ASSIGNED:
		return dir, nil
	default:
		return "", fmt.Errorf("error %d: %w", code, errno)
	}
}
