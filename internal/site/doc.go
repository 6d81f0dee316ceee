// Package site is the appliance's domain: devices, collections, sequences,
// deployments, runs, boots, status and trust, kept in internal/store and
// offered to people and agents by internal/api.
//
// One question is answered in one place: "what may this machine boot or run,
// and why" is [Facts.Decide], a pure function over facts that [Service.Decide]
// loads. DHCP, TFTP, HTTP boot, the agent's policy, the claim of a run and
// `deployment explain` all ask it. The package sends nothing and parses no
// protocol.
package site
