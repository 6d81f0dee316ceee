package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// leaseDir is where the boot image's udhcpc script writes a file for each lease (images/bootimage).
	leaseDir = "/run/bootyard/net"
	// linkWait is how long a link may take to come up; spanning tree on a switch port takes 30 s.
	linkWait = 35 * time.Second
	// leaseWait is one round of DHCP on one card: udhcpc sends five times, two seconds apart.
	leaseWait = 15 * time.Second
	maxOutput = 16 << 10
)

// ConnectNetwork brings cards up and runs the boot image's DHCP client on them. The client stays, so that the lease is
// renewed for as long as the deployment takes.
func (l *Linux) ConnectNetwork(ctx context.Context, prefer string, say func(string)) error {
	wait := 2 * time.Second
	for round := 1; ; round++ {
		err := l.connectOnce(ctx, strings.ToLower(prefer), say)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("no network: %w", err)
		}
		say(fmt.Sprintf("no network yet (round %d): %v; next try in %s", round, err, wait))
		if err := (System{}).Sleep(ctx, wait); err != nil {
			return fmt.Errorf("no network after %d rounds: check cable, switch port and DHCP server: %w", round, err)
		}
		wait = min(2*wait, 30*time.Second)
	}
}

func (l *Linux) connectOnce(ctx context.Context, prefer string, say func(string)) error {
	cards, err := l.cards()
	if err != nil {
		return err
	}
	if len(cards) == 0 {
		return errors.New("this machine shows no network card: the boot image may lack its driver (see bootyard image boot build)")
	}
	for _, c := range cards {
		if err := run(ctx, "ip", "link", "set", "dev", c.name, "up"); err != nil {
			say(fmt.Sprintf("%s (%s): %v", c.name, c.mac, err))
		}
	}
	order, err := l.awaitLink(ctx, prefer)
	if err != nil {
		return err
	}
	for _, c := range order {
		say(fmt.Sprintf("asking for an address on %s (%s)", c.name, c.mac))
		if err = l.lease(ctx, c); err == nil {
			say(fmt.Sprintf("%s (%s) has address %s", c.name, c.mac, strings.Join(addresses(), ", ")))
			return nil
		}
		say(fmt.Sprintf("%s (%s): %v", c.name, c.mac, err))
	}
	return err
}

// awaitLink returns the cards with a carrier, the preferred one first. It waits longer for the preferred one, because the
// machine came in over it and its link will be back.
func (l *Linux) awaitLink(ctx context.Context, prefer string) ([]card, error) {
	deadline := time.Now().Add(linkWait)
	for {
		cards, err := l.cards()
		if err != nil {
			return nil, err
		}
		known := prefer != "" && slices.ContainsFunc(cards, func(c card) bool { return c.mac == prefer })
		up := slices.DeleteFunc(cards, func(c card) bool { return !c.carrier })
		i := slices.IndexFunc(up, func(c card) bool { return c.mac == prefer })
		late := time.Now().After(deadline)
		switch {
		case i >= 0:
			preferred := up[i]
			return slices.Insert(slices.Delete(up, i, i+1), 0, preferred), nil
		case len(up) > 0 && (!known || late):
			return up, nil
		case late:
			return nil, errors.New("no network card has a link: check the cable and the switch port")
		}
		if err := (System{}).Sleep(ctx, 250*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// lease starts the DHCP client on one card and waits for its lease.
func (l *Linux) lease(ctx context.Context, c card) error {
	file := filepath.Join(leaseDir, c.name+".json")
	if _, err := os.Stat(file); err == nil && len(addresses()) > 0 {
		return nil // a client of an earlier run of this program holds it
	}
	client, err := exec.LookPath("udhcpc")
	if err != nil {
		return fmt.Errorf("the boot image has no DHCP client: %w", err)
	}
	cmd := exec.Command(client, "-f", "-i", c.name, "-x", "hostname:bootyard", "-t", "5", "-T", "2", "-A", "3")
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the DHCP client: %w", err)
	}
	ended := make(chan struct{})
	go func() { // ends with the client, which lives as long as the boot environment or is killed below
		_ = cmd.Wait()
		close(ended)
	}()
	giveUp := time.Now().Add(leaseWait)
	for time.Now().Before(giveUp) {
		if _, err := os.Stat(file); err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("the DHCP client ended without a lease")
		default:
		}
		if err := (System{}).Sleep(ctx, 200*time.Millisecond); err != nil {
			break
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	return errors.New("no DHCP answer: check that the DHCP server reaches this network and has addresses left")
}

// run executes a tool and puts the end of its output into the error.
func run(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		if len(out) > maxOutput {
			out = out[len(out)-maxOutput:]
		}
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
