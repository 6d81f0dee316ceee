package winfact

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
)

const (
	installedHere = 5   // INSTALLSTATE_DEFAULT
	codeLength    = 39  // a code with braces, and the zero
	maxRelated    = 256 // products of one upgrade code
)

// installed is a sheet of the products that one of the codes means (TS-78), by Windows Installer.
func installed(product, upgrade string) (*fact.Sheet, error) {
	msi := windows.NewLazySystemDLL("msi.dll")
	state, related, info := msi.NewProc("MsiQueryProductStateW"), msi.NewProc("MsiEnumRelatedProductsW"), msi.NewProc("MsiGetProductInfoW")
	for _, p := range []*windows.LazyProc{state, related, info} {
		if err := p.Find(); err != nil { // WinPE
			return nil, fmt.Errorf("%w: there is no Windows Installer: %w", condition.ErrUnknown, err)
		}
	}
	sheet := &fact.Sheet{Software: []fact.Product{}}
	add := func(code, upgrade string) {
		p, err := windows.UTF16PtrFromString(code)
		if err != nil {
			return
		}
		if r, _, _ := state.Call(uintptr(unsafe.Pointer(p))); int32(r) == installedHere {
			sheet.Software = append(sheet.Software, fact.Product{ProductCode: code, UpgradeCode: upgrade,
				Name: property(info, p, "ProductName"), Version: property(info, p, "VersionString")})
		}
	}
	if product != "" {
		add("{"+fact.Code(product)+"}", "")
	}
	if upgrade == "" {
		return sheet, nil
	}
	family, err := windows.UTF16PtrFromString("{" + fact.Code(upgrade) + "}")
	if err != nil {
		return nil, fmt.Errorf("upgrade code %q: %w", upgrade, err)
	}
	for i := range maxRelated {
		var code [codeLength]uint16
		if r, _, _ := related.Call(uintptr(unsafe.Pointer(family)), 0, uintptr(i), uintptr(unsafe.Pointer(&code))); r != 0 {
			break // ERROR_NO_MORE_ITEMS, or a code that is none
		}
		add(windows.UTF16ToString(code[:]), upgrade)
	}
	return sheet, nil
}

func property(info *windows.LazyProc, product *uint16, name string) string {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return ""
	}
	var buffer [256]uint16
	size := uint32(len(buffer))
	if r, _, _ := info.Call(uintptr(unsafe.Pointer(product)), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&buffer)), uintptr(unsafe.Pointer(&size))); r != 0 {
		return ""
	}
	return windows.UTF16ToString(buffer[:])
}
