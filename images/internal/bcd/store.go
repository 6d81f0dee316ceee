package bcd

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/images/internal/hive"
)

// Objects that are the same in every store.
const (
	BootManager        = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
	memoryTester       = "{b2721d73-1db4-4c62-bf78-c548a880142d}"
	globalSettings     = "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}"
	debuggerSettings   = "{4636856e-540f-4170-a130-a84776f4c654}"
	emsSettings        = "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}"
	badMemory          = "{5189b25c-5558-4bf2-bca4-289b11bd29e2}"
	loaderSettings     = "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}"
	hypervisorSettings = "{7ff607e0-4395-11db-b0de-0800200c9a66}"
	resumeSettings     = "{1afa9c49-16ab-4a5c-901b-212802da9460}"
)

// Types of objects.
const (
	typeBootManager    = 0x10100002
	typeLoader         = 0x10200003
	typeResume         = 0x10200004
	typeMemoryTester   = 0x10200005
	typeSettings       = 0x20100000 // inherited by any object
	typeLoaderSettings = 0x20200003
	typeResumeSettings = 0x20200004
)

// Elements of any object.
const (
	Device         = 0x11000001
	Path           = 0x12000002
	Description    = 0x12000004
	locale         = 0x12000005
	inherit        = 0x14000006
	badMemoryOK    = 0x1600000b
	debuggerType   = 0x15000011
	emsEnabled     = 0x16000020
	isolated       = 0x16000060
	inMemoryAllows = 0x17000077
)

// Elements of the boot manager.
const (
	DisplayOrder     = 0x24000001
	Default          = 0x23000003
	timeout          = 0x25000004
	bootResumeObject = 0x23000006
	toolsOrder       = 0x24000010
)

// Elements of the loader and of the resume application.
const (
	OSDevice         = 0x21000001 // of the resume application: where the file lies
	SystemRoot       = 0x22000002 // of the resume application: the file
	resumeObject     = 0x23000003
	nx               = 0x25000020
	menuPolicy       = 0x250000c2
	resumeMenuPolicy = 0x25000008
	hypervisorType   = 0x250000f3
	hypervisorPort   = 0x250000f4
	hypervisorRate   = 0x250000f5
)

// System is an installed Windows and where it starts from.
type System struct {
	UEFI    bool
	Boot    Partition // EFI system partition, or the active one with bootmgr
	Windows Partition
	Name    string // in the boot menu; empty: Windows
	Locale  string // of the boot manager's messages; empty: en-US
}

// Store makes the store of one system. Each call gives the system's entry a new identifier.
func Store(s System, now time.Time) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("make the boot configuration: %w", err) }
	boot, err := s.Boot.element()
	if err != nil {
		return fail(err)
	}
	windows, err := s.Windows.element()
	if err != nil {
		return fail(err)
	}
	if s.Name == "" {
		s.Name = "Windows"
	}
	if s.Locale == "" {
		s.Locale = "en-US"
	}
	data, err := hive.Write(s.tree(boot, windows), descriptor(), now)
	if err != nil {
		return fail(err)
	}
	return data, nil
}

func (s System) tree(boot, windows []byte) *hive.Key {
	tester, loader, resume := `\boot\memtest.exe`, `\Windows\system32\winload.exe`, `\Windows\system32\winresume.exe`
	if s.UEFI {
		tester, loader, resume = `\EFI\Microsoft\Boot\memtest.efi`, `\Windows\system32\winload.efi`, `\Windows\system32\winresume.efi`
	}
	loaderID, resumeID := "{"+uuid.NewString()+"}", "{"+uuid.NewString()+"}"
	root := &hive.Key{Name: "NewStoreRoot"}
	about := root.Add("Description")
	about.SetText("KeyName", "BCD00000000") // where Windows shows the store of the running system
	about.SetDWord("System", 1)
	about.SetDWord("TreatAsSystem", 1)
	all := root.Add("Objects")

	o := object(all, BootManager, typeBootManager).binary(Device, boot).text(Description, "Windows Boot Manager")
	if s.UEFI { // BIOS has one place for it, and no need of a path
		o.text(Path, `\EFI\Microsoft\Boot\bootmgfw.efi`)
	}
	o.text(locale, s.Locale).list(inherit, globalSettings).text(Default, loaderID).text(bootResumeObject, resumeID).
		list(DisplayOrder, loaderID).list(toolsOrder, memoryTester).number(timeout, 30)

	object(all, loaderID, typeLoader).binary(Device, windows).text(Path, loader).text(Description, s.Name).text(locale, s.Locale).
		list(inherit, loaderSettings).flag(isolated, true).number(inMemoryAllows, 0x15000075).binary(OSDevice, windows).text(SystemRoot, `\Windows`).
		text(resumeObject, resumeID).number(nx, 0).number(menuPolicy, 1)
	object(all, resumeID, typeResume).binary(Device, windows).text(Path, resume).text(Description, "Windows Resume Application").text(locale, s.Locale).
		list(inherit, resumeSettings).flag(isolated, true).number(inMemoryAllows, 0x15000075).binary(OSDevice, windows).text(SystemRoot, `\hiberfil.sys`).
		number(resumeMenuPolicy, 1)
	object(all, memoryTester, typeMemoryTester).binary(Device, boot).text(Path, tester).text(Description, "Windows Memory Diagnostic").text(locale, s.Locale).
		list(inherit, globalSettings).flag(badMemoryOK, true)

	object(all, globalSettings, typeSettings).list(inherit, debuggerSettings, emsSettings, badMemory)
	object(all, debuggerSettings, typeSettings).number(debuggerType, 4) // on the machine itself
	object(all, emsSettings, typeSettings).flag(emsEnabled, false)
	object(all, badMemory, typeSettings)
	object(all, loaderSettings, typeLoaderSettings).list(inherit, globalSettings, hypervisorSettings)
	object(all, hypervisorSettings, typeLoaderSettings).number(hypervisorType, 0).number(hypervisorPort, 1).number(hypervisorRate, 115200)
	object(all, resumeSettings, typeResumeSettings).list(inherit, globalSettings)
	return root
}

// elements are those of one object. The form of a value follows from the element's type, in its second digit.
type elements struct{ key *hive.Key }

func object(all *hive.Key, id string, kind uint32) elements {
	k := all.Add(id)
	k.Add("Description").SetDWord("Type", kind)
	return elements{k.Add("Elements")}
}

func (e elements) add(element uint32) *hive.Key { return e.key.Add(fmt.Sprintf("%08x", element)) }

func (e elements) binary(element uint32, data []byte) elements {
	e.add(element).SetBinary("Element", data)
	return e
}

func (e elements) text(element uint32, text string) elements {
	e.add(element).SetText("Element", text)
	return e
}

func (e elements) list(element uint32, objects ...string) elements {
	e.add(element).SetList("Element", objects...)
	return e
}

func (e elements) number(element uint32, n uint64) elements {
	return e.binary(element, binary.LittleEndian.AppendUint64(nil, n))
}

func (e elements) flag(element uint32, on bool) elements {
	b := byte(0)
	if on {
		b = 1
	}
	return e.binary(element, []byte{b})
}

// descriptor is that of every key: administrators own it, they and the system may do everything, nobody else anything.
func descriptor() []byte {
	administrators := []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0} // S-1-5-32-544
	system := []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}                        // S-1-5-18
	allow := func(sid []byte) []byte {
		ace := []byte{0, 2, byte(8 + len(sid)), 0, 0x3f, 0, 0x0f, 0} // allowed, to keys below too: KEY_ALL_ACCESS
		return append(ace, sid...)
	}
	entries := append(allow(administrators), allow(system)...)
	list := append([]byte{2, 0, byte(8 + len(entries)), 0, 2, 0, 0, 0}, entries...)
	head := []byte{1, 0, 4, 0x80} // self-relative, with a list
	at := uint32(20)
	for _, part := range []int{len(administrators), len(system), 0, 0} {
		switch part {
		case 0:
			head = binary.LittleEndian.AppendUint32(head, 0)
		default:
			head = binary.LittleEndian.AppendUint32(head, at)
			at += uint32(part)
		}
	}
	binary.LittleEndian.PutUint32(head[16:], at)
	return append(append(append(head, administrators...), system...), list...)
}
