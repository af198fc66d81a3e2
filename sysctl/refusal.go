package sysctl

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Refusal returns nil if no limit is both short and hard, and otherwise one
// error: what is too low, how many connections fit all limits together, and what
// to do to get them all. Several limits stand one per line. The error has no
// package prefix, since it is for the person at the prompt.
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
		fmt.Fprintf(&b, ": %s, or fix each", fewer)
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

// roundDown returns a number that is easy to type: two digits and zeros where
// that costs at most 2 %, otherwise three digits.
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
