package wire

// Manifest lists what a package consists of. The agent trusts it because it
// came over pinned TLS; Signature is for copies that travel otherwise.
type Manifest struct {
	PackageID string         `json:"packageId"`
	Version   int            `json:"version"`
	Name      string         `json:"name,omitempty"`
	Files     []ManifestFile `json:"files"`
	TotalSize int64          `json:"totalSize"`
	Signature []byte         `json:"signature,omitempty"`
}

// ManifestFile is one file: a clean relative slash path, its size in bytes and
// its SHA-256 in lower-case hex.
type ManifestFile struct {
	Path      string   `json:"path"`
	Size      int64    `json:"size"`
	SHA256    string   `json:"sha256"`
	ChunkSize int64    `json:"chunkSize,omitempty"`
	Chunks    []string `json:"chunks,omitempty"`
}

// ContentLocations says where the files of a package can be had, best first
// (BGR-9). A file's URL is Source.Base + its SHA-256 + Source.Query.
type ContentLocations struct {
	Manifest Manifest        `json:"manifest"`
	Sources  []ContentSource `json:"sources"`
	// Share is where the package lies as plain files; it is told only to a
	// machine whose run uses content in place (DOP-13), over TLS, and kept
	// nowhere.
	Share *ContentShare `json:"share,omitempty"`
}

// ContentShare is a read-only share of a distribution point. The package is the
// folder of its id in it. What is there is not covered by the manifest (DOP-15).
type ContentShare struct {
	Path     string `json:"path"` // \\server\share
	Port     int    `json:"port"`
	Account  string `json:"account"`
	Password string `json:"password"`
}

// ContentSource is one place. Base ends in a slash; Query, if any, begins with
// a question mark and carries a signature that expires.
type ContentSource struct {
	Kind  string `json:"kind"` // peer, current, neighbor, default
	Name  string `json:"name"`
	Base  string `json:"base"`
	Query string `json:"query,omitempty"`
}
