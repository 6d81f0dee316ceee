package lab

import (
	"context"
	"fmt"
	"math"
)

// Direction is one way through a machine's or host's cable.
type Direction string

// Directions.
const (
	ToMachine   Direction = "to"
	FromMachine Direction = "from"
)

// Drop loses a fraction (0 to 1) of the packets of one machine or host in one
// direction, at random, until Undrop. It replaces an earlier Drop of the same
// direction. The machine may be off, or not known yet.
func (l *Lab) Drop(ctx context.Context, name string, way Direction, fraction float64) error {
	hook, err := way.hook()
	if err != nil {
		return err
	}
	if math.IsNaN(fraction) || fraction < 0 || fraction > 1 {
		return fmt.Errorf("drop %v of the packets: give a fraction from 0 to 1", fraction)
	}
	port, err := l.port(ctx, name)
	if err != nil {
		return err
	}
	table := dropTable(port, way)
	const parts = 10000
	rules := clearTable(table) + fmt.Sprintf(
		"table netdev %s {\n chain loss {\n  type filter hook %s device %q priority 0; policy accept;\n"+
			"  numgen random mod %d < %d drop\n }\n}\n",
		table, hook, port, parts, int(math.Round(fraction*parts)))
	l.log.Info("dropping packets", "lab", l.cfg.Name, "port", name, "direction", way, "fraction", fraction)
	return l.nft(ctx, rules)
}

// Undrop ends the loss in one direction. It is no error when there was none.
func (l *Lab) Undrop(ctx context.Context, name string, way Direction) error {
	if _, err := way.hook(); err != nil {
		return err
	}
	port, err := l.port(ctx, name)
	if err != nil {
		return err
	}
	return l.nft(ctx, clearTable(dropTable(port, way)))
}

func (d Direction) hook() (string, error) {
	switch d {
	case ToMachine:
		return "egress", nil // out of the switch
	case FromMachine:
		return "ingress", nil
	}
	return "", fmt.Errorf("direction %q: use %q or %q", d, ToMachine, FromMachine)
}

func dropTable(port string, way Direction) string { return "loss-" + string(way) + "-" + port }

// clearTable removes a table whether or not it is there: deleting one that is
// not there would be an error, so it is declared first.
func clearTable(table string) string {
	return fmt.Sprintf("table netdev %s {}\ndelete table netdev %s\n", table, table)
}

func (l *Lab) nft(ctx context.Context, rules string) error {
	return run(ctx, []byte(rules), "ip", "netns", "exec", l.namespaceName(switchRole), "nft", "-f", "-")
}
