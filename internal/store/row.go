package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// exec runs a statement; what names the row for error texts.
func (t *Tx) exec(what, query string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		if strings.Contains(err.Error(), "UNIQUE constraint failed") {
			return 0, fmt.Errorf("%s: %w", what, ErrConflict)
		}
		return 0, fmt.Errorf("write %s: %w", what, err)
	}
	return res.RowsAffected()
}

// one scans a single row into dest, or returns ErrNotFound.
func (t *Tx) one(what string, dest []any, query string, args ...any) error {
	err := t.tx.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// each calls scan for every row of the answer.
func (t *Tx) each(what string, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

func oneDoc[T any](t *Tx, what, query string, args ...any) (T, error) {
	var v T
	var doc string
	if err := t.one(what, []any{&doc}, query, args...); err != nil {
		return v, err
	}
	return v, decode(what, doc, &v)
}

func allDocs[T any](t *Tx, what, query string, args ...any) ([]T, error) {
	list := []T{}
	err := t.each(what, func(r *sql.Rows) error {
		var doc string
		if err := r.Scan(&doc); err != nil {
			return err
		}
		var v T
		if err := decode(what, doc, &v); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	}, query, args...)
	return list, err
}

func decode(what, doc string, v any) error {
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return fmt.Errorf("decode %s: %w", what, err)
	}
	return nil
}

// encode never fails for the types of this package: they hold no channels,
// functions or cycles.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return string(b)
}
