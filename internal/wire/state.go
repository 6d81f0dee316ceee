package wire

import "time"

// Limits of a user state.
const (
	// MaxStatePiece bounds one piece as it is sent, encrypted.
	MaxStatePiece = 4 << 20
	// MaxStatePieces bounds how many there are.
	MaxStatePieces = 1 << 20
)

// StateRequest asks for a state store: a new one, or the one to restore from
// (USM-2). With State it is the store that this run requested for capture
// before, for an agent that started anew since then and has no key any more.
type StateRequest struct {
	Restore bool   `json:"restore,omitempty"`
	State   string `json:"state,omitempty"`
}

// StateStore is the answer. Key encrypts the pieces and is this store's own;
// it is only sent over the run's TLS session and never stored with the pieces.
type StateStore struct {
	ID       string   `json:"id"`
	Key      []byte   `json:"key"`
	MaxBytes int64    `json:"maxBytes"`         // of all pieces
	Pieces   []string `json:"pieces,omitempty"` // SHA-256 of each, in order; of a store that is complete
}

// StatePiece is one encrypted piece.
type StatePiece struct {
	Data   []byte `json:"data"`
	SHA256 string `json:"sha256"` // of Data, lower-case hex
}

// StateComplete ends a capture: these pieces, in this order, are the state.
type StateComplete struct {
	Pieces []string `json:"pieces"`
}

// UserState is the record of a state store. Target is the device that may
// restore it (USM-3, USM-5).
type UserState struct {
	ID         string     `json:"id"`
	Source     string     `json:"source"`
	SourceName string     `json:"sourceName"`
	Target     string     `json:"target"`
	TargetName string     `json:"targetName"`
	Run        string     `json:"run,omitempty"` // that captured it
	Created    time.Time  `json:"created"`
	Completed  *time.Time `json:"completed,omitempty"`
	Restored   *time.Time `json:"restored,omitempty"`
	Released   *time.Time `json:"released,omitempty"` // the retention begins (USM-2)
	Expires    *time.Time `json:"expires,omitempty"`
	Size       int64      `json:"size"` // bytes, encrypted
	Pieces     []string   `json:"pieces,omitempty"`
}

// StateAssociation says that what Source captures is for Target: ids or names.
type StateAssociation struct {
	Source string `json:"source"`
	Target string `json:"target"`
}
