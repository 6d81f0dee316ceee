package wire

// Limits of an image that is captured into the appliance.
const (
	// CapturePiece is the size of every piece but the last, in bytes.
	CapturePiece = 4 << 20
	// MaxCapturePieces bounds how many there are: 512 GiB.
	MaxCapturePieces = 1 << 17
)

// Formats of a captured image, which are also the ends of its name.
const (
	CaptureWIM = "wim"
	CaptureTar = "tar.zst"
)

// CaptureRequest announces the image of a Capture Operating System Image step
// (IMG-1). Step is the same when the step is run again after an interruption.
type CaptureRequest struct {
	Step   string `json:"step"`
	Name   string `json:"name"` // of the new OS image
	Format string `json:"format"`
}

// CaptureStore is the answer. Pieces are the SHA-256 of those that came before
// an interruption, in order, empty where one is missing: what is still the same
// need not be sent again. When Complete, the image came whole.
type CaptureStore struct {
	ID       string   `json:"id"`
	MaxBytes int64    `json:"maxBytes"`
	Pieces   []string `json:"pieces,omitempty"`
	Complete bool     `json:"complete,omitempty"`
}

// CapturePieceData is one piece: CapturePiece bytes, the last one to that.
type CapturePieceData struct {
	Data   []byte `json:"data"`
	SHA256 string `json:"sha256"` // of Data, lower-case hex
}

// CaptureComplete ends an upload: these pieces, in this order, are the image.
// It is sent again until the answer names the package.
type CaptureComplete struct {
	Pieces      []string `json:"pieces"`
	Size        int64    `json:"size"` // of all pieces
	Author      string   `json:"author,omitempty"`
	Description string   `json:"description,omitempty"`
	Version     string   `json:"version,omitempty"`
	Unpacked    int64    `json:"unpacked,omitempty"` // bytes of the files in it, about
}

// CaptureStored is the answer. Package is empty while the appliance checks the
// image and takes it into its library.
type CaptureStored struct {
	Package string `json:"package,omitempty"`
}
