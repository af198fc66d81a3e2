package result

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// quantity is how people write the values of a unit.
type quantity struct {
	// words are the units that may stand behind a number, each in the smallest of
	// them; own is that of the figure.
	words map[string]int64
	own   int64
	// sums: a value may have several parts, such as 1m30s.
	sums bool
	// noun and examples are for errors, word for a number without a unit.
	noun, examples, word string
}

var (
	times = map[string]int64{
		"ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 24 * 3600e9,
	}
	sizes = map[string]int64{
		"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
	counts = map[string]int64{"": 1, "k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "g": 1e9, "G": 1e9}
	rates  = map[string]int64{
		"": 1, "k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "g": 1e9, "G": 1e9,
		"/s": 1, "k/s": 1e3, "K/s": 1e3, "m/s": 1e6, "M/s": 1e6, "g/s": 1e9, "G/s": 1e9,
	}
)

func (u Unit) quantity() quantity {
	switch u {
	case UnitCount:
		return quantity{words: counts, own: 1, noun: "a count", examples: "10, 10k or 1M"}
	case UnitPerSecond:
		return quantity{words: rates, own: 1, noun: "a rate", examples: "1000/s or 10k/s"}
	case UnitBytes:
		return quantity{words: sizes, own: 1, noun: "a size", examples: "500B, 200MB or 1GiB", word: "B"}
	case UnitSeconds:
		return quantity{words: times, own: 1e9, sums: true, noun: "a duration", examples: "1.5s, 200ms or 1m30s", word: "s"}
	case UnitMillis:
		return quantity{words: times, own: 1e6, sums: true, noun: "a duration", examples: "50ms, 1.5s or 100us", word: "ms"}
	case UnitMicros:
		return quantity{words: times, own: 1e3, sums: true, noun: "a duration", examples: "50us, 1ms or 500ns", word: "us"}
	case UnitShare:
		return quantity{words: map[string]int64{"%": 1}, own: 100, noun: "a share of up to 100%", examples: "1% or 0.1%", word: "%"}
	}
	return quantity{words: map[string]int64{"": 1, "core": 1, "cores": 1}, own: 1, noun: "a number of cores", examples: "1.5"}
}

// Example returns values of the unit as a target has them.
func (u Unit) Example() string { return u.quantity().examples }

// parse reads a value with its unit, in that of the figure. Zero needs none, nor do
// what is counted, rates and cores. It is exact: a figure and a value that people
// write in the same digits are equal.
func (u Unit) parse(text string) (float64, error) {
	q := u.quantity()
	wrong := fmt.Errorf("%q is not %s: write %s", text, q.noun, q.examples)
	sum := new(big.Rat)
	for rest, parts := text, 0; rest != "" || parts == 0; parts++ {
		number, word, after := cutQuantity(rest)
		n, ok := new(big.Rat).SetString(number)
		size, known := q.words[word]
		switch {
		case !ok, parts > 0 && !q.sums:
			return 0, wrong
		case text == number && n.Sign() == 0:
			return 0, nil
		case text == number && !known:
			return 0, fmt.Errorf("%q has no unit: write %s%s", text, number, q.word)
		case !known:
			return 0, wrong
		}
		sum.Add(sum, n.Mul(n, big.NewRat(size, q.own)))
		rest = after
	}
	value, _ := sum.Float64()
	if math.IsInf(value, 0) || u == UnitCount && !sum.IsInt() || u == UnitShare && value > 1 {
		return 0, wrong
	}
	return value, nil
}

// cutQuantity cuts a number and its unit from what follows them.
func cutQuantity(s string) (number, word, rest string) {
	const digits = "0123456789."
	number = s[:len(s)-len(strings.TrimLeft(s, digits))]
	word = strings.TrimSpace(s[len(number):])
	if i := strings.IndexAny(word, digits+" "); i >= 0 {
		word, rest = word[:i], strings.TrimSpace(word[i:])
	}
	return number, word, rest
}
