package site

import (
	"time"

	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// defaultRunTime is TSV-11's maximum allowed run time.
const defaultRunTime = 120

// XMLInspector reads task sequence XML with the engine's own parser, so the
// site and the machines agree on what a sequence is.
type XMLInspector struct{}

// Inspect implements SequenceInspector.
func (XMLInspector) Inspect(xml string) (SequenceFacts, error) {
	seq, err := sequence.Parse([]byte(xml))
	if err != nil {
		return SequenceFacts{}, err
	}
	f := SequenceFacts{ID: seq.PackageID, Name: seq.Name, BootImage: seq.BootImageID, Disabled: seq.Disabled,
		DeploysOS: seq.DeploysOS(), MaxRunMinutes: int(seq.MaxRunTime / time.Minute), References: []wire.Reference{}}
	if f.MaxRunMinutes == 0 {
		f.MaxRunMinutes = defaultRunTime
	}
	for _, n := range seq.All() {
		if n.Kind == sequence.Step && n.Enabled() {
			f.Steps++
		}
	}
	for _, r := range seq.References() {
		if r.Kind == sequence.BootImageReference {
			continue // kept as the sequence's boot image
		}
		ref := wire.Reference{ID: r.ID, Kind: string(r.Kind)}
		if r.Node != nil {
			ref.Step = r.Node.Name
		}
		f.References = append(f.References, ref)
	}
	for _, p := range seq.Problems(nil) {
		if p.Severity != sequence.Blocks {
			continue
		}
		text := p.Text
		if p.Node != nil {
			text = "step " + p.Node.Name + ": " + text
		}
		f.Problems = append(f.Problems, reason(p.Rule, text+"; "+p.Remedy))
	}
	return f, nil
}
