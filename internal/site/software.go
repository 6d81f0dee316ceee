package site

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// Software answers a running sequence what a program or an application is. The device must have an active run that may
// have it: nothing a machine may not have can be found by guessing a name.
func (s *Service) Software(ctx context.Context, who Session, q wire.SoftwareQuery) (out wire.SoftwareAnswer, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		run, err := tx.ActiveRun(who.Device)
		if err != nil {
			return orMissing(err, "run", "this machine has no active run", "start its deployment again")
		}
		seq, err := sequenceOf(tx, run)
		if err != nil {
			return orMissing(err, "taskSequence", "the task sequence of this run is gone", "import it again")
		}
		if q.Application != "" {
			out.Application, err = offeredApplication(tx, seq, q.Application)
			return err
		}
		out.Program, err = offeredProgram(tx, seq, q.Package, q.Program)
		return err
	})
	return out, err
}

// offeredApplication is one that the sequence refers to, that one of those needs, or that any sequence may install by a
// base variable.
func offeredApplication(tx *store.Tx, seq wire.Sequence, ref string) (*wire.Application, error) {
	no := missing("application", fmt.Sprintf("this run may not have an application %q, or there is none", printable(ref, 80)),
		"refer to it in the task sequence, or let base variables install it (dynamic)")
	a, err := findApplication(tx, ref)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, no
		}
		return nil, err
	}
	may, err := mayInstall(tx, seq, a)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, no
	}
	return &a, nil
}

func mayInstall(tx *store.Tx, seq wire.Sequence, a wire.Application) (bool, error) {
	if a.Dynamic {
		return true, nil
	}
	found, seen := false, map[string]bool{}
	visit := func(other wire.Application) { found = found || other.ID == a.ID }
	err := eachReference(tx, seq, 0, func(r wire.Reference) error {
		if r.Kind != "application" || found {
			return nil
		}
		return eachApplication(tx, r.ID, seen, visit)
	})
	if err != nil || found {
		return found, err
	}
	// What a dynamic application needs may come along.
	all, err := tx.Applications()
	for _, other := range all {
		if err == nil && other.Dynamic && !found {
			err = eachApplication(tx, other.ID, seen, visit)
		}
	}
	return found, err
}

func offeredProgram(tx *store.Tx, seq wire.Sequence, id, name string) (*wire.Program, error) {
	no := missing("program", fmt.Sprintf("this run may not have a program %q of package %q, or there is none", printable(name, 50), printable(id, 40)),
		"refer to the package in the task sequence, or let base variables install the program (--dynamic)")
	p, err := tx.Package(id)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, no
		}
		return nil, err
	}
	for i := range p.Programs {
		if strings.EqualFold(p.Programs[i].Name, name) && (p.Programs[i].Dynamic || needsPackage(tx, seq, id, 0)) {
			return &p.Programs[i], nil
		}
	}
	return nil, no
}

// eachReference visits the references of a sequence and its children.
func eachReference(tx *store.Tx, seq wire.Sequence, depth int, visit func(wire.Reference) error) error {
	if depth > maxNesting {
		return nil
	}
	for _, r := range seq.References {
		if err := visit(r); err != nil {
			return err
		}
		if r.Kind != "sequence" {
			continue
		}
		if child, err := tx.Sequence(r.ID); err == nil {
			if err := eachReference(tx, child, depth+1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayHaveForSoftware says whether a run of the sequence may need a package as the content of an application, or of a
// program that any sequence may install.
func mayHaveForSoftware(tx *store.Tx, seq wire.Sequence, id string) (bool, error) {
	if p, err := tx.Package(id); err == nil {
		for _, program := range p.Programs {
			if program.Dynamic {
				return true, nil
			}
		}
	}
	all, err := tx.Applications()
	if err != nil {
		return false, err
	}
	for _, a := range all {
		for _, d := range a.Types {
			if d.Package != id {
				continue
			}
			if may, err := mayInstall(tx, seq, a); err != nil || may {
				return may, err
			}
		}
	}
	return false, nil
}
