package site

import (
	"errors"
	"net/http"

	"github.com/bootyard/bootyard/internal/store"
	"github.com/bootyard/bootyard/internal/wire"
)

// refusal builds the problem that a caller gets; remedy says what to do next.
func refusal(status int, rule, field, detail, remedy string) *wire.Problem {
	return &wire.Problem{Title: http.StatusText(status), Status: status, Detail: detail, Rule: rule, Field: field, Remedy: remedy}
}

func invalid(rule, field, detail, remedy string) *wire.Problem {
	return refusal(http.StatusUnprocessableEntity, rule, field, detail, remedy)
}

func missing(field, detail, remedy string) *wire.Problem {
	return refusal(http.StatusNotFound, "", field, detail, remedy)
}

// orMissing turns the store's ErrNotFound into a problem for the user.
func orMissing(err error, field, detail, remedy string) error {
	if errors.Is(err, store.ErrNotFound) {
		return missing(field, detail, remedy)
	}
	return err
}

func reason(rule, text string) wire.Reason { return wire.Reason{Rule: rule, Text: text} }
