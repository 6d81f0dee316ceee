package wire

import (
	"fmt"
	"strings"
)

// ProblemContentType is the media type of Problem (RFC 9457, section 3).
const ProblemContentType = "application/problem+json"

// Problem is an error answer of the API (RFC 9457). Rule names the rule of
// docs/spec that refused, Field the request field, Remedy what to do next.
type Problem struct {
	Type     string        `json:"type,omitempty"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail,omitempty"`
	Rule     string        `json:"rule,omitempty"`
	Field    string        `json:"field,omitempty"`
	Remedy   string        `json:"remedy,omitempty"`
	Problems []FieldError  `json:"problems,omitempty"`
	Confirm  *Confirmation `json:"confirm,omitempty"`
}

// FieldError is one finding of several.
type FieldError struct {
	Rule   string `json:"rule,omitempty"`
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Confirmation says what has to be agreed to before the same request is
// carried out (HRD-14). Nothing has been made yet.
type Confirmation struct {
	// Field is the request field to set to true, e.g. acceptHighRisk.
	Field       string   `json:"field"`
	MemberCount int      `json:"memberCount"`
	Reasons     []Reason `json:"reasons"`
}

// Error makes Problem an error; the text is one line fit for a terminal.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Title)
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	if p.Rule != "" {
		fmt.Fprintf(&b, " (%s)", p.Rule)
	}
	return b.String()
}

// Reason is why something is so, with the rule behind it.
type Reason struct {
	Rule string `json:"rule,omitempty"`
	Text string `json:"text"`
}
