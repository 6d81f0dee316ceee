package library

// RememberHoldings sets how many hashes Holds keeps in memory.
func (l *Library) RememberHoldings(n int) { l.held.limit = n }

// Remembered is how many hashes are kept.
func (l *Library) Remembered() int {
	l.held.mu.Lock()
	defer l.held.mu.Unlock()
	return l.held.total
}
