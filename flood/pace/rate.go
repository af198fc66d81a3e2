package pace

import (
	"fmt"
	"math"
	"strconv"
)

// Rate is a number of events per second as people write it: 1000, 10k, 1.5M,
// 0.5, or max for no pace. The zero value is a rate that was not set: its text
// is empty, and it has no pacer.
type Rate float64

// MaxRate is the rate of [Max]: as fast as possible.
var MaxRate = Rate(math.Inf(1))

// Unpaced reports whether r is max.
func (r Rate) Unpaced() bool { return math.IsInf(float64(r), 1) }

// Pacer returns the pacer of r: [Max], or that of [PerSecond] with its errors.
func (r Rate) Pacer() (Pacer, error) {
	if r.Unpaced() {
		return Max, nil
	}
	return PerSecond(float64(r))
}

// String returns what MarshalText returns.
func (r Rate) String() string {
	switch {
	case r == 0:
		return ""
	case r.Unpaced():
		return "max"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64)
}

// MarshalText returns r in a form that UnmarshalText reads as the same number.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rate: a number above 0, also with k, M or G behind it,
// or max. It refuses what [PerSecond] refuses.
func (r *Rate) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "max" {
		*r = MaxRate
		return nil
	}
	digits := s
	if s != "" {
		// A decimal exponent instead of a product, which would be rounded twice.
		switch s[len(s)-1] {
		case 'k', 'K':
			digits = s[:len(s)-1] + "e3"
		case 'm', 'M':
			digits = s[:len(s)-1] + "e6"
		case 'g', 'G':
			digits = s[:len(s)-1] + "e9"
		}
	}
	perSecond, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(perSecond > 0) || math.IsInf(perSecond, 1) {
		return fmt.Errorf("%q is not a rate: write 1000, 10k, 0.5 or max", s)
	}
	if _, err := PerSecond(perSecond); err != nil {
		return err
	}
	*r = Rate(perSecond)
	return nil
}
