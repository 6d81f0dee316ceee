package appliance

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/signedurl"
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	bootFilePrefix = "/f"
	contentPrefix  = "/c"
	scopeBoot      = "boot"
	scopeContent   = "content"
	// A slow link takes minutes for a boot image; a run takes hours.
	bootFileLifetime = 30 * time.Minute
	contentLifetime  = 12 * time.Hour
)

// Names under which loaders fetch the parts of a boot image, in their order.
const (
	kernelName = "vmlinuz"
	initrdName = "initrd.img"
	siteName   = "site.img"
)

var bootFileNames = []string{kernelName, initrdName, siteName}

// bootFiles serves kernels and initial RAM disks at signed paths that name the
// machine: /f/expiry/signature/MAC/image/file.
type bootFiles struct {
	site    *site.Service
	signer  *signedurl.Signer
	archive string // the site archive
	journal *journal
	recent  *recent
	log     *slog.Logger
	started time.Time
}

func (b *bootFiles) path(mac, image, name string) string {
	return bootFilePrefix + b.signer.Path(scopeBoot, mac+"/"+image+"/"+name, bootFileLifetime)
}

// ServeHTTP answers GET and HEAD; it is mounted behind StripPrefix(/f).
func (b *bootFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	signed, err := b.signer.Verify(scopeBoot, r.URL.Path)
	if err != nil {
		b.log.Info("boot file withheld", "addr", r.RemoteAddr, "reason", err.Error())
		http.Error(w, "forbidden", http.StatusForbidden)
		return
	}
	part := strings.Split(signed, "/") // MAC, image, file: only the appliance could sign it
	if len(part) != 3 {
		http.NotFound(w, r)
		return
	}
	counted := &countingWriter{ResponseWriter: w}
	if err := b.serve(counted, r, part[1], part[2]); err != nil {
		b.log.Error("boot file cannot be read; build or register the boot image again", "image", part[1], "file", part[2], "err", err)
		http.Error(w, "not available", http.StatusNotFound)
		return
	}
	if r.Method == http.MethodGet {
		b.note(part[0], part[1]+"/"+part[2], r.RemoteAddr, counted.bytes)
	}
}

func (b *bootFiles) serve(w http.ResponseWriter, r *http.Request, imageID, name string) error {
	if name == siteName {
		http.ServeContent(w, r, name, b.started, strings.NewReader(b.archive))
		return nil
	}
	image, err := b.site.BootImage(r.Context(), imageID)
	if err != nil {
		return err
	}
	file := image.Kernel
	if name == initrdName {
		file = image.Initrd
	}
	f, err := os.Open(filepath.Join(image.Dir, filepath.Base(file)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, name, info.ModTime(), f)
	return nil
}

func (b *bootFiles) note(mac, file, addr string, bytes int64) {
	host, _, _ := net.SplitHostPort(addr)
	b.journal.put(site.BootSign{
		Identity: wire.Identity{MACs: []string{mac}}, Address: host, Decision: b.recent.get(mac),
		BootAnswer: wire.BootAnswer{Stage: wire.StageKernel, Protocol: "http", Asked: file, Answer: "file", Reason: "signed path", Bytes: bytes},
	})
}

// countingWriter counts what goes out and keeps sendfile possible.
type countingWriter struct {
	http.ResponseWriter
	bytes int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// ReadFrom hands a file to the connection, which sends it without copying.
func (c *countingWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
