package userstate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// pieceSize is how much plain text one piece holds.
const pieceSize = 2 << 20

// ErrDamaged says that a piece is not what was captured: it was changed, exchanged or is of another state.
var ErrDamaged = errors.New("the user state was changed after it was captured")

// sealer encrypts pieces with AES-256-GCM. State, number and whether it is the last one are authenticated, so pieces can be
// neither exchanged nor left out.
type sealer struct {
	aead cipher.AEAD
	id   string
}

func newSealer(id string, key []byte) (*sealer, error) {
	if len(key) != 32 {
		return nil, errors.New("the key of a user state has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead, id}, err
}

func (s *sealer) context(number int, last bool) []byte {
	b := append([]byte("bootyard user state "), s.id...)
	b = binary.BigEndian.AppendUint64(b, uint64(number))
	if last {
		return append(b, 1)
	}
	return append(b, 0)
}

func (s *sealer) seal(plain []byte, number int, last bool) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(nonce, nonce, plain, s.context(number, last)), nil
}

func (s *sealer) open(sealed []byte, number int, last bool) ([]byte, error) {
	if n := s.aead.NonceSize(); len(sealed) >= n {
		if plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], s.context(number, last)); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("piece %d: %w", number, ErrDamaged)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// pieceWriter cuts what is written to it into pieces and sends each when it is full. Close sends the last one.
type pieceWriter struct {
	sealer *sealer
	send   func(number int, sealed []byte) error
	limit  int64
	buffer []byte
	hashes []string
	size   int64
	err    error
}

// Write implements io.Writer.
func (w *pieceWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buffer) == pieceSize { // full, and not the last one
			w.flush(false)
			continue
		}
		n := min(len(p), pieceSize-len(w.buffer))
		w.buffer = append(w.buffer, p[:n]...)
		p, written = p[n:], written+n
	}
	return written, w.err
}

func (w *pieceWriter) flush(last bool) {
	sealed, err := w.sealer.seal(w.buffer, len(w.hashes), last)
	if err == nil {
		if w.size += int64(len(sealed)); w.size > w.limit {
			err = fmt.Errorf("the user state is larger than the %d bytes that the site keeps; capture less, or raise the limit with `bootyard settings set --state-max-bytes`", w.limit)
		}
	}
	if err == nil {
		err = w.send(len(w.hashes), sealed)
	}
	w.err = err
	w.hashes, w.buffer = append(w.hashes, hash(sealed)), w.buffer[:0]
}

// Close implements io.Closer.
func (w *pieceWriter) Close() error {
	if w.err == nil {
		w.flush(true)
	}
	return w.err
}

// pieceReader fetches, checks and decrypts pieces in order.
type pieceReader struct {
	sealer *sealer
	fetch  func(number int) ([]byte, error)
	hashes []string
	next   int
	rest   []byte
}

// Read implements io.Reader.
func (r *pieceReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == len(r.hashes) {
			return 0, io.EOF
		}
		sealed, err := r.fetch(r.next)
		if err != nil {
			return 0, err
		}
		if hash(sealed) != r.hashes[r.next] {
			return 0, fmt.Errorf("piece %d: %w", r.next, ErrDamaged)
		}
		if r.rest, err = r.sealer.open(sealed, r.next, r.next == len(r.hashes)-1); err != nil {
			return 0, err
		}
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
