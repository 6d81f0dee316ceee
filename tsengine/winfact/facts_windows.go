package winfact

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bootyard/bootyard/tsengine/condition"
	"github.com/bootyard/bootyard/tsengine/fact"
	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/wql"
)

// queryTime bounds one WMI query; Win32_Product is the slowest class in use.
const queryTime = 5 * time.Minute

// Facts is the condition.Facts of a running Windows. It is safe for concurrent use.
type Facts struct {
	// Environment decides what a missing namespace is (TS-74).
	Environment machine.Environment
	// Sheet answers where there is no WMI; nil: nothing does.
	Sheet *fact.Sheet

	redirected bool
}

var _ condition.Redirectable[condition.Facts] = Facts{}

// Redirected implements condition.Redirectable: the registry as a 32-bit program sees it (TS-72).
func (f Facts) Redirected() condition.Facts { f.redirected = true; return f }

// Holds implements condition.Facts. What was read is judged as a fact sheet of it would be, so both agree.
func (f Facts) Holds(ctx context.Context, x *sequence.Expression) (condition.Verdict, error) {
	switch strings.ToLower(x.ShortType()) {
	case "wmiconditionexpression":
		return f.query(ctx, x)
	case "registryconditionexpression":
		sheet, err := f.registry(x.Field("KeyPath"), x.Field("Value"))
		if err != nil {
			return condition.Verdict{}, err
		}
		return sheet.Holds(ctx, x)
	case "softwareconditionexpression":
		sheet, err := installed(x.Field("ProductCode"), x.Field("UpgradeCode"))
		if err != nil {
			return condition.Verdict{}, err
		}
		return sheet.Holds(ctx, x)
	case "osconditionexpression":
		sheet := &fact.Sheet{}
		sheet.Add("", "Win32_OperatingSystem", operatingSystem())
		return sheet.Holds(ctx, x)
	}
	return condition.Verdict{}, fmt.Errorf("%w: %s is not known here", condition.ErrUnknown, x.ShortType())
}

// query is TS-74: the instances are WMI's own, also for ASSOCIATORS OF and what else it alone understands.
func (f Facts) query(ctx context.Context, x *sequence.Expression) (condition.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	list, err := Query(ctx, x.Field("Namespace"), x.Field("Query"), 1)
	switch {
	case errors.Is(err, ErrNoWMI) && f.Sheet != nil:
		return f.Sheet.Holds(ctx, x)
	case errors.Is(err, ErrNoWMI), errors.Is(err, invalidClass), errors.Is(err, invalidNamespace) && f.Environment == machine.WinPE:
		return condition.Verdict{}, fmt.Errorf("%w: %w", condition.ErrUnknown, err)
	case err != nil:
		return condition.Verdict{}, err
	case len(list) == 0:
		return condition.Verdict{Reason: "WMI gives no instance for " + x.Field("Query")}, nil
	}
	return condition.Verdict{Holds: true, Reason: because(x.Field("Query"), list[0])}, nil
}

// maxInstances bounds what one class gives.
const maxInstances = 1000

// Instances are those of a class of root\cimv2, or of the sheet where there is no WMI.
func (f Facts) Instances(ctx context.Context, class string) []fact.Instance {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	namespace := `root\cimv2`
	if strings.EqualFold(class, "Win32_EncryptableVolume") {
		namespace = `root\cimv2\security\microsoftvolumeencryption`
	}
	list, err := Query(ctx, namespace, "SELECT * FROM "+class, maxInstances)
	if err != nil && f.Sheet != nil {
		return f.Sheet.Instances(ctx, class)
	}
	return list
}

// maxShown bounds a value in a reason.
const maxShown = 120

// because names the values that a query looked at.
func because(text string, i fact.Instance) string {
	var parts []string
	if q, err := wql.Parse(text); err == nil {
		for _, name := range q.Properties() {
			if v, ok := i.Property(name); ok && len(parts) < 5 {
				shown := []rune(fmt.Sprint(v))
				parts = append(parts, fmt.Sprintf("%s.%s is %q", q.Class, name, string(shown[:min(len(shown), maxShown)])))
			}
		}
	}
	if len(parts) == 0 {
		return "WMI gives an instance"
	}
	return strings.Join(parts, ", ")
}
