// Package wql reads and evaluates the queries of WMI conditions (TS-74, TS-75): SELECT columns or *, FROM a class, WHERE
// with AND, OR, NOT, parentheses, comparisons in both orders of operands, LIKE, IS NULL and ISA.
//
// Parse makes a [Query]; [Query.Matches] asks it of one instance. Class, property and key words have no case, nor has
// text that is compared. Size and depth of a query are bounded and every error carries its column. Queries about associations
// and notifications are recognised and answered with [ErrUnsupported]: they are correct, but nothing here can answer them.
package wql
