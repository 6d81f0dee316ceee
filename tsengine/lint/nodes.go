package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bootyard/bootyard/tsengine/sequence"
)

var exits = regexp.MustCompile(`(?i)^\s*(?:"?(?:%comspec%|cmd(?:\.exe)?)"?\s+/c\s+)?"?exit(?:\s+/b)?\s+(-?\d+)"?\s*$`)

func neverReached(l *linter) {
	for _, n := range l.steps("") {
		line, ok := n.Input("CommandLine")
		if !ok {
			line = n.Action
		}
		m := exits.FindStringSubmatch(line)
		if m == nil || n.ContinueOnError || n.Condition != nil && len(n.Condition.Operands) > 0 {
			continue
		}
		codes, err := sequence.ParseCodes(m[1])
		if err != nil || slices.Contains(n.SuccessCodes, codes[0]) {
			continue
		}
		siblings := l.s.Nodes
		if n.Parent != nil {
			siblings = n.Parent.Children
		}
		if i := slices.Index(siblings, n); i >= 0 && i+1 < len(siblings) {
			l.add(siblings[i+1], "it comes after %q, which always fails with %s", n.Name, m[1])
		}
	}
}

func disabledGroup(l *linter) {
	for _, n := range l.s.All() {
		if n.Kind != sequence.Group || !n.Disabled || n.Parent != nil && !n.Parent.Enabled() {
			continue
		}
		if count := enabledSteps(n); count > 0 {
			l.add(n, "%d enabled steps in it never run", count)
		}
	}
}

func enabledSteps(g *sequence.Node) int {
	count := 0
	for _, c := range g.Children {
		switch {
		case c.Disabled:
		case c.Kind == sequence.Group:
			count += enabledSteps(c)
		default:
			count++
		}
	}
	return count
}

func disabledChild(l *linter) {
	for _, n := range l.s.All() {
		if n.Kind == sequence.SubSequence && n.Disabled {
			l.add(n, "child sequence %s does not run", n.ChildID())
		}
	}
}

func successCodes(l *linter) {
	for _, n := range l.steps("") {
		switch {
		case !slices.Contains(n.SuccessCodes, 0):
			l.add(n, "0 is no success here: %v", n.SuccessCodes)
		case slices.Contains(n.SuccessCodes, 1641):
			l.add(n, "1641 is a success here and restarts nothing")
		}
	}
}

func timeoutRange(l *linter) {
	for _, n := range l.steps("") {
		written, _ := n.Attr("timeout")
		switch {
		case n.Timeout > 999*time.Minute:
			l.add(n, "a timeout of %s is above 999 minutes", n.Timeout)
		case n.Timeout == 0 && strings.TrimSpace(written) == "0":
			l.add(n, "a timeout of 0 is none")
		}
	}
}

func retryRange(l *linter) {
	for _, n := range l.steps("") {
		if n.RetryCount < 0 || n.RetryCount > 5 {
			l.add(n, "a retry count of %d", n.RetryCount)
		}
	}
}

func longName(l *linter) {
	for _, n := range l.s.All() {
		name, text := utf8.RuneCountInString(n.Name), utf8.RuneCountInString(n.Description)
		switch {
		case name > 100:
			l.add(n, "the name has %d characters", name)
		case text > 256:
			l.add(n, "the description has %d characters", text)
		case name > 50:
			l.put(Note, l.check.Rule, l.check.Remedy, n, fmt.Sprintf("the name has %d characters, the editor takes 50", name))
		case text > 255:
			l.put(Note, l.check.Rule, l.check.Remedy, n, fmt.Sprintf("the description has %d characters", text))
		case strings.TrimSpace(n.Name) == "":
			l.put(Note, l.check.Rule, "give it a name", n, "it has no name")
		}
	}
}

func sizeLimit(l *linter) {
	if size := len(l.s.Export()); size > 2<<20 {
		l.add(nil, "it has %d bytes", size)
	}
}

func schemaVersion(l *linter) {
	switch l.s.Version {
	case "3.10", "3.00", "3.07":
	default:
		l.add(nil, "schema version %q", l.s.Version)
	}
}

func partitionLayout(l *linter) {
	for _, n := range l.steps("PartitionDiskAction") {
		for _, text := range layout(n) {
			l.add(n, "%s", text)
		}
	}
}

func layout(n *sequence.Node) []string {
	at := func(i int, property string) string {
		v, _ := n.Input(fmt.Sprintf("OSDPartitions%d%s", i, property))
		return strings.ToLower(strings.TrimSpace(v))
	}
	count, stated := 0, false
	if text, ok := n.Input("OSDPartitions"); ok && strings.TrimSpace(text) != "" {
		if strings.Contains(text, "%") {
			return nil
		}
		c, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || c < 0 || c > 128 {
			return []string{fmt.Sprintf("the number of partitions is %q", text)}
		}
		count, stated = c, true
	}
	for !stated && at(count, "Type") != "" && count < 128 {
		count++
	}
	if count == 0 {
		return []string{"it makes no partitions"}
	}
	var out []string
	primary, full := 0, -1
	style, _ := n.Input("OSDPartitionStyle")
	for i := range count {
		say := func(format string, args ...any) {
			out = append(out, fmt.Sprintf("partition %d: ", i+1)+fmt.Sprintf(format, args...))
		}
		kind, units, size := at(i, "Type"), at(i, "SizeUnits"), at(i, "Size")
		if !slices.Contains([]string{"primary", "extended", "logical", "hidden", "efi", "msr", "recovery", "biosboot", "linuxroot", ""}, kind) {
			say("type %q is unknown", kind)
		}
		if fs := at(i, "FileSystem"); !slices.Contains([]string{"", "ntfs", "fat32", "ext4", "xfs", "btrfs", "swap"}, fs) {
			say("file system %q is unknown", fs)
		}
		if !slices.Contains([]string{"", "mb", "gb", "percent", "%"}, units) {
			say("unit %q is unknown", units)
		}
		if full >= 0 && kind != "logical" {
			say("partition %d has taken all that is left", full+1)
		}
		if kind != "logical" {
			primary++
		}
		amount, err := strconv.ParseFloat(size, 64)
		share := units == "percent" || units == "%"
		switch {
		case strings.Contains(size, "%"):
		case size == "" && kind != "extended":
			full = i
		case size == "":
		case err != nil:
			say("size %q is no number", size)
		case share && (amount > 100 || amount < 1):
			say("%s percent cannot be", size)
		case amount <= 0:
			say("size %s", size)
		case share && amount == 100 && kind != "extended":
			full = i
		}
	}
	if strings.EqualFold(strings.TrimSpace(style), "MBR") && primary > 4 {
		out = append(out, fmt.Sprintf("%d primary partitions; MBR has four", primary))
	}
	return out
}
