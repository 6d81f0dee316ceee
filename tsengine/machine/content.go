package machine

import (
	"context"
	"time"
)

// Content brings packages.
type Content interface {
	// Fetch makes the content of a package available, verified against its hash unless the answer says Unverified, and
	// returns the folder it is in. It is called just before the step that needs it; a package that is there already costs
	// nothing. An error means that no byte of the package may be used; Location is valid with an error too.
	Fetch(ctx context.Context, request ContentRequest, progress Progress) (Fetched, error)
}

// ContentRequest is one package that a step needs.
type ContentRequest struct {
	PackageID string
	// Retries is how often all places are asked again, Delay the pause before the first time (TS-133). Nil is the default of
	// the implementation.
	Retries *int
	Delay   *time.Duration
	// Keep holds on to the content for the rest of the run; other content goes when the step has ended and the room is needed
	// (TS-136).
	Keep bool
	// Preserve puts the content into the client cache of the installed system, where it stays after the run (TS-136).
	Preserve bool
	// Step tells steps apart: what one step asked for is there until another one asks. It is compared, and nothing else.
	Step any
	// Provider is asked for what is missing before any place is; nil is none (TS-134).
	Provider Provider
}

// Provider is an alternate content provider. It puts the files of a package below dir, which exists and may hold some of
// them. Locations are the places that serve them as <location>/<SHA-256>; they may be what lets one in, so they are logged
// nowhere. What it left is checked like any download, and what is missing or wrong is fetched in the usual way. An error
// ends the fetch.
type Provider func(ctx context.Context, dir string, locations []string) error

// Fetched is content that is here.
type Fetched struct {
	Dir string
	// Location is the place that was tried last (TS-133), for people; empty when none was.
	Location string
	// Unverified says that the files are used where they lie, and nobody compared them with a hash (DOP-15, TS-135).
	Unverified bool
	// Removed are packages whose content went because this one needed the room.
	Removed []string
}

// VolumeFolders reaches the files of the run's own volumes in a boot environment.
type VolumeFolders interface {
	// Folder makes the files of a volume that the run made reachable and returns the folder they are in. It may be called
	// again; the folder is good until the volume is formatted or an image is applied to it.
	Folder(ctx context.Context, v Volume) (dir string, err error)
}
