package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// maxBatch bounds how many writes share a transaction, so that the first of
// them does not wait long for the last.
const maxBatch = 128

var errClosed = errors.New("database is closed")

type job struct {
	ctx   context.Context
	fn    func(*Tx) error
	done  chan error
	state atomic.Int32 // 0 waiting, 1 taken by the writer, 2 given up by the caller
}

// Update runs fn in a transaction and returns when its effects are on disk. fn
// runs on the writer's goroutine: it must not call Update or View, and must not
// wait for anything. When it returns an error nothing of it is kept. When ctx
// ends before fn was begun, nothing is written.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err // the queue may have room, and select would choose by chance
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case s.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stop:
		return errClosed
	}
	select {
	case err := <-j.done:
		return err
	case <-s.done:
		select {
		case err := <-j.done:
			return err
		default:
			return errClosed
		}
	case <-ctx.Done():
		if j.state.CompareAndSwap(0, 2) {
			return ctx.Err()
		}
		return <-j.done // fn is running: it may write what the caller reads
	}
}

func (s *Store) writer() {
	defer close(s.done)
	for {
		select {
		case j := <-s.queue:
			s.batch(j)
		case <-s.stop:
			for {
				select {
				case j := <-s.queue:
					s.batch(j)
				default:
					return
				}
			}
		}
	}
}

// batch runs first and what waits behind it in one transaction.
func (s *Store) batch(first *job) {
	jobs := []*job{first}
collect:
	for len(jobs) < maxBatch {
		select {
		case j := <-s.queue:
			jobs = append(jobs, j)
		default:
			break collect
		}
	}
	live := jobs[:0]
	for _, j := range jobs {
		if j.state.CompareAndSwap(0, 1) {
			live = append(live, j)
		}
	}
	if len(live) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	results := make([]error, len(live))
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		for i, j := range live {
			if err := runSaved(ctx, tx, j.fn, &results[i]); err != nil {
				return err
			}
		}
		return nil
	})
	for i, j := range live {
		if err != nil && results[i] == nil {
			results[i] = fmt.Errorf("write database: %w", err)
		}
		j.done <- results[i]
	}
}

func (s *Store) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// runSaved runs fn behind a savepoint. The returned error ends the whole
// batch; *result is fn's own.
func runSaved(ctx context.Context, tx *sql.Tx, fn func(*Tx) error, result *error) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	*result = guarded(fn, &Tx{ctx: ctx, tx: tx})
	if *result != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "RELEASE one")
	return err
}

func guarded(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(tx)
}
