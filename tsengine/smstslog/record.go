package smstslog

import (
	"fmt"
	"strings"
	"time"
)

// Type is the kind of a record (TS-150).
type Type int

// The kinds of record.
const (
	Verbose Type = 0
	Info    Type = 1
	Warning Type = 2
	Error   Type = 3
)

// Components of TS-151 that the engine writes as.
const (
	TSManager  = "TSManager"
	OSDDisk    = "OSDDiskPart"
	ApplyOS    = "ApplyOperatingSystem"
	SetupOS    = "OSDSetupWindows"
	CommandRun = "InstallSoftware"
	Content    = "OSDDownloadContent"
)

// Record is one entry of the log. File is the source place, "engine.go:12"; Thread is any number.
type Record struct {
	Text      string
	Time      time.Time
	Component string
	Type      Type
	Thread    int
	File      string
}

const head, tail = "<![LOG[", "]LOG]!>"

// Format writes a record as one line (which may hold line breaks inside the text) that ends in CR LF. The time is shown
// in its own location; the number behind it is what has to be added, in minutes, to get UTC.
func Format(r Record) string {
	_, offset := r.Time.Zone()
	// A text that holds the end mark would forge a record.
	text := strings.ReplaceAll(r.Text, tail, "]LOG] !>")
	return fmt.Sprintf("%s%s%s<time=\"%s%+d\" date=\"%s\" component=\"%s\" context=\"\" type=\"%d\" thread=\"%d\" file=\"%s\">\r\n",
		head, text, tail, r.Time.Format("15:04:05.000"), -offset/60, r.Time.Format("01-02-2006"), attribute(r.Component), r.Type, r.Thread, attribute(r.File))
}

func attribute(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r == '<' || r == '>' || r < ' ' {
			return '_'
		}
		return r
	}, s)
}
