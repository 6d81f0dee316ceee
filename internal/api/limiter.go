package api

import (
	"net/netip"
	"sync"
	"time"
)

// maxBuckets bounds the memory of a limiter.
const maxBuckets = 4096

// limiter allows burst requests per address and then rate per second.
type limiter struct {
	mu      sync.Mutex
	rate    float64
	burst   float64
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	last   time.Time
}

func newLimiter(rate, burst float64) *limiter {
	return &limiter{rate: rate, burst: burst, buckets: map[string]bucket{}}
}

func (l *limiter) allow(key string) bool {
	now := time.Now() // a rate limit measures real time, also in tests
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		if len(l.buckets) >= maxBuckets {
			l.forget(now)
		}
		b = bucket{tokens: l.burst, last: now}
	}
	b.tokens = min(l.burst, b.tokens+now.Sub(b.last).Seconds()*l.rate)
	b.last = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[key] = b
	return allowed
}

// forget drops full buckets; when all are in use it drops everything, which
// allows some requests too many and never refuses one too few.
func (l *limiter) forget(now time.Time) {
	for k, b := range l.buckets {
		if b.tokens+now.Sub(b.last).Seconds()*l.rate >= l.burst {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// remote is the caller's address without port and zone.
func remote(addr string) string {
	p, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	return p.Addr().Unmap().WithZone("").String()
}
