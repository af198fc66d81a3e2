package result

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Figure is a number that may not have been measured. The zero value was not.
type Figure struct {
	value    float64
	measured bool
}

// Of returns a measured figure. NaN and the infinities, which a division by
// nothing leaves, count as not measured. Whole numbers are exact up to 2^53.
func Of[N ~int | ~int32 | ~int64 | ~uint32 | ~uint64 | ~float64](n N) Figure {
	value := float64(n)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return Figure{}
	}
	return Figure{value, true}
}

// Seconds returns d as a figure in seconds.
func Seconds(d time.Duration) Figure { return Of(d.Seconds()) }

// Value returns the number, and whether there is one.
func (f Figure) Value() (float64, bool) { return f.value, f.measured }

// Per returns f divided by n: not measured if either is not, or n is 0.
func (f Figure) Per(n Figure) Figure {
	return f.with(n, func(a, b float64) float64 { return a / b })
}

// Minus returns the difference: not measured if either is not.
func (f Figure) Minus(g Figure) Figure {
	return f.with(g, func(a, b float64) float64 { return a - b })
}

// Since returns by how much a count has grown: not measured if either is not, or if it
// has gone back, as one does of which a part has left.
func (f Figure) Since(before Figure) Figure {
	if f.value < before.value {
		return Figure{}
	}
	return f.Minus(before)
}

// Plus returns the sum: not measured if either is not.
func (f Figure) Plus(g Figure) Figure {
	return f.with(g, func(a, b float64) float64 { return a + b })
}

// Times returns f multiplied by a constant.
func (f Figure) Times(factor float64) Figure {
	return f.with(Of(factor), func(a, b float64) float64 { return a * b })
}

func (f Figure) with(g Figure, do func(a, b float64) float64) Figure {
	if !f.measured || !g.measured {
		return Figure{}
	}
	return Of(do(f.value, g.value))
}

// Most returns the larger of two figures, or the only one with a value.
func Most(a, b Figure) Figure {
	if b.measured && (!a.measured || b.value > a.value) {
		return b
	}
	return a
}

// Add returns sum with one more figure, if that has a value.
func Add(sum, f Figure) Figure {
	if !f.measured {
		return sum
	}
	return Of(sum.value + f.value)
}

// MarshalJSON writes a number, or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	if !f.measured {
		return []byte("null"), nil
	}
	return []byte(plain(f.value)), nil
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
