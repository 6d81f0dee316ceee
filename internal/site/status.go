package site

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// view completes a stored run for people: a running one that has not been
// heard of is shown as stale.
func (s *Service) view(r store.Run, set wire.Settings) wire.RunInfo {
	i := r.RunInfo
	if i.State == wire.RunRunning && s.Now().Sub(i.LastContact) > durationOf(set.StaleAfter) {
		i.State = wire.RunStale
		i.Remedy = "the machine has not been heard of since its last contact: look at its screen; `bootyard cancel` frees it"
	}
	i.LogSize = s.logSize(i.ID)
	return i
}

// Runs lists runs, the latest first.
func (s *Service) Runs(ctx context.Context, device, deployment string, limit int) (list []wire.RunInfo, err error) {
	list = []wire.RunInfo{}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		f := store.RunFilter{Deployment: deployment, Limit: min(max(limit, 0), 1000)}
		if device != "" {
			d, err := findDevice(tx, device)
			if err != nil {
				return err
			}
			f.Device = d.ID
		}
		runs, err := tx.Runs(f)
		for _, r := range runs {
			list = append(list, s.view(r, set))
		}
		return err
	})
	return list, err
}

// RunInfo returns one run with its phase table.
func (s *Service) RunInfo(ctx context.Context, id string) (i wire.RunInfo, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		r, err := tx.Run(id)
		if err != nil {
			return orMissing(err, "run", "no run has that id", "see `bootyard status`")
		}
		i = s.view(r, set)
		i.Phases, err = s.phases(tx, r)
		return err
	})
	return i, err
}

// RunEvents lists up to 1000 events of a run with a number above after.
func (s *Service) RunEvents(ctx context.Context, id string, after int64) (list []wire.Event, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Run(id); err != nil {
			return orMissing(err, "run", "no run has that id", "see `bootyard status`")
		}
		list, err = tx.Events(id, after, 1000)
		return err
	})
	return list, err
}

// Machines is the live page: every device and the latest strangers, each with
// its latest run and boot. Machines that did something last come first.
func (s *Service) Machines(ctx context.Context, limit int) (list []wire.MachineStatus, err error) {
	if limit <= 0 || limit > 1000 {
		limit = 200
	}
	list = []wire.MachineStatus{}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		devices, err := tx.Devices(wire.KnownDevice, wire.UnknownDevice)
		if err != nil {
			return err
		}
		runs, err := tx.LastRuns()
		if err != nil {
			return err
		}
		boots, err := tx.Boots("", 1000)
		if err != nil {
			return err
		}
		byDevice, strangers := latestBoots(boots)
		for _, d := range devices {
			m := wire.MachineStatus{Device: d.ID, Name: d.Name, Firmware: d.Firmware, LastSeen: d.Created}
			if len(d.MACs) > 0 {
				m.MAC = d.MACs[0]
			}
			if d.LastSeen != nil {
				m.LastSeen = *d.LastSeen
			}
			if r, ok := runs[d.ID]; ok {
				i := s.view(r, set)
				if i.Phases, err = s.phases(tx, r); err != nil {
					return err
				}
				m.Run = &i
				m.LastSeen = later(m.LastSeen, r.LastContact)
			}
			if b, ok := byDevice[d.ID]; ok {
				m = withBoot(m, b)
			}
			list = append(list, m)
		}
		for _, b := range strangers {
			m := wire.MachineStatus{Name: "unknown " + b.MAC, MAC: b.MAC, Firmware: b.Firmware, LastSeen: b.Last}
			list = append(list, withBoot(m, b))
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b wire.MachineStatus) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), limit)], err
}

func latestBoots(boots []wire.Boot) (map[string]wire.Boot, []wire.Boot) {
	byDevice, seen, strangers := map[string]wire.Boot{}, map[string]bool{}, []wire.Boot{}
	for _, b := range boots { // the latest first
		if b.Device != "" {
			if _, ok := byDevice[b.Device]; !ok {
				byDevice[b.Device] = b
			}
		} else if !seen[b.MAC] {
			strangers = append(strangers, b)
		}
		seen[b.MAC] = true
	}
	return byDevice, strangers
}

func withBoot(m wire.MachineStatus, b wire.Boot) wire.MachineStatus {
	m.Boot, m.Firmware, m.LastSeen = &b, cmp.Or(m.Firmware, b.Firmware), later(m.LastSeen, b.Last)
	for _, a := range slices.Backward(b.Answers) {
		if a.Action != "" || a.Rule != "" {
			m.ServedText = a.Reason
			if a.Rule != "" {
				m.ServedText += " (" + a.Rule + ")"
			}
			break
		}
	}
	return m
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// STA-2's states that this version reports.
const (
	stateNone      = 0
	stateRunning   = 9
	stateFailed    = 11
	stateCanceled  = 7
	stateSucceeded = 13
)

// DeploymentStatus counts and lists the members of a deployment (STA-4).
func (s *Service) DeploymentStatus(ctx context.Context, id string) (out wire.DeploymentStatus, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		d, err := tx.Deployment(id)
		if err != nil {
			return orMissing(err, "deployment", "no deployment has the id "+printable(id, 40), "see `bootyard deployment list`")
		}
		out, err = s.deploymentStatus(tx, d)
		return err
	})
	return out, err
}

func (s *Service) deploymentStatus(tx *store.Tx, d wire.Deployment) (wire.DeploymentStatus, error) {
	out := wire.DeploymentStatus{Deployment: d.ID, Name: d.Name, Purpose: d.Purpose, Members: []wire.MemberStatus{}}
	set, err := settings(tx)
	if err != nil {
		return out, err
	}
	list := []wire.Device{}
	if c, err := tx.Collection(d.Collection); err == nil {
		if list, err = members(tx, c); err != nil {
			return out, err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return out, err
	}
	runs, err := tx.Runs(store.RunFilter{Deployment: d.ID, Limit: 100_000})
	if err != nil {
		return out, err
	}
	skips, err := tx.Skips(d.ID)
	if err != nil {
		return out, err
	}
	latest := map[string]store.Run{}
	for _, r := range runs {
		if _, ok := latest[r.Device]; !ok {
			latest[r.Device] = r
		}
	}
	for _, dev := range list {
		if dev.Kind == wire.UnknownObject {
			continue
		}
		m := wire.MemberStatus{Device: dev.ID, Name: dev.Name, Category: "Unknown", Text: "no status yet"}
		if r, ok := latest[dev.ID]; ok {
			m = s.memberStatus(m, r, set)
			delete(latest, dev.ID)
		}
		out.Members = append(out.Members, skipped(m, skips))
	}
	for _, r := range latest { // STA-3: also those that left the collection
		m := s.memberStatus(wire.MemberStatus{Device: r.Device, Name: r.DeviceName}, r, set)
		out.Members = append(out.Members, skipped(m, skips))
	}
	slices.SortFunc(out.Members, func(a, b wire.MemberStatus) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Device, b.Device))
	})
	for _, m := range out.Members {
		out.Targeted++
		switch m.Category {
		case "Success":
			out.Success++
		case "InProgress":
			out.InProgress++
		case "Error":
			out.Error++
		default:
			if d.Purpose == wire.Required || m.State != stateNone { // STA-5
				out.Unknown++
			}
		}
	}
	return out, nil
}

func (s *Service) memberStatus(m wire.MemberStatus, r store.Run, set wire.Settings) wire.MemberStatus {
	i := s.view(r, set)
	m.Run = &i
	switch i.State {
	case wire.RunSucceeded:
		m.State, m.Category, m.Text = stateSucceeded, "Success", "succeeded"
	case wire.RunFailed:
		m.State, m.Category, m.Text = stateFailed, "Error", i.Message
	case wire.RunCancelled:
		m.State, m.Category, m.Text = stateCanceled, "Error", i.Message
	default:
		m.State, m.Category, m.Text = stateRunning, "InProgress", cmp.Or(i.Step, "running")
		if i.State == wire.RunStale {
			m.Text = i.Remedy
		}
	}
	return m
}

// skipped shows that the device's last word was a skip (RRN-9). The category stays
// that of the earlier result (STA-5); the sequence may have run by another
// deployment, then there is none.
func skipped(m wire.MemberStatus, skips map[string]store.Skip) wire.MemberStatus {
	if skip, ok := skips[m.Device]; ok && (m.Run == nil || skip.At.After(m.Run.Started)) {
		m.State, m.Text = wire.DeliveryWillNotRerun, skip.Reason
	}
	return m
}

// Messages lists the site's record, the latest first; kind may be empty.
func (s *Service) Messages(ctx context.Context, kind string) (list []wire.StatusMessage, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Messages(kind, 1000)
		return err
	})
	return list, err
}

// Alerts lists alerts, the latest first.
func (s *Service) Alerts(ctx context.Context) (list []wire.Alert, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		list, err = tx.Alerts()
		return err
	})
	return list, err
}
