package tftpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// Operation codes (RFC 1350 section 5, RFC 2347).
const (
	opRead  = 1
	opWrite = 2
	opData  = 3
	opAck   = 4
	opError = 5
	opOAck  = 6
)

// Error codes (RFC 1350 appendix).
const (
	codeUndefined  = 0
	codeNotFound   = 1
	codeAccess     = 2
	codeIllegal    = 4
	codeBadOptions = 8
)

const (
	defaultBlock = 512
	// maxBlock keeps a packet inside an Ethernet frame: 1500 less 20 (IP), 8 (UDP) and 4 (TFTP).
	maxBlock = 1468
	// maxWindow bounds what one acknowledgement can make us send: 64 blocks are 94 KB.
	maxWindow = 64
	// maxRequest is the longest request that RFC 2347 allows.
	maxRequest = 512
	// maxName is longer than any loader's name and all that its search orders ask for.
	maxName = 255
)

var (
	errShort   = errors.New("request is cut short")
	errLong    = errors.New("request is longer than 512 bytes")
	errOpcode  = errors.New("not a read or write request")
	errName    = errors.New("name is empty, too long or has control characters")
	errMode    = errors.New("transfer mode is not octet or netascii")
	errOptions = errors.New("too many options")
)

// request is a read or write request, parsed once.
type request struct {
	write  bool
	name   string
	mode   string
	block  int  // 0: not asked for
	size   bool // asked for tsize
	window int  // 0: not asked for
}

// parseRequest reads an RRQ or WRQ. Options that we do not know or cannot use are left out, as RFC 2347 wants.
func parseRequest(p []byte) (request, error) {
	var r request
	if len(p) > maxRequest {
		return r, errLong
	}
	if len(p) < 4 {
		return r, errShort
	}
	switch binary.BigEndian.Uint16(p) {
	case opRead:
	case opWrite:
		r.write = true
	default:
		return r, errOpcode
	}
	name, rest, ok := bytes.Cut(p[2:], []byte{0})
	if !ok {
		return r, errShort
	}
	mode, rest, ok := bytes.Cut(rest, []byte{0})
	if !ok {
		return r, errShort
	}
	r.name = string(name)
	if !validName(r.name) {
		return r, errName
	}
	r.mode = strings.ToLower(string(mode))
	if r.mode != "octet" && r.mode != "netascii" {
		return r, errMode
	}
	return r, r.options(rest)
}

func (r *request) options(p []byte) error {
	for n := 0; len(p) > 0; n++ {
		if n == 16 { // real clients send up to five
			return errOptions
		}
		var key, value []byte
		var ok bool
		if key, p, ok = bytes.Cut(p, []byte{0}); !ok {
			return nil // padding without an end: some ROMs send it
		}
		if value, p, ok = bytes.Cut(p, []byte{0}); !ok {
			return nil
		}
		v, err := strconv.Atoi(string(value))
		if err != nil || v < 0 {
			continue
		}
		switch strings.ToLower(string(key)) {
		case "blksize":
			if v >= 8 && v <= 65464 { // RFC 2348
				r.block = min(v, maxBlock)
			}
		case "tsize":
			r.size = true
		case "windowsize":
			if v >= 1 && v <= 65535 { // RFC 7440 section 3
				r.window = min(v, maxWindow)
			}
		}
	}
	return nil
}

func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// key is the form in which names are looked up: no leading slashes, forward slashes only. It is never used as a path,
// so dots need no treatment; a name with ".." is simply no key.
func key(name string) string {
	return strings.TrimLeft(strings.ReplaceAll(name, `\`, "/"), "/")
}

// forLibrary writes the request as the library understands it.
func (r request) forLibrary() []byte {
	b := append([]byte{0, opRead}, r.name...)
	b = append(b, 0)
	b = append(b, r.mode...)
	b = append(b, 0)
	if r.block >= defaultBlock {
		b = append(b, "blksize\x00"+strconv.Itoa(r.block)+"\x00"...)
	}
	if r.size && r.mode == "octet" { // the length in netascii is not known before it is sent
		b = append(b, "tsize\x000\x00"...)
	}
	return b
}

// oack answers the options of r for a file of that many bytes (RFC 2347).
func (r request) oack(size int) []byte {
	b := []byte{0, opOAck}
	if r.block > 0 {
		b = append(b, "blksize\x00"+strconv.Itoa(r.block)+"\x00"...)
	}
	if r.size {
		b = append(b, "tsize\x00"+strconv.Itoa(size)+"\x00"...)
	}
	if r.window > 0 {
		b = append(b, "windowsize\x00"+strconv.Itoa(r.window)+"\x00"...)
	}
	return b
}

// errorPacket carries one of our fixed texts; causes and paths stay in the log.
func errorPacket(code uint16, text string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0, opError}, code)
	return append(append(b, text...), 0)
}
