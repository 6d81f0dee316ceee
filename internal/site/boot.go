package site

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

const (
	// bootGap is how long after its last sign a machine counts as started anew.
	bootGap = 5 * time.Minute
	// maxAnswers bounds one boot's record: firmware may retry for ever.
	maxAnswers = 64
	// maxStrangerBoots bounds the records of machines that are no device.
	maxStrangerBoots = 2000
)

// BootSign is one question that firmware or a loader asked, with the answer.
type BootSign struct {
	Identity wire.Identity // the MAC that asks is the first
	Address  string
	wire.BootAnswer
	// Decision is what the answer was made from; it may be zero for a file.
	Decision wire.Decision
}

// bootLimiter bounds how many records strangers can cause: new ones from
// unknown MACs are a few per second, whatever arrives.
type bootLimiter struct {
	mu     sync.Mutex
	tokens float64
	last   time.Time
}

func (l *bootLimiter) allow(now time.Time) bool {
	const rate, burst = 20, 200
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		l.tokens = burst
	} else {
		l.tokens = min(burst, l.tokens+now.Sub(l.last).Seconds()*rate)
	}
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

var stageOrder = map[wire.BootStage]int{wire.StageDHCP: 0, wire.StageLoader: 1, wire.StageScript: 2, wire.StageKernel: 3, wire.StageAgent: 4}

// RecordBoot writes down an answer that was given or withheld and returns the
// id of the boot it belongs to. It is empty when a flood of strangers is not
// written down.
func (s *Service) RecordBoot(ctx context.Context, sign BootSign) (id string, err error) {
	i := clean(sign.Identity)
	if len(i.MACs) == 0 {
		return "", errors.New("boot record needs a MAC address")
	}
	if sign.Decision.Device == "" && !s.boots.allow(s.Now()) {
		return "", nil
	}
	now := s.Now().UTC()
	sign.Time = now
	sign.Asked, sign.Answer, sign.Reason = printable(sign.Asked, 200), printable(sign.Answer, 300), printable(sign.Reason, 400)
	err = s.Store.Update(ctx, func(tx *store.Tx) error {
		b, err := tx.LastBootOf(i.MACs[0])
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || startsAnew(b, sign, now) {
			b = wire.Boot{ID: s.newID(), MAC: i.MACs[0], Started: now, Answers: []wire.BootAnswer{}}
			if sign.Decision.Device == "" {
				if err := tx.TrimBoots(maxStrangerBoots); err != nil {
					return err
				}
			}
		}
		id = b.ID
		return tx.PutBoot(addSign(b, i, sign, now))
	})
	s.feed.bump()
	return id, err
}

// startsAnew tells a second start from a repeated question: firmware goes back
// to DHCP only when it was restarted or tries its next protocol.
func startsAnew(b wire.Boot, sign BootSign, now time.Time) bool {
	if now.Sub(b.Last) > bootGap {
		return true
	}
	if sign.Stage != wire.StageDHCP {
		return false
	}
	for _, a := range b.Answers {
		if stageOrder[a.Stage] >= stageOrder[wire.StageKernel] {
			return true
		}
	}
	return false
}

func addSign(b wire.Boot, i wire.Identity, sign BootSign, now time.Time) wire.Boot {
	if i.UUID != "" {
		b.UUID = i.UUID
	}
	if i.Firmware != "" {
		b.Firmware = i.Firmware
	}
	if i.Arch != "" {
		b.Arch = i.Arch
	}
	if sign.Address != "" {
		b.Address = sign.Address
	}
	if d := sign.Decision; d.Action != "" {
		b.Action, b.Deployment, b.Device, b.DeviceName = d.Action, d.Deployment, d.Device, d.DeviceName
		sign.Action = d.Action
		if sign.Rule == "" {
			sign.Rule = d.Rule
		}
		if sign.Reason == "" {
			sign.Reason = printable(d.Reason, 400)
		}
	}
	b.Last = now
	if len(b.Answers) < maxAnswers {
		b.Answers = append(b.Answers, sign.BootAnswer)
	}
	return b
}

// joinBoot notes that the agent of a boot has arrived.
func (o *opening) joinBoot(d wire.Device) error {
	b, err := o.tx.Boot(o.token.Boot)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	now := o.Now().UTC()
	b.Device, b.DeviceName, b.Last = d.ID, d.Name, now
	b.Answers = append(b.Answers, wire.BootAnswer{Time: now, Stage: wire.StageAgent, Protocol: "agent", Answer: "session", Reason: "boot token accepted"})
	return o.tx.PutBoot(b)
}

// Boots lists firmware attempts, the latest first. device may be empty.
func (s *Service) Boots(ctx context.Context, device string, limit int) (list []wire.Boot, err error) {
	if limit <= 0 || limit > 1000 {
		limit = 100
	}
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		id := ""
		if device != "" {
			d, err := findDevice(tx, device)
			if err != nil {
				return err
			}
			id = d.ID
		}
		list, err = tx.Boots(id, limit)
		return err
	})
	return list, err
}
