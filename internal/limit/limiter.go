package limit

import (
	"sync"
	"time"
)

// maxBuckets bounds the memory of a Limiter.
const maxBuckets = 4096

// Limiter allows a burst of requests for each key and then so many a second. It
// is safe for concurrent use, and its memory is bounded however many keys come.
type Limiter struct {
	mu      sync.Mutex
	rate    float64
	burst   float64
	now     func() time.Time
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	last   time.Time
}

// New makes a Limiter. now may be nil: a rate is one of real time.
func New(perSecond, burst float64, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	return &Limiter{rate: perSecond, burst: burst, now: now, buckets: map[string]bucket{}}
}

// Allow takes one request of key and reports whether it is within the limit.
func (l *Limiter) Allow(key string) bool {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		if len(l.buckets) >= maxBuckets {
			l.forget(now)
		}
		b = bucket{tokens: l.burst, last: now}
	}
	b.tokens = min(l.burst, b.tokens+max(0, now.Sub(b.last).Seconds())*l.rate)
	b.last = now
	allowed := b.tokens >= 1
	if allowed {
		b.tokens--
	}
	l.buckets[key] = b
	return allowed
}

// Forgive gives key its whole burst again.
func (l *Limiter) Forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buckets, key)
}

// forget drops full buckets; when all are in use it drops everything, which
// allows some requests too many and never refuses one too few.
func (l *Limiter) forget(now time.Time) {
	for k, b := range l.buckets {
		if b.tokens+now.Sub(b.last).Seconds()*l.rate >= l.burst {
			delete(l.buckets, k)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}
