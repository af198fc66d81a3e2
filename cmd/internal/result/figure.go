package result

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Figure is a number that may not have been measured. The zero value was not.
type Figure struct {
	value    float64
	measured bool
}

// Of is a measured figure. NaN and the infinities, which is what a division by
// nothing leaves, count as not measured. Whole numbers are exact up to 2^53.
func Of[N ~int | ~int32 | ~int64 | ~uint32 | ~uint64 | ~float64](n N) Figure {
	value := float64(n)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return Figure{}
	}
	return Figure{value, true}
}

// Seconds is d as a figure in seconds.
func Seconds(d time.Duration) Figure { return Of(d.Seconds()) }

// Value returns the number, and whether there is one.
func (f Figure) Value() (float64, bool) { return f.value, f.measured }

// Per is f for each one of n: not measured if either is not, or n is 0.
func (f Figure) Per(n Figure) Figure {
	if !f.measured || !n.measured {
		return Figure{}
	}
	return Of(f.value / n.value)
}

// Minus is the difference: not measured if either is not.
func (f Figure) Minus(g Figure) Figure {
	if !f.measured || !g.measured {
		return Figure{}
	}
	return Of(f.value - g.value)
}

// Times is f multiplied by a constant.
func (f Figure) Times(factor float64) Figure {
	if !f.measured {
		return Figure{}
	}
	return Of(f.value * factor)
}

// MarshalJSON writes a number, or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	if !f.measured {
		return []byte("null"), nil
	}
	// Never in exponents, which shell scripts cannot compare.
	return strconv.AppendFloat(nil, f.value, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number, or null.
func (f *Figure) UnmarshalJSON(text []byte) error {
	var value *float64
	if err := json.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("%s is not a figure: it must be a number or null", text)
	}
	*f = Figure{}
	if value != nil {
		*f = Of(*value)
	}
	return nil
}

// Unit is what a figure counts.
type Unit int

// The units of a result.
const (
	UnitCount Unit = iota
	UnitPerSecond
	UnitBytes
	UnitSeconds
	UnitMillis
	UnitMicros
)

// NotMeasured is what stands for a figure that is not there.
const NotMeasured = "-"

// Format writes f for people: the number and its unit, to be aligned in two
// columns. Bytes become KiB, MiB or GiB where there are many.
func (f Figure) Format(unit Unit) (number, in string) {
	if !f.measured {
		return NotMeasured, ""
	}
	switch unit {
	case UnitPerSecond:
		if math.Abs(f.value) >= 100 {
			return group(f.value), "/s"
		}
		return significant(f.value), "/s"
	case UnitBytes:
		return formatBytes(f.value)
	case UnitSeconds:
		return significant(f.value), "s"
	case UnitMillis:
		return significant(f.value), "ms"
	case UnitMicros:
		return significant(f.value), "µs"
	}
	return group(f.value), ""
}

// formatBytes keeps single bytes up to 10,000 of them, as what a connection
// costs is compared to the byte.
func formatBytes(n float64) (number, in string) {
	if math.Abs(n) < 10_000 {
		return group(n), "B"
	}
	in = "KiB"
	n /= 1024
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if math.Abs(n) < 1024 {
			break
		}
		n /= 1024
		in = next
	}
	return strconv.FormatFloat(n, 'f', 1, 64), in
}

// significant shows three digits that count, and all of a large number.
func significant(n float64) string {
	switch a := math.Abs(n); {
	case a == 0:
		return "0"
	case a >= 100:
		return group(n)
	case a >= 10:
		return strconv.FormatFloat(n, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(n, 'f', 2, 64)
	case a >= 0.001:
		return strconv.FormatFloat(n, 'f', 3, 64)
	}
	return strconv.FormatFloat(n, 'g', 3, 64)
}

// group writes a whole number with commas: 15,000.
func group(n float64) string {
	digits := strconv.FormatFloat(math.Abs(n), 'f', 0, 64)
	var b strings.Builder
	if n < 0 && digits != "0" {
		b.WriteByte('-')
	}
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
