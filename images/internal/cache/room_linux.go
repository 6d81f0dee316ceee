package cache

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrFull says that a disk has too little room.
var ErrFull = errors.New("too little room")

// Room asks before minutes of work whether dir's disk has need bytes free; the
// error wraps ErrFull.
func Room(dir string, need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("ask for the room on %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		return fmt.Errorf("%w in %s: %d MB are free and %d MB are needed while building; make room or name a cache folder on another disk",
			ErrFull, dir, free/1e6, need/1e6)
	}
	return nil
}
