package limit

// Len is how many keys are remembered.
func (l *Limiter) Len() int { return len(l.buckets) }
