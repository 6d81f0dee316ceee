// Package com is the COM of Windows in Go, without cgo. Enter takes a thread in. [Scripts] serves the automation objects by
// which scripts speak to a running task sequence, Microsoft.SMS.TSEnvironment and Microsoft.SMS.TsProgressUI (TS-95):
// from the agent's own process, so that 32-bit and 64-bit script hosts find the same objects and nothing has to be
// installed. It does not run scripts.
package com
