package flags

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"example.org/comet/msggen"
)

// The grammars of msggen's values. They belong to the types themselves, as
// UnmarshalText and MarshalText; then these functions go and Text binds them.

func distribution() kind[msggen.Distribution] {
	return kind[msggen.Distribution]{"shape", parseDistribution, formatDistribution}
}

func arrivals() kind[msggen.Arrivals] {
	return kind[msggen.Arrivals]{"shape", parseArrivals, formatArrivals}
}

func size() kind[msggen.Size] { return kind[msggen.Size]{"shape", parseMessageSize, formatSize} }

// parseDistribution reads uniform, zipf, zipf:0.8, hot, hot:90/10 (percent of
// the messages and of the ids) or sequential.
func parseDistribution(s string) (msggen.Distribution, error) {
	wrong := fmt.Errorf("unknown distribution %q: write uniform, zipf, zipf:0.8, hot, hot:90/10 or sequential", s)
	name, parameters, given := strings.Cut(s, ":")
	d := msggen.Distribution{Shape: msggen.Shape(name)}
	switch d.Shape {
	case msggen.Uniform, msggen.Sequential:
		if given {
			return d, wrong
		}
	case msggen.Zipf:
		if !given {
			break
		}
		var err error
		if d.Exponent, err = strconv.ParseFloat(parameters, 64); err != nil || !(d.Exponent > 0) {
			return d, wrong
		}
	case msggen.Hot:
		if !given {
			break
		}
		messages, ids, both := strings.Cut(parameters, "/")
		var ok1, ok2 bool
		d.HotMessages, ok1 = parsePercent(messages)
		d.HotIDs, ok2 = parsePercent(ids)
		if !both || !ok1 || !ok2 {
			return d, wrong
		}
	default:
		return d, wrong
	}
	return d, nil
}

// parsePercent reads 90, 90% or 0.1 as a share above 0 and up to 1.
func parsePercent(s string) (share float64, ok bool) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	return percent / 100, err == nil && percent > 0 && percent <= 100
}

func formatDistribution(d msggen.Distribution) string {
	percent := func(share float64) string { return strconv.FormatFloat(100*share, 'f', -1, 64) }
	switch {
	case d.Shape == "":
		return string(msggen.Uniform)
	case d.Shape == msggen.Zipf && d.Exponent != 0:
		return "zipf:" + strconv.FormatFloat(d.Exponent, 'f', -1, 64)
	case d.Shape == msggen.Hot && (d.HotMessages != 0 || d.HotIDs != 0):
		messages, ids := cmp.Or(d.HotMessages, msggen.DefaultHotMessages), cmp.Or(d.HotIDs, msggen.DefaultHotIDs)
		return "hot:" + percent(messages) + "/" + percent(ids)
	}
	return string(d.Shape)
}

// parseArrivals reads constant, poisson, bursts, bursts:100, ramp:30s or
// ramp:30s,500.
func parseArrivals(s string) (msggen.Arrivals, error) {
	wrong := fmt.Errorf("unknown arrival pattern %q: write constant, poisson, bursts, bursts:100, ramp:30s (from 0) or ramp:30s,500 (from 500/s)", s)
	name, parameters, given := strings.Cut(s, ":")
	a := msggen.Arrivals{Shape: msggen.Shape(name)}
	switch a.Shape {
	case msggen.Constant, msggen.Poisson:
		if given {
			return a, wrong
		}
	case msggen.Bursts:
		if !given {
			break
		}
		n, err := ParseCount(parameters)
		if err != nil || n < 1 {
			return a, wrong
		}
		a.Burst = uint64(n)
	case msggen.Ramp:
		over, from, both := strings.Cut(parameters, ",")
		var err error
		if a.Over, err = ParseDuration(over); err != nil || a.Over == 0 {
			return a, wrong
		}
		if !both || from == "0" {
			break
		}
		if a.From, err = ParseRate(from); err != nil {
			return a, wrong
		}
	default:
		return a, wrong
	}
	return a, nil
}

func formatArrivals(a msggen.Arrivals) string {
	switch {
	case a.Shape == "":
		return string(msggen.Constant)
	case a.Shape == msggen.Bursts && a.Burst != 0:
		return "bursts:" + strconv.FormatUint(a.Burst, 10)
	case a.Shape == msggen.Ramp && a.From != 0:
		return "ramp:" + a.Over.String() + "," + formatRate(a.From)
	case a.Shape == msggen.Ramp:
		return "ramp:" + a.Over.String()
	}
	return string(a.Shape)
}

// parseMessageSize reads 100, 10k, uniform:50-500 or exp:200.
func parseMessageSize(s string) (msggen.Size, error) {
	wrong := fmt.Errorf("unknown message size %q: write 100, uniform:50-500 or exp:200, in bytes", s)
	name, parameters, given := strings.Cut(s, ":")
	if !given {
		name, parameters = "fixed", s
	}
	size := func(text string) int {
		n, err := ParseCount(text)
		if err != nil || n > 1<<30 {
			return -1
		}
		return int(n)
	}
	var z msggen.Size
	switch name {
	case "fixed":
		z = msggen.Size{Shape: msggen.Fixed, Bytes: size(parameters)}
	case "uniform":
		low, high, _ := strings.Cut(parameters, "-")
		z = msggen.Size{Shape: msggen.Uniform, Min: size(low), Max: size(high)}
	case "exp", "exponential":
		z = msggen.Size{Shape: msggen.Exponential, Bytes: size(parameters)}
	default:
		return z, wrong
	}
	if z.Bytes < 0 || z.Min < 0 || z.Max < z.Min {
		return z, wrong
	}
	return z, nil
}

func formatSize(z msggen.Size) string {
	switch z.Shape {
	case msggen.Uniform:
		return fmt.Sprintf("uniform:%d-%d", z.Min, z.Max)
	case msggen.Exponential:
		return fmt.Sprintf("exp:%d", z.Bytes)
	}
	return strconv.Itoa(z.Bytes)
}
