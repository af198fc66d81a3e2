package msggen

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"example.org/comet/flood/pace"
)

// UnmarshalText reads uniform, sequential, zipf, zipf:0.8 (the exponent), hot or
// hot:90/10 (percent of the messages and of the ids).
func (d *Distribution) UnmarshalText(text []byte) error {
	const write = "write uniform, zipf, zipf:0.8, hot, hot:90/10 or sequential"
	name, parameters, given := strings.Cut(string(text), ":")
	read, ok := Distribution{Shape: Shape(name)}, true
	switch read.Shape {
	case Uniform, Sequential:
		ok = !given
	case Zipf:
		if given {
			var err error
			read.Exponent, err = strconv.ParseFloat(parameters, 64)
			ok = err == nil && read.Exponent > 0
		}
	case Hot:
		if given {
			messages, ids, both := strings.Cut(parameters, "/")
			var ok1, ok2 bool
			read.HotMessages, ok1 = parsePercent(messages)
			read.HotIDs, ok2 = parsePercent(ids)
			ok = both && ok1 && ok2
		}
	default:
		return fmt.Errorf("unknown distribution %q: %s", text, write)
	}
	if !ok {
		return fmt.Errorf("%q is not a distribution: %s", text, write)
	}
	if err := read.validate(); err != nil {
		return err
	}
	*d = read
	return nil
}

// MarshalText returns d in a form that UnmarshalText reads.
func (d Distribution) MarshalText() ([]byte, error) {
	switch {
	case d.Shape == "":
		return []byte(Uniform), nil
	case d.Shape == Zipf && d.Exponent != 0:
		return fmt.Appendf(nil, "%s:%s", d.Shape, decimal(d.Exponent)), nil
	case d.Shape == Hot && (d.HotMessages != 0 || d.HotIDs != 0):
		d = d.withDefaults()
		return fmt.Appendf(nil, "%s:%s/%s", d.Shape, percent(d.HotMessages), percent(d.HotIDs)), nil
	}
	return []byte(d.Shape), nil
}

// UnmarshalText reads constant, poisson, bursts, bursts:100 (how many at once),
// ramp:30s (from 0 within 30 s) or ramp:30s,500 (from 500 per second).
func (a *Arrivals) UnmarshalText(text []byte) error {
	const write = "write constant, poisson, bursts, bursts:100, ramp:30s (from 0) or ramp:30s,500 (from 500/s)"
	name, parameters, given := strings.Cut(string(text), ":")
	read, ok := Arrivals{Shape: Shape(name)}, true
	switch read.Shape {
	case Constant, Poisson:
		ok = !given
	case Bursts:
		if given {
			n, known := parseCount(parameters)
			read.Burst, ok = uint64(n), known && n > 0
		}
	case Ramp:
		over, from, both := strings.Cut(parameters, ",")
		read.Over, ok = parseDuration(over)
		ok = ok && read.Over > 0
		if both {
			var rate pace.Rate
			ok = ok && rate.UnmarshalText([]byte(from)) == nil && !rate.Unpaced()
			read.From = float64(rate)
		}
	default:
		return fmt.Errorf("unknown arrivals %q: %s", text, write)
	}
	if !ok {
		return fmt.Errorf("%q are not arrivals: %s", text, write)
	}
	switch read.Shape {
	case Bursts:
		if read.Burst > maxBurst {
			return fmt.Errorf("%d messages at once: write bursts:%d or less", read.Burst, maxBurst)
		}
	case Ramp:
		if _, err := pace.NewRamp(read.From, 1, read.Over); err != nil {
			return err
		}
	}
	*a = read
	return nil
}

// MarshalText returns a in a form that UnmarshalText reads.
func (a Arrivals) MarshalText() ([]byte, error) {
	switch {
	case a.Shape == "":
		return []byte(Constant), nil
	case a.Shape == Bursts && a.Burst != 0:
		return fmt.Appendf(nil, "%s:%d", a.Shape, a.Burst), nil
	case a.Shape == Ramp && a.From != 0:
		return fmt.Appendf(nil, "%s:%s,%s", a.Shape, a.Over, pace.Rate(a.From)), nil
	case a.Shape == Ramp:
		return fmt.Appendf(nil, "%s:%s", a.Shape, a.Over), nil
	}
	return []byte(a.Shape), nil
}

// UnmarshalText reads 100, 10k, fixed:100, uniform:50-500 or exp:200, in bytes.
func (z *Size) UnmarshalText(text []byte) error {
	const write = "write 100, uniform:50-500 or exp:200, in bytes"
	name, parameters, given := strings.Cut(string(text), ":")
	if !given {
		name, parameters = string(Fixed), string(text)
	}
	size := func(text string) int {
		n, ok := parseCount(text)
		if !ok || n > 1<<30 {
			return -1
		}
		return int(n)
	}
	var read Size
	switch name {
	case string(Fixed):
		read = Size{Shape: Fixed, Bytes: size(parameters)}
	case string(Uniform):
		low, high, _ := strings.Cut(parameters, "-")
		read = Size{Shape: Uniform, Min: size(low), Max: size(high)}
	case "exp", string(Exponential):
		read = Size{Shape: Exponential, Bytes: size(parameters)}
	default:
		return fmt.Errorf("unknown size %q: %s", text, write)
	}
	if read.Bytes < 0 || read.Min < 0 || read.Max < read.Min {
		return fmt.Errorf("%q is not a size: %s", text, write)
	}
	if err := read.validate(); err != nil {
		return err
	}
	*z = read
	return nil
}

// MarshalText returns z in a form that UnmarshalText reads.
func (z Size) MarshalText() ([]byte, error) {
	switch z.Shape {
	case Uniform:
		return fmt.Appendf(nil, "%s:%d-%d", z.Shape, z.Min, z.Max), nil
	case Exponential:
		return fmt.Appendf(nil, "exp:%d", z.Bytes), nil
	}
	return strconv.AppendInt(nil, int64(z.Bytes), 10), nil
}

// parsePercent reads 90, 90% or 0.1 as a share above 0 and up to 1.
func parsePercent(s string) (share float64, ok bool) {
	s = strings.TrimSuffix(s, "%")
	share, err := strconv.ParseFloat(s+"e-2", 64) // rounded once
	if err != nil {
		share, err = strconv.ParseFloat(s, 64)
		share /= 100
	}
	return share, err == nil && share > 0 && share <= 1
}

// percent writes share so that parsePercent reads it to the last bit: its
// shortest digits, with the point moved by two places.
func percent(share float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(share, 'e', -1, 64), "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	power, _ := strconv.Atoi(exponent)
	switch point := power + 3; {
	case point <= 0:
		return "0." + strings.Repeat("0", -point) + digits
	case point >= len(digits):
		return digits + strings.Repeat("0", point-len(digits))
	default:
		return digits[:point] + "." + digits[point:]
	}
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// parseCount reads a whole number from 0, also with k (thousand), M (million) or
// G behind it: 10k, 1.5M.
func parseCount(s string) (n int64, ok bool) {
	zeros := ""
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			zeros = "e3"
		case 'm', 'M':
			zeros = "e6"
		case 'g', 'G':
			zeros = "e9"
		}
	}
	if zeros == "" {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && n >= 0
	}
	f, err := strconv.ParseFloat(s[:len(s)-1]+zeros, 64)
	if err != nil || !(f >= 0 && f < 1<<53) || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// parseDuration reads a duration in Go's notation, also with days in front: 30s,
// 1d, 1d12h.
func parseDuration(s string) (d time.Duration, ok bool) {
	rest := s
	if days, behind, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n <= 36500) {
			return 0, false
		}
		d, rest = time.Duration(n*24*float64(time.Hour)), behind
		if rest == "" {
			return d, true
		}
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || d+more < d {
		return 0, false
	}
	return d + more, true
}
