package wire

// Protocol is the version of the agent API that this build speaks. The
// appliance accepts Protocol and Protocol-1 (DESIGN.md: media live for years).
const Protocol = 1

// ProtocolHeader carries the agent's protocol version on every request.
const ProtocolHeader = "Bootyard-Protocol"

// Paths of the agent's API, below the appliance's HTTPS base URL. All but
// PathSession need the bearer token that PathSession gave.
const (
	PathSession    = "/api/v1/agent/session"               // POST SessionRequest -> SessionResponse
	PathPassword   = "/api/v1/agent/password"              // POST Password, when the session says so (PXE-23)
	PathPolicy     = "/api/v1/agent/policy"                // POST PolicyRequest -> Policy
	PathRuns       = "/api/v1/agent/runs"                  // POST ClaimRequest -> Run
	PathRun        = "/api/v1/agent/runs/{run}"            // GET -> Run
	PathCheckpoint = "/api/v1/agent/runs/{run}/checkpoint" // PUT Checkpoint (idempotent, numbered; TS-117a)
	PathEvents     = "/api/v1/agent/runs/{run}/events"     // POST Events (idempotent by sequence number)
	PathLog        = "/api/v1/agent/runs/{run}/log"        // PUT LogChunk (idempotent by offset)
	PathFinish     = "/api/v1/agent/runs/{run}/finish"     // POST Finish (idempotent)
	PathResume     = "/api/v1/agent/runs/{run}/resume"     // POST -> ResumeToken, for the applied OS (TS-118a)
	PathContent    = "/api/v1/agent/content/{package}"     // GET -> ContentLocations
	PathFacts      = "/api/v1/agent/facts"                 // PUT FactSheet: the machine at the start of a run
	PathSoftware   = "/api/v1/agent/software"              // POST SoftwareQuery -> SoftwareAnswer
	PathDrivers    = "/api/v1/agent/drivers"               // POST DriverQuery -> DriverAnswer
	PathState      = "/api/v1/agent/runs/{run}/state"      // POST StateRequest -> StateStore (USM-2)
	// PUT StatePiece (idempotent by number, from 0) and GET -> StatePiece; POST
	// StateComplete; POST: the state is restored and its retention begins.
	PathStatePiece    = "/api/v1/agent/runs/{run}/state/{state}/pieces/{number}"
	PathStateComplete = "/api/v1/agent/runs/{run}/state/{state}/complete"
	PathStateRelease  = "/api/v1/agent/runs/{run}/state/{state}/release"
	// GET -> ProgramPiece, from 0: the agent's program for an operating system that is being applied (TS-118).
	PathProgram = "/api/v1/agent/programs/{system}/{arch}/{number}"
	// POST CaptureRequest -> CaptureStore; PUT CapturePieceData (idempotent by
	// number, from 0); POST CaptureComplete -> CaptureStored (IMG-1).
	PathCapture         = "/api/v1/agent/runs/{run}/captures"
	PathCapturePiece    = "/api/v1/agent/runs/{run}/captures/{capture}/pieces/{number}"
	PathCaptureComplete = "/api/v1/agent/runs/{run}/captures/{capture}/complete"
	PathPreflight       = "/api/v1/agent/messages" // POST Message: something to tell before a run exists
)

// Environment is where an agent runs.
type Environment string

// The two environments (TRM-10). WinPE means the boot environment, whatever it
// is made of; no schedule is evaluated there (SCH-1).
const (
	WinPE  Environment = "winpe"
	FullOS Environment = "fullos"
)

// LaunchMode says how a run began (TRM-9, _SMSTSLaunchMode).
type LaunchMode string

// The launch modes in use.
const (
	LaunchSMS LaunchMode = "SMS"
	LaunchPXE LaunchMode = "PXE"
	LaunchCD  LaunchMode = "CD"
	LaunchUFD LaunchMode = "UFD"
)

// Firmware of a machine.
type Firmware string

// The firmware kinds.
const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)
