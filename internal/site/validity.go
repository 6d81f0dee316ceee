package site

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// maxChildren bounds how deep child sequences are nested; the engine has the
// same bound.
const maxChildren = 32

// validity checks references (TSV-1) and remembers what it has looked up.
type validity struct {
	tx     *store.Tx
	exists map[string]bool
	inside map[string][]wire.Reason // child sequences that were looked at
}

func newValidity(tx *store.Tx) *validity {
	return &validity{tx: tx, exists: map[string]bool{}, inside: map[string][]wire.Reason{}}
}

// check lists what keeps the sequence from being deployed, in it and in its
// child sequences (TSV-4), beside what its reader found in it.
func (v *validity) check(seq wire.Sequence) ([]wire.Reason, error) { return v.checkIn(seq, nil) }

// checkIn is check for a sequence that runs in those of the chain.
func (v *validity) checkIn(seq wire.Sequence, chain []string) ([]wire.Reason, error) {
	var bad []wire.Reason
	refs := seq.References
	if seq.BootImage != "" && len(chain) == 0 {
		refs = append(refs[:len(refs):len(refs)], wire.Reference{ID: seq.BootImage, Kind: "bootImage"})
	}
	chain = append(chain[:len(chain):len(chain)], seq.ID)
	for _, r := range refs {
		ok, err := v.there(r)
		if err != nil {
			return nil, err
		}
		if ok && r.Kind == "sequence" {
			inside, err := v.child(r, chain)
			if err != nil {
				return nil, err
			}
			bad = append(bad, inside...)
		}
		if ok && r.Kind == "application" { // TS-46: such a sequence does not start
			if a, err := findApplication(v.tx, r.ID); err == nil {
				replaced, err := supersedenceProblems(v.tx, a)
				if err != nil {
					return nil, err
				}
				bad = append(bad, replaced...)
			}
		}
		if ok {
			continue
		}
		text := fmt.Sprintf("%s %s does not exist", r.Kind, r.ID)
		if r.Step != "" {
			text = fmt.Sprintf("step %q refers to %s %s, which does not exist", r.Step, r.Kind, r.ID)
		}
		bad = append(bad, reason("TSV-2", text))
	}
	return bad, nil
}

// child lists what is wrong with a child sequence: a circle, a boot image, its
// own problems, and those of its children (TS-120, TSV-4).
func (v *validity) child(r wire.Reference, chain []string) ([]wire.Reason, error) {
	switch {
	case slices.Contains(chain, r.ID):
		return []wire.Reason{reason("TS-120", fmt.Sprintf("step %q: task sequence %s runs itself", r.Step, r.ID))}, nil
	case len(chain) > maxChildren:
		return []wire.Reason{reason("TS-120", fmt.Sprintf("step %q: child sequences are nested deeper than %d", r.Step, maxChildren))}, nil
	}
	if bad, known := v.inside[r.ID]; known {
		return bad, nil
	}
	seq, err := v.tx.Sequence(r.ID)
	if err != nil {
		return nil, err
	}
	deeper, err := v.checkIn(seq, chain)
	if err != nil {
		return nil, err
	}
	var bad []wire.Reason
	if seq.BootImage != "" {
		bad = append(bad, reason("TS-120", fmt.Sprintf("step %q: task sequence %s %q has boot image %s, and a sequence with one cannot be a child: "+
			"take it away with `bootyard sequence import --id %s --replace --boot-image none`", r.Step, seq.ID, seq.Name, seq.BootImage, seq.ID)))
	}
	for _, p := range append(seq.Invalid[:len(seq.Invalid):len(seq.Invalid)], deeper...) {
		p.Text = fmt.Sprintf("child task sequence %s %q: %s", seq.ID, seq.Name, p.Text)
		bad = append(bad, p)
	}
	v.inside[r.ID] = bad
	return bad, nil
}

func (v *validity) there(r wire.Reference) (bool, error) {
	key := r.Kind + " " + r.ID
	if ok, known := v.exists[key]; known {
		return ok, nil
	}
	var err error
	switch r.Kind {
	case "bootImage":
		_, err = v.tx.BootImage(r.ID)
	case "sequence":
		_, err = v.tx.Sequence(r.ID)
	case "application":
		_, err = findApplication(v.tx, r.ID)
	default:
		_, err = v.tx.Package(r.ID)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	v.exists[key] = err == nil
	return err == nil, nil
}

func withValidity(tx *store.Tx, seq wire.Sequence) (wire.Sequence, error) {
	bad, err := newValidity(tx).check(seq)
	seq.Invalid = append(seq.Invalid, bad...)
	seq.CanDeploy = len(seq.Invalid) == 0
	return seq, err
}
