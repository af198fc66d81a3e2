package main

import (
	"math"
	"testing"
)

// drift returns how much values, taken at equal times, have risen from the first to the
// last by the straight line through them, and how far from it they lie (their standard
// deviation).
func drift(values []float64) (rise, noise float64) {
	n := float64(len(values))
	if n < 3 {
		return math.NaN(), math.NaN()
	}
	var mean, product, square float64
	for _, v := range values {
		mean += v / n
	}
	for i, v := range values {
		x := float64(i) - (n-1)/2
		product += x * (v - mean)
		square += x * x
	}
	slope := product / square
	for i, v := range values {
		off := v - mean - slope*(float64(i)-(n-1)/2)
		noise += off * off / (n - 2)
	}
	return slope * (n - 1), math.Sqrt(noise)
}

// grows reports whether values rise by more than their noise, and by more than a share
// of what they are, which one-time costs explain.
func grows(values []float64, share float64) bool {
	rise, noise := drift(values)
	return !(rise <= max(2*noise, share*values[0]))
}

func TestDrift(t *testing.T) {
	series := func(n int, at func(i float64) float64) (values []float64) {
		for i := range n {
			values = append(values, at(float64(i)))
		}
		return values
	}
	for name, c := range map[string]struct {
		values      []float64
		rise, noise float64
		grows       bool
	}{
		"flat":             {series(100, func(float64) float64 { return 50 }), 0, 0, false},
		"a line":           {series(101, func(i float64) float64 { return 50 + i }), 100, 0, true},
		"falls":            {series(101, func(i float64) float64 { return 500 - i }), -100, 0, false},
		"within its noise": {series(1000, func(i float64) float64 { return 500 + i/100 + 10*math.Sin(i) }), 10, 7, false},
		"above its noise":  {series(1000, func(i float64) float64 { return 500 + i/10 + 10*math.Sin(i) }), 100, 7, true},
		"a step":           {series(1000, func(i float64) float64 { return 500 + 100*math.Floor(i/500) }), 150, 25, true},
		"within the share": {series(101, func(i float64) float64 { return 100_000 + i }), 100, 0, false},
	} {
		rise, noise := drift(c.values)
		if math.Abs(rise-c.rise) > 1 || math.Abs(noise-c.noise) > 1 || grows(c.values, 0.005) != c.grows {
			t.Errorf("%s: rises by %.1f with noise %.1f, grows %t; want %.1f, %.1f, %t", name, rise, noise, grows(c.values, 0.005), c.rise, c.noise, c.grows)
		}
	}
	if !grows([]float64{1, 2}, 1) {
		t.Error("too few values are taken for steady")
	}
}
