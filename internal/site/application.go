package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	maxTypes        = 20
	maxDependencies = 50
	maxCommand      = 32000 // as Run Command Line's
	// maxNesting bounds how deep applications and sequences may refer to each other.
	maxNesting = 10
)

// modelName is what sequences of Configuration Manager call an application.
var modelName = regexp.MustCompile(`^ScopeId_[A-Za-z0-9-]{1,64}/Application_[A-Za-z0-9-]{1,64}$`)

var productCode = regexp.MustCompile(`^\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$`)

// findApplication resolves a model name, which may carry a revision, or the exact name.
func findApplication(tx *store.Tx, ref string) (wire.Application, error) {
	id := ref
	if parts := strings.SplitN(ref, "/", 3); len(parts) == 3 && strings.HasPrefix(ref, "ScopeId_") {
		id = parts[0] + "/" + parts[1]
	}
	a, err := tx.Application(id)
	if errors.Is(err, store.ErrNotFound) {
		a, err = tx.ApplicationByName(ref)
	}
	return a, err
}

// Applications lists all applications; Invalid says what keeps one from being installed.
func (s *Service) Applications(ctx context.Context) (list []wire.Application, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if list, err = tx.Applications(); err != nil {
			return err
		}
		for i := range list {
			if list[i].Invalid, err = applicationProblems(tx, list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// Application returns one application by its id or name.
func (s *Service) Application(ctx context.Context, ref string) (a wire.Application, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if a, err = findApplication(tx, ref); err != nil {
			return orMissing(err, "application", fmt.Sprintf("no application has the id or name %q", printable(ref, 80)), "see `bootyard application list`")
		}
		a.Invalid, err = applicationProblems(tx, a)
		return err
	})
	return a, err
}

// PutApplication adds an application, or changes the one with its id or, without an id, its name.
func (s *Service) PutApplication(ctx context.Context, a wire.Application) (wire.Application, error) {
	if err := s.checkApplication(a); err != nil {
		return a, err
	}
	a.Name, a.Invalid = printable(a.Name, 255), nil
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		now := s.Now().UTC()
		a.Created, a.Updated = now, now
		old, err := tx.Application(a.ID)
		if a.ID == "" {
			old, err = tx.ApplicationByName(a.Name)
		}
		switch {
		case err == nil:
			a.ID, a.Created = old.ID, old.Created
		case !errors.Is(err, store.ErrNotFound):
			return err
		case a.ID == "":
			a.ID = "ScopeId_" + s.SiteCode + "/Application_" + uuid.NewString()
		}
		err = tx.PutApplication(a)
		if errors.Is(err, store.ErrConflict) {
			return refusal(409, "TS-90", "name", fmt.Sprintf("another application is called %q", a.Name), "choose another name: sequences find applications by it")
		}
		if err != nil {
			return err
		}
		if a.Invalid, err = applicationProblems(tx, a); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("application %q (%s) stored", a.Name, a.ID)})
	})
	s.feed.bump()
	return a, err
}

func (s *Service) checkApplication(a wire.Application) error {
	bad := func(field, detail, remedy string) error { return invalid("TS-90", field, detail, remedy) }
	switch {
	case printable(a.Name, 255) == "" || len(a.Name) > 255 || strings.TrimSpace(a.Name) != a.Name:
		return bad("name", "an application needs a name of 1 to 255 characters without blanks at its ends", "give one")
	case strings.HasPrefix(a.Name, "ScopeId_"):
		return bad("name", "a name that begins with ScopeId_ would be taken for an id", "choose another name")
	case a.ID != "" && !modelName.MatchString(a.ID):
		return bad("id", fmt.Sprintf("%q is no model name such as ScopeId_x/Application_y", printable(a.ID, 80)), "leave it out, or copy it from the sequence that refers to it")
	case len(a.Supersedes) > maxDependencies:
		return bad("supersedes", fmt.Sprintf("an application supersedes at most %d others", maxDependencies), "leave some out")
	case len(a.Types) == 0 || len(a.Types) > maxTypes:
		return bad("deploymentTypes", fmt.Sprintf("an application has 1 to %d deployment types", maxTypes), "add one with install and detection")
	}
	for i, d := range a.Types {
		field := fmt.Sprintf("deploymentTypes[%d].", i)
		switch {
		case strings.TrimSpace(d.Install) == "" || len(d.Install) > maxCommand:
			return bad(field+"install", "a deployment type needs an install command", "give one, such as: sh install.sh")
		case len(d.Uninstall) > maxCommand:
			return bad(field+"uninstall", "an uninstall command has at most 32000 characters", "shorten it")
		case d.Package != "" && !wire.ValidObjectID(d.Package):
			return bad(field+"package", fmt.Sprintf("%q is no package id", printable(d.Package, 40)), "see `bootyard package list`")
		case d.Detection == (wire.Detection{Version: d.Detection.Version}):
			return bad(field+"detection", "a deployment type needs a detection: otherwise nobody knows whether the application is there", "give file, command, deb, rpm or msi")
		case d.Detection.MSI != "" && !productCode.MatchString(d.Detection.MSI):
			return bad(field+"detection.msi", fmt.Sprintf("%q is no product code", printable(d.Detection.MSI, 60)), "write it as {XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}")
		case len(d.Dependencies) > maxDependencies || d.MaxMinutes < 0 || d.MaxMinutes > 24*60:
			return bad(field, fmt.Sprintf("at most %d dependencies and 1440 minutes are allowed", maxDependencies), "")
		}
		if d.Requirement != "" {
			if s.CheckCondition == nil {
				return errors.New("this appliance has no reader of conditions")
			}
			if err := s.CheckCondition(d.Requirement); err != nil {
				return bad(field+"requirement", err.Error(), "write it as the condition of a task sequence step")
			}
		}
	}
	return nil
}

// applicationProblems is what an application refers to and that is not there.
func applicationProblems(tx *store.Tx, a wire.Application) (bad []wire.Reason, err error) {
	note := func(err error, what string) error {
		if errors.Is(err, store.ErrNotFound) {
			bad, err = append(bad, reason("TSV-2", fmt.Sprintf("application %q needs %s, which does not exist", a.Name, what))), nil
		}
		return err
	}
	for _, d := range a.Types {
		if d.Package != "" {
			_, err := tx.Package(d.Package)
			if err := note(err, "package "+d.Package); err != nil {
				return nil, err
			}
		}
		for _, ref := range d.Dependencies {
			_, err := findApplication(tx, ref)
			if err := note(err, "application "+printable(ref, 80)); err != nil {
				return nil, err
			}
		}
	}
	replaced, err := supersedenceProblems(tx, a)
	return append(bad, replaced...), err
}

// supersedenceProblems is what keeps an application from taking the place of others: one that is retired ends a deployment
// before it starts (TS-46).
func supersedenceProblems(tx *store.Tx, a wire.Application) (bad []wire.Reason, err error) {
	for _, s := range a.Supersedes {
		old, err := findApplication(tx, s.Application)
		switch {
		case errors.Is(err, store.ErrNotFound):
			bad = append(bad, reason("TSV-2", fmt.Sprintf("application %q supersedes %s, which does not exist", a.Name, printable(s.Application, 80))))
		case err != nil:
			return nil, err
		case old.ID == a.ID:
			bad = append(bad, reason("TSV-2", fmt.Sprintf("application %q supersedes itself", a.Name)))
		case old.Retired:
			bad = append(bad, reason("TS-46", fmt.Sprintf("application %q supersedes %q, which is retired", a.Name, old.Name)))
		case s.Uninstall && !slices.ContainsFunc(old.Types, func(d wire.DeploymentType) bool { return d.Uninstall != "" }):
			bad = append(bad, reason("TSV-2", fmt.Sprintf("application %q uninstalls %q, which has no uninstall command", a.Name, old.Name)))
		}
	}
	return bad, nil
}

// DeleteApplication removes an application. Sequences and applications that need it become invalid (TSV-2).
func (s *Service) DeleteApplication(ctx context.Context, ref string) error {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		a, err := findApplication(tx, ref)
		if err != nil {
			return orMissing(err, "application", fmt.Sprintf("no application has the id or name %q", printable(ref, 80)), "see `bootyard application list`")
		}
		if err := tx.DeleteApplication(a.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("application %q (%s) deleted", a.Name, a.ID)})
	})
	s.feed.bump()
	return err
}

// eachApplication visits an application and all that it depends on, each once.
func eachApplication(tx *store.Tx, ref string, seen map[string]bool, visit func(wire.Application)) error {
	a, err := findApplication(tx, ref)
	if errors.Is(err, store.ErrNotFound) || err == nil && seen[a.ID] {
		return nil
	}
	if err != nil {
		return err
	}
	seen[a.ID] = true
	visit(a)
	for _, s := range a.Supersedes { // what it removes, it needs
		if err := eachApplication(tx, s.Application, seen, visit); err != nil {
			return err
		}
	}
	for _, d := range a.Types {
		for _, ref := range d.Dependencies {
			if err := eachApplication(tx, ref, seen, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// PutProgram adds a program to a package, or changes the one of that name.
func (s *Service) PutProgram(ctx context.Context, id string, p wire.Program) (out wire.Package, err error) {
	p.Name = strings.TrimSpace(p.Name)
	p.RunMode = cmp.Or(p.RunMode, "always")
	switch {
	case p.Name == "" || len(p.Name) > 50 || printable(p.Name, 50) != p.Name || strings.ContainsAny(p.Name, ":\""):
		return out, invalid("TS-90", "name", "a program has a name of 1 to 50 characters without colons and quotes", "choose another name")
	case strings.TrimSpace(p.Command) == "" || len(p.Command) > maxCommand:
		return out, invalid("", "command", "a program needs a command", "give it with --command")
	case p.RunMode != "always" && p.RunMode != "loggedOn":
		return out, invalid("", "runMode", "the run mode is always or loggedOn", "choose one")
	case p.MaxMinutes < 0 || p.MaxMinutes > 24*60:
		return out, invalid("", "maxMinutes", "a program may run up to 1440 minutes", "choose less")
	}
	if p.RunFirst != "" {
		other, name, ok := strings.Cut(p.RunFirst, ":")
		if !ok || !wire.ValidObjectID(other) || name == "" {
			return out, invalid("TS-90", "runFirst", fmt.Sprintf("%q is not PKGID:Program", printable(p.RunFirst, 80)), "write it such as BYD00004:Setup")
		}
	}
	return s.changePrograms(ctx, id, "program "+p.Name+" stored", func(list []wire.Program) ([]wire.Program, error) {
		for i := range list {
			if strings.EqualFold(list[i].Name, p.Name) {
				list[i] = p
				return list, nil
			}
		}
		if len(list) >= 100 {
			return nil, invalid("", "programs", "a package has at most 100 programs", "remove one")
		}
		return append(list, p), nil
	})
}

// DeleteProgram takes a program from a package.
func (s *Service) DeleteProgram(ctx context.Context, id, name string) (wire.Package, error) {
	return s.changePrograms(ctx, id, "program "+printable(name, 50)+" removed", func(list []wire.Program) ([]wire.Program, error) {
		for i := range list {
			if strings.EqualFold(list[i].Name, name) {
				return append(list[:i:i], list[i+1:]...), nil
			}
		}
		return nil, missing("program", fmt.Sprintf("package %s has no program %q", id, printable(name, 50)), "see `bootyard package program list "+id+"`")
	})
}

func (s *Service) changePrograms(ctx context.Context, id, what string, change func([]wire.Program) ([]wire.Program, error)) (p wire.Package, err error) {
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		if p, err = tx.Package(id); err != nil {
			return orMissing(err, "package", fmt.Sprintf("no package has the id %q", printable(id, 40)), "see `bootyard package list`")
		}
		if p.Programs, err = change(p.Programs); err != nil {
			return err
		}
		p.Updated = s.Now().UTC()
		if err := tx.PutPackage(p); err != nil {
			return err
		}
		return s.audit(ctx, tx, wire.StatusMessage{Text: fmt.Sprintf("package %s: %s", p.ID, what)})
	})
	s.feed.bump()
	return p, err
}
