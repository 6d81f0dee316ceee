package bootimage

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
)

// wimlib reads the list of images in a WIM with libxml2, which Debian links with ICU for rare encodings. ICU's data alone is
// 30 MB, a quarter of the boot image as it crosses the wire, and none of it is used: the list is UTF-16, which libxml2 knows
// itself. ICU foresees this: a library without data (its "stubdata") takes the place of the one with data.

// leaveOutICU replaces the data of ICU, if it came along, by a library that has none.
func (s *stager) leaveOutICU() error {
	for p, e := range s.out {
		if !strings.HasPrefix(path.Base(p), "libicudata.so.") || e.source == "" {
			continue
		}
		stub, err := icuStub(e.source)
		if err != nil {
			return fmt.Errorf("leave out the data of ICU: %w", err)
		}
		s.out[p] = entry{path: p, mode: 0o644, data: string(stub)} // add keeps what is there
	}
	return nil
}

// icuStub makes a shared library for amd64 that has the name and the one symbol of ICU's data library, with an empty table
// of contents behind it (ICU's common data format, udata.h and ucmndata.h).
func icuStub(real string) ([]byte, error) {
	f, err := elf.Open(real)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	names, err := f.DynString(elf.DT_SONAME)
	if err != nil || len(names) != 1 {
		return nil, errors.Join(err, fmt.Errorf("%s has no name of its own", real))
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	for _, symbol := range symbols {
		if strings.HasPrefix(symbol.Name, "icudt") && strings.HasSuffix(symbol.Name, "_dat") {
			return emptyData(names[0], symbol.Name), nil
		}
	}
	return nil, fmt.Errorf("%s has no symbol icudt<version>_dat", real)
}

// Sizes of ELF's records (System V ABI, 64 bit).
const (
	elfHeader  = 64
	elfProgram = 56
	elfSymbol  = 24
)

func emptyData(soname, symbol string) []byte {
	le := binary.LittleEndian
	// Header size, magic, then UDataInfo: its size, little endian, ASCII, 2-byte characters, format "CmnD" version 1; padding;
	// the number of items.
	data := []byte{32, 0, 0xda, 0x27, 20, 0, 0, 0, 0, 0, 2, 0, 'C', 'm', 'n', 'D', 1, 0, 0, 0, 0, 0, 0, 0}
	data = append(data, make([]byte, 8+8)...)

	text := "\x00" + soname + "\x00" + symbol + "\x00"
	symbolsAt := uint64(elfHeader + 3*elfProgram)
	hashAt := symbolsAt + 2*elfSymbol
	textAt := hashAt + 5*4
	dataAt := (textAt + uint64(len(text)) + 15) &^ 15
	dynamicAt := (dataAt + uint64(len(data)) + 15) &^ 15
	dynamic := []uint64{
		uint64(elf.DT_SONAME), 1, uint64(elf.DT_HASH), hashAt, uint64(elf.DT_SYMTAB), symbolsAt, uint64(elf.DT_STRTAB), textAt,
		uint64(elf.DT_STRSZ), uint64(len(text)), uint64(elf.DT_SYMENT), elfSymbol, uint64(elf.DT_NULL), 0,
	}
	size := dynamicAt + uint64(len(dynamic))*8

	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, le, v) } // a buffer takes everything
	pad := func(to uint64) { b.Write(make([]byte, to-uint64(b.Len()))) }
	head := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: elfHeader, Ehsize: elfHeader, Phentsize: elfProgram, Phnum: 3, Shentsize: 64}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_DATA], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	put(head)
	// Writable, because the loader adds its own address to the table of the dynamic section.
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Filesz: size, Memsz: size, Align: 4096})
	put(elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Flags: uint32(elf.PF_R | elf.PF_W), Off: dynamicAt, Vaddr: dynamicAt, Paddr: dynamicAt, Filesz: size - dynamicAt, Memsz: size - dynamicAt, Align: 8})
	put(elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W), Align: 16})
	put(elf.Sym64{})
	put(elf.Sym64{Name: uint32(2 + len(soname)), Info: byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_OBJECT), Shndx: 1, Value: dataAt, Size: uint64(len(data))})
	put([]uint32{1, 2, 1, 0, 0}) // one bucket with the one symbol
	b.WriteString(text)
	pad(dataAt)
	b.Write(data)
	pad(dynamicAt)
	put(dynamic)
	return b.Bytes()
}
