package bcd

import (
	"encoding/binary"
	"errors"
)

// Partition is where something lies, by what outlives a change of cables and controllers.
type Partition struct {
	GPT bool
	// Disk is the GUID of a GPT disk as it stands in the table's header; of an MBR disk the first four bytes are its
	// signature.
	Disk [16]byte
	// ID is the partition's own GUID as it stands in the GPT; not used for MBR.
	ID [16]byte
	// Start is the partition's first byte, counted from the beginning of the disk; used for MBR.
	Start int64
}

// Parts of a device element. The first sixteen bytes name an object with further options, which nothing here has.
const (
	qualifiedPartition = 6  // a partition by the identifiers of itself and of its disk
	partitionLength    = 72 // from the type on
	styleGPT           = 0
	styleMBR           = 1
)

// element is the partition as the store holds it.
func (p Partition) element() ([]byte, error) {
	if p.Disk == [16]byte{} || p.GPT && p.ID == [16]byte{} || !p.GPT && p.Start <= 0 {
		return nil, errors.New("a partition of the boot configuration has no identity: its disk has neither a GUID nor a signature")
	}
	b := make([]byte, 16+partitionLength)
	binary.LittleEndian.PutUint32(b[16:], qualifiedPartition)
	binary.LittleEndian.PutUint32(b[24:], partitionLength)
	if p.GPT {
		copy(b[32:], p.ID[:])
		binary.LittleEndian.PutUint32(b[52:], styleGPT)
		copy(b[56:], p.Disk[:])
		return b, nil
	}
	binary.LittleEndian.PutUint64(b[32:], uint64(p.Start))
	binary.LittleEndian.PutUint32(b[52:], styleMBR)
	copy(b[56:60], p.Disk[:4])
	return b, nil
}
