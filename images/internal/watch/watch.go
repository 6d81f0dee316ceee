package watch

import "time"

// Every is how often is looked.
const Every = 2 * time.Second

// Start tells progress what measure finds, between 0 and total bytes, until the function it returns is called; after that
// nothing is told any more. What cannot be measured at a moment is not told. With no progress or no total there is nothing
// to do. progress must not block.
func Start(progress func(done, total int64), total int64, measure func() (int64, error)) (stop func()) {
	if progress == nil || total <= 0 {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(Every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if n, err := measure(); err == nil {
				progress(max(0, min(n, total)), total)
			}
		}
	}()
	return func() { close(done); <-ended }
}
