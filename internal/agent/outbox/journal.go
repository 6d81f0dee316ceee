package outbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/internal/wire"
)

const (
	journalFile = "events.jsonl"
	// maxLine bounds one event in the journal; its texts are cut far below.
	maxLine = 1 << 20
)

// entry is a line of the journal. A provisional event was numbered before the appliance had said which number is next, so
// its number tells nothing about whether it was sent: it was not.
type entry struct {
	wire.Event
	Provisional bool `json:"provisional,omitempty"`
}

// readJournal returns the events of an earlier time in rising, gapless order, and how many of them, at the front, have
// numbers that the appliance knows. A last line that a crash cut off is left out.
func readJournal(dir string) (events []wire.Event, settled int, err error) {
	data, err := os.ReadFile(filepath.Join(dir, journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read unsent status: %w", err)
	}
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		var e entry
		if json.Unmarshal(scanner.Bytes(), &e) != nil || e.Number < 1 {
			continue
		}
		if n := len(events); n > 0 && e.Number != events[n-1].Number+1 {
			continue
		}
		if len(events) < maxQueue {
			if events = append(events, e.Event); !e.Provisional {
				settled = len(events)
			}
		}
	}
	return events, settled, nil
}

func openJournal(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep unsent status: %w", err)
	}
	return f, nil
}

// appendJournal makes an event durable against the death of the agent; against that of the machine only as far as the
// engine's checkpoint, which is synced, follows it.
func appendJournal(f *os.File, e entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	return err
}

// rewriteJournal replaces the journal's content after deliveries.
func rewriteJournal(f *os.File, events []wire.Event) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	for _, e := range events {
		if err := appendJournal(f, entry{Event: e}); err != nil {
			return err
		}
	}
	return nil
}
