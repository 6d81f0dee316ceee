package inspect

import (
	"github.com/bootyard/bootyard/internal/site"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine"
	"github.com/bootyard/bootyard/tsengine/sequence"
)

// defaultRunMinutes is TSV-11's maximum allowed run time.
const defaultRunMinutes = 120

// Sequences is a site.SequenceInspector.
type Sequences struct{}

// Condition checks the XML of a condition, such as the requirement of an application. The error is for people.
func Condition(xml string) error {
	_, err := sequence.ParseCondition(xml)
	return err
}

// Inspect implements site.SequenceInspector.
func (Sequences) Inspect(xml string) (site.SequenceFacts, error) {
	s, err := sequence.Parse([]byte(xml))
	if err != nil {
		return site.SequenceFacts{}, err
	}
	f := site.SequenceFacts{
		ID: s.PackageID, Name: s.Name, BootImage: s.BootImageID, Disabled: s.Disabled,
		DeploysOS: s.HasOSDeploymentStep(), MaxRunMinutes: int(s.MaxRunTime.Minutes()),
	}
	if f.MaxRunMinutes == 0 {
		f.MaxRunMinutes = defaultRunMinutes
	}
	for _, n := range s.All() {
		if n.Kind == sequence.Step {
			f.Steps++
		}
		if n.ShortType() == "CaptureSystemImageAction" && n.Enabled() {
			f.Captures++
		}
	}
	for _, r := range s.References() {
		ref := wire.Reference{ID: r.ID, Kind: string(r.Kind)}
		if r.Node != nil {
			ref.Step = r.Node.Name
		}
		f.References = append(f.References, ref)
	}
	// Children are other objects of the site, which looks for them itself.
	for _, p := range tsengine.Check(s, nil, nil) {
		if p.Severity == sequence.Blocks {
			f.Problems = append(f.Problems, wire.Reason{Rule: p.Rule, Text: p.String()})
		}
	}
	return f, nil
}
