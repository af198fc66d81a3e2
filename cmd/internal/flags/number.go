package flags

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/flood/pace"
)

// Zero says what a flag's 0 means.
type Zero struct {
	none  bool
	least int64
	hint  string
}

// None writes -1 into the field for a flag's 0: in a Config 0 is the default and
// a negative value is none.
var None = Zero{none: true}

// Least refuses what is below n, in the field's own unit.
func Least[N ~int | ~int64](n N) Zero { return Zero{least: int64(n)} }

// LeastOr returns Least(n) with what to write instead of less.
func LeastOr[N ~int | ~int64](n N, hint string) Zero { return Zero{least: int64(n), hint: hint} }

// check returns the value for the field.
func check[N ~int | ~int64](n N, text string, zero []Zero, format func(N) string) (N, error) {
	for _, z := range zero {
		switch {
		case z.none && n == 0:
			return -1, nil
		case int64(n) < z.least && z.hint != "":
			return 0, fmt.Errorf("%q is too little: use %s or more, or %s", text, format(N(z.least)), z.hint)
		case int64(n) < z.least:
			return 0, fmt.Errorf("%q is too little: use %s or more", text, format(N(z.least)))
		}
	}
	return n, nil
}

// Count adds a flag that takes 10k and 1M.
func Count[N ~int | ~int64 | ~uint64](fs *pflag.FlagSet, field *N, name, short string, def N, usage string, zero ...Zero) {
	format := func(n int64) string { return strconv.FormatInt(max(n, 0), 10) }
	bind(fs, field, name, short, def, usage, kind[N]{
		name: "count",
		parse: func(s string) (N, error) {
			n, err := parseFitting[N](s)
			if err != nil {
				return 0, err
			}
			n, err = check(n, s, zero, format)
			return N(n), err
		},
		format: func(n N) string { return format(int64(n)) },
	})
}

// Counts adds a flag of counts with commas between them: 10k,100k,1M.
func Counts(fs *pflag.FlagSet, field *[]int, name, usage string) {
	List(fs, field, name, usage, func(s string) (int, error) {
		n, err := parseFitting[int](strings.TrimSpace(s))
		return int(n), err
	}, strconv.Itoa).DefValue = ""
}

// parseFitting reads a count for a field of type N, which may be an int of 32 bits.
func parseFitting[N ~int | ~int64 | ~uint64](s string) (int64, error) {
	n, err := ParseCount(s)
	if err == nil && int64(N(n)) != n {
		return 0, fmt.Errorf("%q is too much: use %d or less", s, math.MaxInt)
	}
	return n, err
}

// ParseCount reads a whole number with an optional k (thousand), M (million)
// or G: 10k, 1.5M.
func ParseCount(s string) (int64, error) {
	digits, scale := s, 1.0
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			digits, scale = s[:len(s)-1], 1e3
		case 'm', 'M':
			digits, scale = s[:len(s)-1], 1e6
		case 'g', 'G':
			digits, scale = s[:len(s)-1], 1e9
		}
	}
	if scale == 1 {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is not a count: write 10000, 10k or 1M", s)
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(digits, 64)
	n := f * scale
	if err != nil || !(n >= 0 && n < 1<<53) || n != math.Trunc(n) {
		return 0, fmt.Errorf("%q is not a count: write 10000, 10k or 1M", s)
	}
	return int64(n), nil
}

// Duration adds a flag in Go's notation that also takes days: 1d, 1d12h.
func Duration(fs *pflag.FlagSet, field *time.Duration, name, short string, def time.Duration, usage string, zero ...Zero) {
	format := func(d time.Duration) string { return max(d, 0).String() }
	bind(fs, field, name, short, def, usage, kind[time.Duration]{
		name: "duration",
		parse: func(s string) (time.Duration, error) {
			d, err := ParseDuration(s)
			if err != nil {
				return 0, err
			}
			return check(d, s, zero, format)
		},
		format: format,
	})
}

// ParseDuration reads 60s, 10m, 2h, 1d or 1d12h. A number needs a unit, unless
// it is 0.
func ParseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, fmt.Errorf("%q has no unit: write %ss", s, s)
	}
	wrong := fmt.Errorf("%q is not a duration: write 60s, 10m, 2h or 1d", s)
	days, rest, found := strings.Cut(s, "d")
	var total time.Duration
	if found {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n <= 36500) {
			return 0, wrong
		}
		total = time.Duration(n * 24 * float64(time.Hour))
		if rest == "" {
			return total, nil
		}
	} else {
		rest = s
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < total {
		return 0, wrong
	}
	return total + d, nil
}

// ParseRate reads a number of events per second: 1000, 10k, 0.5.
func ParseRate(s string) (float64, error) {
	rate, err := strconv.ParseFloat(s, 64)
	if n, countErr := ParseCount(s); countErr == nil {
		rate, err = float64(n), nil
	}
	if err != nil || !(rate > 0) || math.IsInf(rate, 0) {
		return 0, fmt.Errorf("%q is not a rate: write 1000, 10k, 0.5 or max", s)
	}
	return rate, nil
}

func formatRate(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) }

// pacer returns the grammar of --connect-rate.
func pacer() kind[pace.Pacer] {
	return kind[pace.Pacer]{
		name: "rate",
		parse: func(s string) (pace.Pacer, error) {
			if s == "max" {
				return pace.Max, nil
			}
			rate, err := ParseRate(s)
			if err != nil {
				return pace.Max, err
			}
			return pace.PerSecond(rate)
		},
		format: func(p pace.Pacer) string {
			if p.Unpaced() || isInterval(p) {
				return "max"
			}
			return formatRate(p.Rate())
		},
	}
}

// interval returns the grammar of the same pace as the time between two events.
func interval() kind[pace.Pacer] {
	return kind[pace.Pacer]{
		name: "duration",
		parse: func(s string) (pace.Pacer, error) {
			d, err := ParseDuration(s)
			if d == 0 {
				return pace.Max, err
			}
			return pace.Every(d), err
		},
		format: func(p pace.Pacer) string {
			if !isInterval(p) {
				return time.Duration(0).String()
			}
			return p.Per.String()
		},
	}
}

// isInterval reports whether p is told best by the time between two events.
func isInterval(p pace.Pacer) bool { return p.Events == 1 && p.Per > 0 && p.Per != time.Second }
