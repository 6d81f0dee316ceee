package wine

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
)

// Where things lie in the library: one page behind the headers.
const (
	sectionAddress = 0x1000
	sectionSize    = 0x200
	headerSize     = 0x200
)

// forwarder is a 64-bit DLL without code, whose one function is another library's: Go programs ask bcryptprimitives.dll
// for ProcessPrng, which Wine 8 lacks, and SystemFunction036 of advapi32.dll takes and gives the same.
func forwarder(library, function, target string) ([]byte, error) {
	var section bytes.Buffer
	const names = 40 // the export directory's own size; what it points to comes behind it
	text := library + "\x00" + function + "\x00" + target + "\x00"
	address, name, ordinal := uint32(sectionAddress+names), uint32(sectionAddress+names+4), uint32(sectionAddress+names+8)
	strs := uint32(sectionAddress + names + 10)
	at := func(s string) uint32 { return strs + uint32(strings.Index(text, s+"\x00")) }
	export := []any{uint32(0), uint32(0), uint32(0), at(library), uint32(1), uint32(1), uint32(1), address, name, ordinal,
		at(target), at(function), uint16(0), []byte(text)}
	for _, part := range export {
		if err := binary.Write(&section, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	size := uint32(section.Len())
	header := pe.OptionalHeader64{Magic: 0x20B, SizeOfInitializedData: sectionSize, ImageBase: 0x180000000, SectionAlignment: 0x1000, FileAlignment: 0x200,
		MajorOperatingSystemVersion: 6, MajorSubsystemVersion: 6, SizeOfImage: 2 * sectionAddress, SizeOfHeaders: headerSize,
		Subsystem: pe.IMAGE_SUBSYSTEM_WINDOWS_CUI, DllCharacteristics: pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT | pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, NumberOfRvaAndSizes: 16}
	header.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_EXPORT] = pe.DataDirectory{VirtualAddress: sectionAddress, Size: size}
	dos := make([]byte, 64)
	copy(dos, "MZ")
	dos[0x3C] = byte(len(dos))
	var file bytes.Buffer
	for _, part := range []any{dos, []byte("PE\x00\x00"),
		pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(header)),
			Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE | pe.IMAGE_FILE_LARGE_ADDRESS_AWARE | pe.IMAGE_FILE_DLL},
		header,
		pe.SectionHeader32{Name: [8]uint8{'.', 'e', 'd', 'a', 't', 'a'}, VirtualSize: size, VirtualAddress: sectionAddress, SizeOfRawData: sectionSize,
			PointerToRawData: headerSize, Characteristics: pe.IMAGE_SCN_CNT_INITIALIZED_DATA | pe.IMAGE_SCN_MEM_READ}} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	out := make([]byte, headerSize+sectionSize)
	copy(out, file.Bytes())
	copy(out[headerSize:], section.Bytes())
	return out, nil
}
