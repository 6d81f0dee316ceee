package api

import (
	"context"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// DevicePath names a device. It is exported because huma reads embedded fields
// of exported types only, as are the others of its kind.
type DevicePath struct {
	Device string `path:"device" doc:"id, name, MAC or UUID"`
}

type collectionPath struct {
	Collection string `path:"collection" doc:"id or name"`
}

type memberPath struct {
	Collection string `path:"collection"`
	Device     string `path:"device"`
}

// VariablePath names a variable of a device or collection.
type VariablePath struct {
	Owner string `path:"owner"`
	Name  string `path:"name"`
}

type variableInput struct {
	VariablePath
	Body wire.Variable
}

func (a *API) registerInventory() {
	s := a.Site
	answer(a, operation("GET", "/devices", "List devices", wire.ScopeRead), func(ctx context.Context, in *struct {
		Kind wire.DeviceKind `query:"kind"`
	}) ([]wire.Device, error) {
		if in.Kind != "" {
			return list(s.Devices(ctx, in.Kind))
		}
		return list(s.Devices(ctx, wire.KnownDevice, wire.UnknownDevice))
	})
	answer(a, operation("POST", "/devices", "Import a device", wire.ScopeWrite), func(ctx context.Context, in *input[wire.DeviceImport]) (wire.Device, error) {
		return s.ImportDevice(ctx, in.Body)
	})
	answer(a, operation("GET", "/devices/{device}", "Show a device", wire.ScopeRead), func(ctx context.Context, in *DevicePath) (wire.Device, error) {
		return s.Device(ctx, in.Device)
	})
	answer(a, operation("GET", "/devices/{device}/facts", "What a device said of itself at its latest run (TS-76)", wire.ScopeRead), func(ctx context.Context, in *DevicePath) (wire.FactSheet, error) {
		return s.DeviceFacts(ctx, in.Device)
	})
	act(a, operation("DELETE", "/devices/{device}", "Remove a device", wire.ScopeWrite), func(ctx context.Context, in *DevicePath) error {
		return s.DeleteDevice(ctx, in.Device)
	})
	act(a, operation("POST", "/devices/{device}/clear-pxe", "Clear required PXE deployments (PXE-17)", wire.ScopeWrite), func(ctx context.Context, in *DevicePath) error {
		_, err := s.ClearPXE(ctx, in.Device, "")
		return err
	})
	answer(a, operation("POST", "/devices/{device}/retry", "Run a deployment once more", wire.ScopeWrite), func(ctx context.Context, in *struct {
		DevicePath
		Deployment string `query:"deployment" doc:"default: that of the latest run"`
	}) (wire.Deployment, error) {
		return s.Retry(ctx, in.Device, in.Deployment)
	})
	answer(a, operation("POST", "/devices/{device}/approve", "Approve a device for secrets", wire.ScopeAdmin), func(ctx context.Context, in *DevicePath) (wire.Device, error) {
		return s.ApproveDevice(ctx, in.Device, true)
	})
	for kind, base := range map[string]string{"device": "/devices/{owner}/variables", "collection": "/collections/{owner}/variables"} {
		a.registerVariables(kind, base)
	}
	answer(a, operation("GET", "/collections", "List collections", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]wire.Collection, error) {
		return list(s.Collections(ctx))
	})
	answer(a, operation("GET", "/collections-for/{sequence}", "Collections that a task sequence may be deployed to (HRD-7, HRD-8)", wire.ScopeRead), func(ctx context.Context, in *struct {
		Sequence  string `path:"sequence" doc:"id or name"`
		HideLarge bool   `query:"hideLarge" default:"true" doc:"leave out what has the site's default size or more"`
		Debug     bool   `query:"debug" doc:"only those that a debug deployment may have (DBG-1)"`
	}) ([]wire.Collection, error) {
		return list(s.CollectionsFor(ctx, in.Sequence, in.HideLarge, in.Debug))
	})
	answer(a, operation("POST", "/collections", "Create a collection", wire.ScopeWrite), func(ctx context.Context, in *input[wire.CollectionCreate]) (wire.Collection, error) {
		return s.CreateCollection(ctx, in.Body)
	})
	answer(a, operation("GET", "/collections/{collection}", "Show a collection", wire.ScopeRead), func(ctx context.Context, in *collectionPath) (wire.Collection, error) {
		c, _, err := s.Collection(ctx, in.Collection)
		return c, err
	})
	act(a, operation("DELETE", "/collections/{collection}", "Delete a collection", wire.ScopeWrite), func(ctx context.Context, in *collectionPath) error {
		return s.DeleteCollection(ctx, in.Collection)
	})
	answer(a, operation("GET", "/collections/{collection}/members", "List the members of a collection", wire.ScopeRead), func(ctx context.Context, in *collectionPath) ([]wire.Device, error) {
		_, m, err := s.Collection(ctx, in.Collection)
		return list(m, err)
	})
	act(a, operation("PUT", "/collections/{collection}/members/{device}", "Add a direct member", wire.ScopeWrite), func(ctx context.Context, in *memberPath) error {
		return s.AddMembers(ctx, in.Collection, []string{in.Device})
	})
	act(a, operation("DELETE", "/collections/{collection}/members/{device}", "Remove a direct member", wire.ScopeWrite), func(ctx context.Context, in *memberPath) error {
		return s.RemoveMember(ctx, in.Collection, in.Device)
	})
	act(a, operation("POST", "/collections/{collection}/clear-pxe", "Clear required PXE deployments of the members (PXE-17)", wire.ScopeWrite), func(ctx context.Context, in *collectionPath) error {
		_, err := s.ClearPXE(ctx, "", in.Collection)
		return err
	})
	answer(a, operation("GET", "/ignored-ids", "List duplicate hardware ids and excluded MACs (PXE-4, PXE-5)", wire.ScopeRead), func(ctx context.Context, _ *noInput) ([]store.Ignored, error) {
		return list(s.IgnoredIDs(ctx))
	})
	act(a, operation("POST", "/ignored-ids", "Add to the list of duplicate or excluded ids", wire.ScopeWrite), func(ctx context.Context, in *input[store.Ignored]) error {
		return s.IgnoreID(ctx, in.Body)
	})
	act(a, operation("DELETE", "/ignored-ids/{kind}/{value}", "Take off the list", wire.ScopeWrite), func(ctx context.Context, in *struct {
		Kind  string `path:"kind"`
		Value string `path:"value"`
	}) error {
		return s.UnignoreID(ctx, in.Kind, in.Value)
	})
}

func (a *API) registerVariables(kind, base string) {
	answer(a, operation("GET", base, "List variables; hidden values are left out (COL-13)", wire.ScopeRead), func(ctx context.Context, in *struct {
		Owner string `path:"owner"`
	}) ([]wire.Variable, error) {
		return list(a.Site.Variables(ctx, kind, in.Owner))
	})
	act(a, operation("PUT", base+"/{name}", "Set a variable; an empty value removes it, unless ask says that the machine is to ask for it", wire.ScopeWrite), func(ctx context.Context, in *variableInput) error {
		v := in.Body
		v.Name = in.Name
		if v.Value == "" && !v.Ask {
			return a.Site.DeleteVariable(ctx, kind, in.Owner, in.Name)
		}
		return a.Site.SetVariable(ctx, kind, in.Owner, v)
	})
	act(a, operation("DELETE", base+"/{name}", "Remove a variable", wire.ScopeWrite), func(ctx context.Context, in *VariablePath) error {
		return a.Site.DeleteVariable(ctx, kind, in.Owner, in.Name)
	})
}
