package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/wire"
)

// programs hands out the agent's programs for systems that the boot environment is not, in pieces. A program's hash is
// computed again when its file has changed.
type programs struct {
	files map[string]string // file by system/arch
	mu    sync.Mutex
	known map[string]program
}

type program struct {
	size    int64
	changed time.Time
	sum     string
}

func (a *API) registerPrograms() {
	p := &programs{files: a.Programs, known: map[string]program{}}
	agentAnswer(a, agentOperation("GET", wire.PathProgram, "program", maxAgentBody), func(_ context.Context, in *struct {
		System string `path:"system"`
		Arch   string `path:"arch"`
		Number int    `path:"number"`
	}) (wire.ProgramPiece, error) {
		return p.piece(in.System+"/"+in.Arch, in.Number)
	})
}

func (p *programs) piece(key string, number int) (_ wire.ProgramPiece, err error) {
	name, ok := p.files[key]
	var f *os.File
	if ok {
		f, err = os.Open(name)
	}
	if !ok || errors.Is(err, os.ErrNotExist) {
		return wire.ProgramPiece{}, &wire.Problem{Title: "Not Found", Status: 404, Detail: fmt.Sprintf("the appliance has no agent for %.40q", key),
			Remedy: "put bootyard-agent.exe beside the program bootyard on the appliance ('make build' makes both), then retry the deployment"}
	}
	if err != nil {
		return wire.ProgramPiece{}, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return wire.ProgramPiece{}, err
	}
	sum, err := p.hash(key, f, info)
	if err != nil {
		return wire.ProgramPiece{}, err
	}
	piece := wire.ProgramPiece{Pieces: int((info.Size() + wire.MaxProgramPiece - 1) / wire.MaxProgramPiece), SHA256: sum}
	if number < 0 || number >= piece.Pieces {
		return wire.ProgramPiece{}, &wire.Problem{Title: "Not Found", Status: 404, Detail: fmt.Sprintf("the program has %d pieces", piece.Pieces), Field: "number"}
	}
	piece.Data = make([]byte, min(wire.MaxProgramPiece, info.Size()-int64(number)*wire.MaxProgramPiece))
	if _, err := f.ReadAt(piece.Data, int64(number)*wire.MaxProgramPiece); err != nil {
		return wire.ProgramPiece{}, err
	}
	return piece, nil
}

func (p *programs) hash(key string, f io.ReaderAt, info os.FileInfo) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.known[key]; k.sum != "" && k.size == info.Size() && k.changed.Equal(info.ModTime()) {
		return k.sum, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, info.Size())); err != nil {
		return "", err
	}
	p.known[key] = program{size: info.Size(), changed: info.ModTime(), sum: fmt.Sprintf("%x", h.Sum(nil))}
	return p.known[key].sum, nil
}
