package appliance

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"

	"github.com/bootyard/bootyard/internal/config"
	"github.com/bootyard/bootyard/wake"
)

// waker sends the site's wake-up packets: the first one at once, so that the
// site can say what happened to it, the retries from the paced queue (WOL-8).
type waker struct {
	enabled bool
	sender  *wake.Sender
	queue   *wake.Queue
}

func newWaker(cfg *config.Config, log *slog.Logger) *waker {
	sender := &wake.Sender{Port: uint16(cfg.Wake.Port), Networks: func() ([]netip.Prefix, error) { return wake.OwnNetworks(cfg.DHCP.Interfaces) }}
	settings := wake.Settings{
		Retries: cfg.Wake.Retries, Delay: cfg.Wake.Delay,
		PauseAfter: cfg.Wake.PauseAfter, Pause: cfg.Wake.Pause, Threads: cfg.Wake.Threads,
	}
	report := func(r wake.Result) {
		if r.Err != nil {
			log.Warn("wake-up packet not sent", "mac", r.MAC.String(), "to", r.To.String(), "err", r.Err)
			return
		}
		log.Info("wake-up packet repeated", "mac", r.MAC.String(), "to", r.To.String(), "attempt", r.Attempt)
	}
	return &waker{enabled: cfg.Wake.Enabled, sender: sender, queue: wake.NewQueue(settings, sender, report)}
}

// Wake implements site.Waker.
func (w *waker) Wake(ctx context.Context, macs []string, address string, prefix int) ([]string, error) {
	if !w.enabled {
		return nil, errors.New("wake-up is switched off: wake.enabled is false in bootyard.yaml (WOL-2)")
	}
	job := wake.Job{Last: lastNetwork(address, prefix)}
	for _, m := range macs {
		if hw, err := net.ParseMAC(m); err == nil {
			job.MACs = append(job.MACs, hw)
		}
	}
	if len(job.MACs) == 0 {
		return nil, wake.ErrNoTarget
	}
	targets, err := w.sender.Targets(job.Last)
	if err != nil {
		return nil, err
	}
	var sent []string
	for _, mac := range job.MACs {
		for _, to := range targets {
			if sendErr := w.sender.Send(ctx, mac, to); sendErr != nil {
				err = errors.Join(err, sendErr)
				continue
			}
			sent = append(sent, to.String())
		}
	}
	if len(sent) > 0 {
		err = errors.Join(err, w.queue.Repeat(job))
	}
	return sent, err
}

func lastNetwork(address string, prefix int) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil || prefix <= 0 {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, prefix)
}
