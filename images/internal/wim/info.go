package wim

import (
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// ErrFormat says that a file is no WIM.
var ErrFormat = errors.New("not a WIM file")

// How files begin. Pipable ones are wimlib's own and keep a second header at the end.
const (
	Magic        = "MSWIM\x00\x00\x00"
	MagicPipable = "WLPWM\x00\x00\x00"
)

const (
	headerSize = 208
	maxXML     = 4 << 20 // real ones have a few KB for each image
	maxImages  = 4096
)

// Info is what a WIM says about itself.
type Info struct {
	GUID   [16]byte // the same in all parts of a split WIM
	Part   int      // from 1
	Parts  int      // 1 when it is not split
	Images []Image  // in order of their index
}

// Image is one image of a WIM.
type Image struct {
	Index       int    `xml:"INDEX,attr"` // from 1
	Name        string `xml:"NAME"`
	DisplayName string `xml:"DISPLAYNAME"`
	Description string `xml:"DESCRIPTION"`
	Creator     string `xml:"CREATOR"` // bootyard's captures say these two
	Version     string `xml:"VERSION"`
	Folders     int64  `xml:"DIRCOUNT"`
	Files       int64  `xml:"FILECOUNT"`
	Bytes       int64  `xml:"TOTALBYTES"` // of all files, unpacked
	HardLinked  int64  `xml:"HARDLINKBYTES"`
	// Windows is set for a system of Windows.
	Windows *Windows `xml:"WINDOWS"`
}

// Windows is the system in an image.
type Windows struct {
	Arch    int    `xml:"ARCH"` // 0 x86, 9 amd64, 12 arm64
	Product string `xml:"PRODUCTNAME"`
	Edition string `xml:"EDITIONID"`
}

// Find returns the image of an index, or an error that lists what there is.
func (i Info) Find(index int) (Image, error) {
	var have []string
	for _, image := range i.Images {
		if image.Index == index {
			return image, nil
		}
		if len(have) < 20 {
			have = append(have, fmt.Sprintf("%d (%.60s)", image.Index, image.Name))
		}
	}
	return Image{}, fmt.Errorf("the WIM has no image %d; it has %s", index, strings.Join(have, ", "))
}

// Read reads the header and the list of images of a file of size bytes.
func Read(r io.ReaderAt, size int64) (Info, error) {
	head := make([]byte, headerSize)
	if _, err := r.ReadAt(head, 0); err != nil {
		return Info{}, fmt.Errorf("%w: no header (%v)", ErrFormat, err)
	}
	switch string(head[:8]) {
	case Magic:
	case MagicPipable:
		if _, err := r.ReadAt(head, size-headerSize); err != nil || string(head[:8]) != MagicPipable {
			return Info{}, fmt.Errorf("%w: the header at its end is missing; was it copied whole?", ErrFormat)
		}
	default:
		return Info{}, fmt.Errorf("%w: no header", ErrFormat)
	}
	info := Info{Part: int(binary.LittleEndian.Uint16(head[40:])), Parts: int(binary.LittleEndian.Uint16(head[42:]))}
	copy(info.GUID[:], head[24:40])
	if info.Part < 1 || info.Parts < info.Part {
		return Info{}, fmt.Errorf("%w: part %d of %d", ErrFormat, info.Part, info.Parts)
	}
	// A resource: seven bytes of size, one of flags, eight of offset.
	length := int64(binary.LittleEndian.Uint64(head[72:]) & (1<<56 - 1))
	offset := binary.LittleEndian.Uint64(head[80:])
	if length > maxXML || length > size || offset > uint64(size-length) {
		return Info{}, fmt.Errorf("%w: its list of images is not inside; was it copied whole?", ErrFormat)
	}
	raw := make([]byte, length)
	if _, err := r.ReadAt(raw, int64(offset)); err != nil {
		return Info{}, fmt.Errorf("read the images of a WIM: %w", err)
	}
	var err error
	info.Images, err = parse(raw)
	return info, err
}

// parse reads the XML, which is UTF-16LE with a byte order mark.
func parse(raw []byte) ([]Image, error) {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[i*2:])
	}
	if len(units) > 0 && units[0] == 0xfeff {
		units = units[1:]
	}
	images, err := parseImages(string(utf16.Decode(units)))
	if err != nil {
		return nil, fmt.Errorf("%w: its list of images cannot be read: %v", ErrFormat, err)
	}
	for _, i := range images {
		if i.Index < 1 || i.Bytes < 0 || i.Files < 0 || i.Folders < 0 || i.HardLinked < 0 || i.Bytes > 1<<60 || i.Files > 1<<40 || i.Folders > 1<<40 {
			return nil, fmt.Errorf("%w: image %d has impossible figures", ErrFormat, i.Index)
		}
	}
	return images, nil
}

// parseImages reads one image after the other, so that a list that is nothing but images ends where it gets too long.
func parseImages(text string) (images []Image, err error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("an encoding in an encoding") }
	inside := false
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		_, end := token.(xml.EndElement)
		switch {
		case end && len(images) == 0:
			return nil, errors.New("it has no image")
		case end: // of WIM itself; what is inside was read with its own end
			return images, nil
		case !ok:
		case !inside:
			inside = true // WIM itself
		case start.Name.Local != "IMAGE":
			if err := d.Skip(); err != nil {
				return nil, err
			}
		case len(images) == maxImages:
			return nil, fmt.Errorf("it has more than %d images", maxImages)
		default:
			var i Image
			if err := d.DecodeElement(&i, &start); err != nil {
				return nil, err
			}
			images = append(images, i)
		}
	}
}
