package sysctl

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Refusal is nil when no limit is both short and hard. Otherwise it is one
// error, with no package prefix since it is addressed to the person at the
// prompt: what is too low, how many connections would fit under all limits
// together, and what to do to get them all. Several shortages stand one per
// line.
func Refusal(n Need, limits []Limit) error {
	var short []Limit
	fits := math.MaxInt
	for _, l := range limits {
		if l.Short && l.Hard {
			short = append(short, l)
			fits = min(fits, l.MaxConnections)
		}
	}
	fewer := ""
	if fits = roundDown(fits); fits > 0 {
		fewer = fmt.Sprintf("run with %s %d", flagOf(n), fits)
	}
	switch len(short) {
	case 0:
		return nil
	case 1:
		remedy := short[0].Mend
		if fewer != "" {
			remedy = fewer + ", or " + remedy
		}
		return errors.New(short[0].Why + ": " + remedy)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d limits stand in the way of %s connections", len(short), Value(n.Connections))
	if fewer != "" {
		fmt.Fprintf(&b, ": %s, or mend each", fewer)
	}
	for _, l := range short {
		fmt.Fprintf(&b, "\n  %s: %s", l.Why, l.Mend)
	}
	return errors.New(b.String())
}

func flagOf(n Need) string {
	if n.Flag == "" {
		return "-c"
	}
	return n.Flag
}

// roundDown makes a number easy to type: two digits and zeros where that costs
// no more than 2 %, three otherwise.
func roundDown(n int) int {
	step := 1
	for n/step >= 100 {
		step *= 10
	}
	rounded := n / step * step
	if step > 1 && n-rounded > n/50 {
		rounded = n / (step / 10) * (step / 10)
	}
	return rounded
}
