package watch_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/internal/watch"
)

func TestStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told [][2]int64
		found := []int64{-5, 40, 0, 300}
		stop := watch.Start(func(done, total int64) { told = append(told, [2]int64{done, total}) }, 100, func() (int64, error) {
			n := found[0]
			found = found[1:]
			if n == 0 {
				return 0, errors.New("not now")
			}
			return n, nil
		})
		time.Sleep(4*watch.Every + time.Millisecond) // of the test's clock
		stop()
		time.Sleep(4 * watch.Every)
		require.Equal(t, [][2]int64{{0, 100}, {40, 100}, {100, 100}}, told)
	})
	watch.Start(nil, 100, nil)()
	watch.Start(func(int64, int64) {}, 0, nil)()
}
