package cli

import (
	"fmt"
	"strconv"
	"strings"

	"example.org/comet/msggen"
)

// shaped is a flag value of the form NAME or NAME:PARAMETERS.
type shaped[T any] struct {
	value T
	text  string
	parse func(string) (T, error)
}

func newShaped[T any](text string, parse func(string) (T, error)) shaped[T] {
	return shaped[T]{text: text, parse: parse}
}

func (s *shaped[T]) String() string { return s.text }
func (s *shaped[T]) Type() string   { return "shape" }

func (s *shaped[T]) Set(text string) error {
	value, err := s.parse(text)
	if err == nil {
		s.value, s.text = value, text
	}
	return err
}

// parseDistribution reads uniform, zipf, zipf:0.8, hot, hot:90/10 (percent of
// the messages and of the ids) or sequential.
func parseDistribution(s string) (msggen.Distribution, error) {
	wrong := fmt.Errorf("%q is not a distribution: write uniform, zipf, zipf:0.8, hot, hot:90/10 or sequential", s)
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

// parseArrivals reads constant, poisson, bursts, bursts:100, ramp:30s or
// ramp:30s,500.
func parseArrivals(s string) (msggen.Arrivals, error) {
	wrong := fmt.Errorf("%q are no arrivals: write constant, poisson, bursts, bursts:100, ramp:30s (from 0) or ramp:30s,500 (from 500/s)", s)
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
		n, err := parseCount(parameters)
		if err != nil || n < 1 {
			return a, wrong
		}
		a.Burst = uint64(n)
	case msggen.Ramp:
		over, from, both := strings.Cut(parameters, ",")
		var err error
		if a.Over, err = parseDuration(over); err != nil || a.Over == 0 {
			return a, wrong
		}
		if !both {
			break
		}
		if a.From, err = parseRate(from); err != nil {
			return a, wrong
		}
	default:
		return a, wrong
	}
	return a, nil
}

// parseMessageSize reads 100, 10k, uniform:50-500 or exp:200.
func parseMessageSize(s string) (msggen.Size, error) {
	wrong := fmt.Errorf("%q is not a size: write 100, uniform:50-500 or exp:200, in bytes", s)
	name, parameters, given := strings.Cut(s, ":")
	if !given {
		name, parameters = "fixed", s
	}
	size := func(text string) int {
		n, err := parseCount(text)
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
