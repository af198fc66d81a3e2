package result

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The quantiles are those of the table in NIST/SEMATECH e-Handbook 1.3.6.7.2, and of
// Abramowitz and Stegun, table 26.10.
func TestStudentQuantile(t *testing.T) {
	for _, tt := range []struct {
		p       float64
		freedom int
		want    float64
	}{
		{0.05, 1, 12.706},
		{0.05, 2, 4.303},
		{0.05, 3, 3.182},
		{0.05, 4, 2.776},
		{0.05, 5, 2.571},
		{0.05, 18, 2.101},
		{0.05, 99, 1.984},
		{0.01, 4, 4.604},
		{0.002, 4, 7.173},
		{0.002, 1, 318.313},
		{0.5, 4, 0.741},
	} {
		if got := studentQuantile(tt.p, tt.freedom); math.Abs(got-tt.want) > 0.001*tt.want {
			t.Errorf("p %v, %d degrees of freedom: %.3f, want %.3f", tt.p, tt.freedom, got, tt.want)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		name  string
		a, b  []float64
		of    int
		want  float64
		known bool
	}{
		{"no repeats", []float64{1}, []float64{2}, 1, 0, false},
		{"nothing", nil, []float64{1, 2, 3}, 1, 0, false},
		{"repeats on one side", []float64{1}, []float64{1, 2, 3}, 1, 4.303 * math.Sqrt(1+1.0/3), true},
		{"three against three", []float64{1, 2, 3}, []float64{11, 12, 13}, 1, 2.776 * math.Sqrt(2.0/3), true},
		{"as one figure of 25", []float64{1, 2, 3}, []float64{11, 12, 13}, 25, 7.173 * math.Sqrt(2.0/3), true},
		{"no noise", []float64{0, 0, 0}, []float64{5, 5, 5}, 6, 0, true},
		{"never, and always", []float64{0, 0, 0}, []float64{3, 5, 9}, 6, 3, true},
		{"always, and never", []float64{3, 5, 9}, []float64{0, 0, 0}, 6, 3, true},
		{"never, and now and then", []float64{0, 0, 0}, []float64{0, 0, 3}, 1, 2.776, true},
	} {
		got, known := spread(tt.a, tt.b, tt.of)
		if known != tt.known || math.Abs(got-tt.want) > 0.001*tt.want {
			t.Errorf("%s: %.3f %t, want %.3f %t", tt.name, got, known, tt.want, tt.known)
		}
	}
}

// Two equal servers differ by chance no more often than is said, whatever the noise is
// like. A difference of eight times the noise is seen, and with more repeats a smaller one.
func TestSpreadKeepsItsWord(t *testing.T) {
	const rounds, figures = 1000, 6
	for name, noise := range noises {
		for _, repeats := range []int{3, 5, 10} {
			random := rand.New(rand.NewPCG(1, 2))
			alarms := 0
			for range rounds {
				beyond := false
				for range figures {
					beyond = changed(draw(random, repeats, noise), draw(random, repeats, noise), figures) || beyond
				}
				if beyond {
					alarms++
				}
			}
			if share := float64(alarms) / rounds; share > chance+0.01 { // of 1,000 rounds
				t.Errorf("%s noise, %d repeats: %.1f %% of the comparisons of two equal servers find a change", name, repeats, 100*share)
			}
		}
	}
	for repeats, times := range map[int]float64{3: 8, 5: 4, 10: 2.5} {
		random := rand.New(rand.NewPCG(1, 2))
		seen := 0
		for range rounds {
			a, b := draw(random, repeats, noises["normal"]), draw(random, repeats, noises["normal"])
			for i := range b {
				b[i] += times
			}
			if changed(a, b, figures) {
				seen++
			}
		}
		if share := float64(seen) / rounds; share < 0.9 {
			t.Errorf("%d repeats: a difference of %v times the noise is seen in %.0f %%", repeats, times, 100*share)
		}
	}
}

var noises = map[string]func(*rand.Rand) float64{
	"normal":     func(r *rand.Rand) float64 { return 100 + r.NormFloat64() },
	"log-normal": func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64() / 2) },
	"outliers": func(r *rand.Rand) float64 {
		if r.IntN(10) == 0 {
			return 100 * r.Float64()
		}
		return 1 + r.Float64()/10
	},
}

func changed(a, b []float64, figures int) bool {
	half, _ := spread(a, b, figures)
	return apart(a, b, half)
}

func draw(r *rand.Rand, n int, noise func(*rand.Rand) float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = noise(r)
	}
	return values
}
