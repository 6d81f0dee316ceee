package qcow2

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ErrFormat says that a file is no image that this package reads.
var ErrFormat = errors.New("not a qcow2 image that can be read")

// Magic is how every image begins.
const Magic = "QFI\xfb"

const (
	headerV2 = 72
	headerV3 = 104
	// maxL1 bounds the first table: 32 MiB, as QEMU does.
	maxL1        = 4 << 20
	offsetMask   = 0x00fffffffffffe00
	compressed   = 1 << 62
	allZero      = 1 << 0
	zstdClusters = 1
)

// Bits of the header that an old reader must not overlook.
const (
	featureDirty = 1 << iota // only reference counts are stale
	featureCorrupt
	featureDataFile
	featureCompression
	featureExtendedL2
)

// Image is an open image. It is not safe for concurrent use.
type Image struct {
	r           io.ReaderAt
	fileSize    int64
	size        int64
	clusterBits uint
	version     uint32
	compression byte
	l1          []uint64
	l2          []uint64 // the table that was read last
	l2At        uint64
	packed      []byte
	zstd        *zstd.Decoder
}

// Open reads the headers of an image of fileSize bytes. Close ends the use; r stays open.
func Open(r io.ReaderAt, fileSize int64) (*Image, error) {
	head := make([]byte, headerV3+1)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read qcow2 header: %w", err)
	}
	if n < headerV2 || string(head[:4]) != Magic {
		return nil, fmt.Errorf("%w: no header", ErrFormat)
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(head[at:]) }
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(head[at:]) }
	i := &Image{r: r, fileSize: fileSize, version: u32(4), clusterBits: uint(u32(20))}
	bad := func(format string, args ...any) (*Image, error) {
		return nil, fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	switch {
	case i.version != 2 && i.version != 3:
		return bad("version %d", i.version)
	case i.version == 3 && n < headerV3:
		return bad("the header is cut off")
	case u64(8) != 0:
		return bad("it is a difference to another image; make it whole with: qemu-img convert -O qcow2")
	case i.clusterBits < 9 || i.clusterBits > 21:
		return bad("clusters of 2^%d bytes", i.clusterBits)
	case u32(32) != 0:
		return bad("it is encrypted")
	case u64(24) > 1<<60:
		return bad("a disk of %d bytes", u64(24))
	}
	i.size = int64(u64(24))
	if i.version == 3 {
		switch features := u64(72); {
		case features&featureCorrupt != 0:
			return bad("it is marked as damaged; try: qemu-img check -r all")
		case features&featureDataFile != 0:
			return bad("its data is in another file; make it whole with: qemu-img convert -O qcow2")
		case features&featureExtendedL2 != 0:
			return bad("extended L2 entries; convert it with: qemu-img convert -O qcow2")
		case features&^(featureDirty|featureCompression) != 0:
			return bad("unknown features %#x", features)
		case features&featureCompression != 0:
			if n < headerV3+1 || head[headerV3] > zstdClusters {
				return bad("unknown compression")
			}
			i.compression = head[headerV3]
		}
	}
	return i, i.readL1(u64(40), u32(36))
}

func (i *Image) readL1(at uint64, entries uint32) error {
	perL1 := i.ClusterSize() * (i.ClusterSize() / 8)
	need := (i.size + perL1 - 1) / perL1
	if need > maxL1 || need > int64(entries) {
		return fmt.Errorf("%w: its first table does not fit a disk of %d bytes", ErrFormat, i.size)
	}
	var err error
	i.l1, err = i.table(at, need)
	return err
}

// table reads n big-endian numbers.
func (i *Image) table(at uint64, n int64) ([]uint64, error) {
	if at > uint64(i.fileSize) || n*8 > i.fileSize-int64(at) {
		return nil, fmt.Errorf("%w: a table lies behind the end of the file", ErrFormat)
	}
	raw := make([]byte, n*8)
	if _, err := i.r.ReadAt(raw, int64(at)); err != nil {
		return nil, fmt.Errorf("read qcow2 table: %w", err)
	}
	out := make([]uint64, n)
	for k := range out {
		out[k] = binary.BigEndian.Uint64(raw[k*8:])
	}
	return out, nil
}

// Size is that of the disk in the image, in bytes.
func (i *Image) Size() int64 { return i.size }

// ClusterSize is the unit of Cluster, in bytes: 512 to 2 MiB.
func (i *Image) ClusterSize() int64 { return 1 << i.clusterBits }

// Close frees the decoder.
func (i *Image) Close() {
	if i.zstd != nil {
		i.zstd.Close()
	}
}

// Cluster reads the n-th cluster of the disk into buf, which has ClusterSize bytes. A cluster that reads as zeros is told
// and buf left alone. The last one may reach beyond Size.
func (i *Image) Cluster(n int64, buf []byte) (zero bool, err error) {
	perL2 := i.ClusterSize() / 8
	if n < 0 || n*i.ClusterSize() >= i.size || int64(len(buf)) != i.ClusterSize() {
		return false, fmt.Errorf("cluster %d is not in the image", n)
	}
	l2At := i.l1[n/perL2] & offsetMask
	if l2At == 0 {
		return true, nil
	}
	if l2At != i.l2At {
		if i.l2, err = i.table(l2At, perL2); err != nil {
			i.l2At = 0
			return false, err
		}
		i.l2At = l2At
	}
	entry := i.l2[n%perL2]
	if entry&compressed != 0 {
		return false, i.unpack(entry, buf)
	}
	at := entry & offsetMask
	if at == 0 || i.version == 3 && entry&allZero != 0 {
		return true, nil
	}
	return false, i.read(buf, at)
}

// read fills buf; what lies behind the end of the file reads as zeros, as an image may end in the middle of a cluster.
func (i *Image) read(buf []byte, at uint64) error {
	if at >= uint64(i.fileSize) {
		return fmt.Errorf("%w: a cluster lies behind the end of the file; was it copied whole?", ErrFormat)
	}
	n, err := i.r.ReadAt(buf, int64(at))
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read qcow2 cluster: %w", err)
	}
	clear(buf[n:])
	return nil
}

// unpack reads a compressed cluster.
func (i *Image) unpack(entry uint64, buf []byte) error {
	x := 62 - (i.clusterBits - 8)
	at := entry & (1<<x - 1)
	sectors := (entry&(1<<62-1))>>x + 1
	size := int64(sectors)*512 - int64(at&511)
	if cap(i.packed) < int(size) {
		i.packed = make([]byte, size)
	}
	packed := i.packed[:size]
	if err := i.read(packed, at); err != nil {
		return err
	}
	if i.compression == zstdClusters {
		return i.unpackZstd(packed, buf)
	}
	r := flate.NewReader(bytes.NewReader(packed))
	if _, err := io.ReadFull(r, buf); err != nil {
		return fmt.Errorf("%w: a compressed cluster is damaged: %v", ErrFormat, err)
	}
	return nil
}

func (i *Image) unpackZstd(packed, buf []byte) error {
	if i.zstd == nil {
		var err error
		if i.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20)); err != nil {
			return err
		}
	}
	if err := i.zstd.Reset(bytes.NewReader(packed)); err != nil {
		return fmt.Errorf("%w: a compressed cluster is damaged: %v", ErrFormat, err)
	}
	if _, err := io.ReadFull(i.zstd, buf); err != nil {
		return fmt.Errorf("%w: a compressed cluster is damaged: %v", ErrFormat, err)
	}
	return nil
}
