package appliance

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	renewCheck = time.Hour
	renewRetry = time.Minute
)

// certificates gives out the server's certificate and renews it in time. It is
// safe for concurrent use.
type certificates struct {
	// issue returns a certificate that is good at a time: a stored or a new one.
	issue func(now time.Time) (tls.Certificate, error)
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	current tls.Certificate
	next    time.Time // when to look again
}

func (a *appliance) certificates() *certificates {
	names, addrs := a.reach.certificateNames()
	return &certificates{now: time.Now, log: a.log, issue: func(now time.Time) (tls.Certificate, error) {
		return a.ca.Server(names, addrs, now)
	}}
}

// get returns the certificate. One that cannot be renewed, because the disk is
// full, is given out as long as there is no better one. The clock may have been
// set since: a certificate that is not valid now is renewed at once.
func (c *certificates) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	has := len(c.current.Certificate) > 0
	if has && now.Before(c.next) && c.valid(now) {
		return &c.current, nil
	}
	fresh, err := c.issue(now)
	switch {
	case err == nil:
		c.current, c.next = fresh, now.Add(renewCheck)
	case !has:
		return nil, fmt.Errorf("server certificate: %w", err)
	case !now.Before(c.next):
		c.next = now.Add(renewRetry)
		c.log.Error("server certificate not renewed; make room in data_dir", "valid_until", c.current.Leaf.NotAfter, "err", err)
	}
	return &c.current, nil
}

func (c *certificates) valid(now time.Time) bool {
	l := c.current.Leaf
	return l != nil && now.After(l.NotBefore) && now.Before(l.NotAfter)
}
