package wire

import "time"

// MaxFactSheet bounds the YAML of a fact sheet, in bytes.
const MaxFactSheet = 512 << 10

// FactSheet is what an agent gathered of its machine under Windows' class names (TS-76), as bootyard sequence simulate
// reads it. It holds no secret. The time is the appliance's and is not sent by the agent.
type FactSheet struct {
	Time time.Time `json:"time,omitzero"`
	YAML string    `json:"yaml"`
}
