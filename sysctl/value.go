package sysctl

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Value is a number read from the system. Its JSON is a number, or null when
// it is [Unknown].
type Value int64

const (
	// Unknown marks what this platform does not have or does not show.
	Unknown Value = -1
	// Unlimited marks a limit that was lifted ("unlimited", "max"), and any
	// number beyond an int64.
	Unlimited Value = math.MaxInt64
)

// Known reports whether the value was read.
func (v Value) Known() bool { return v >= 0 }

// String returns the number with thousands separators, "unknown" or
// "unlimited".
func (v Value) String() string {
	switch {
	case !v.Known():
		return "unknown"
	case v == Unlimited:
		return "unlimited"
	}
	digits := strconv.FormatInt(int64(v), 10)
	out := make([]byte, 0, len(digits)+len(digits)/3)
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, digits[i])
	}
	return string(out)
}

// MarshalJSON writes null for an unknown value, so that "not read" is not taken
// for 0 or -1.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Known() {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(v), 10), nil
}

// UnmarshalJSON parses what MarshalJSON writes.
func (v *Value) UnmarshalJSON(b []byte) error {
	n := int64(Unknown)
	if string(b) != "null" {
		if err := json.Unmarshal(b, &n); err != nil {
			return fmt.Errorf("sysctl: %w", err)
		}
	}
	*v = Value(n)
	return nil
}

// size formats bytes as a person reads memory: 47.9 MiB, 4.7 GiB.
func size(bytes Value) string {
	if !bytes.Known() || bytes == Unlimited {
		return bytes.String()
	}
	const units = "KMGTPE"
	f, unit := float64(bytes)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}

// saturating returns a*b for factors that are not negative, or Unlimited
// where that overflows.
func saturating(a, b Value) Value {
	if a != 0 && b > Unlimited/a {
		return Unlimited
	}
	return a * b
}

// plus returns a+b for values that are not negative, or Unlimited where that
// overflows.
func plus(a, b Value) Value {
	if b > Unlimited-a {
		return Unlimited
	}
	return a + b
}
