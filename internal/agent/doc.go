// Package agent is bootyard-agent: what runs on the machine that is being deployed.
//
// In a boot environment (command winpe) it gets an address, proves to itself that it speaks to the appliance, sets the
// clock, asks which deployment is meant for the machine, claims it and runs its task sequence with package tsengine. In an
// installed system (command service) it takes up the run that the boot environment left, then polls policy, decides by
// package evaluate what is due, and runs it.
//
// This package connects the engine's interfaces to the machine (package target), to content (package content/client) and
// to the appliance (packages link and outbox). It decides nothing that the appliance decides: in the boot environment
// what may run, anywhere what a machine may have.
//
// # Files
//
// In an installed system /etc/bootyard/agent.json holds the settings; /var/lib/bootyard (0700) holds the client's token
// and, while a run goes on, the folder run with the run, its last checkpoint, the key that seals the checkpoint's secrets,
// and the status that is not delivered yet. In a boot environment the same folder is /run/bootyard/agent,
// with smsts.log in logs. Once a run has formatted a volume, _SMSTaskSequence on it holds a second copy of the state (State),
// the packages (Packages) and smsts.log (Logs/Smstslog); after a reset the newest state counts, by its number (TS-117a).
package agent
