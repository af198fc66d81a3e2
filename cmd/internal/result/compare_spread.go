package result

import (
	"math"
	"slices"
)

// chance is how often a comparison of two equal servers may call something changed:
// once in twenty, for all figures of a group together.
const chance = 0.05

// spread returns how far two samples may be apart by chance: half the width of the
// confidence interval of the difference of their means, by Student's t with the variance
// of both sides pooled (NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.1). It
// reports false without repeats on either side.
//
// Rank tests, as benchstat's, cannot tell anything of three repeats against three:
// whatever these are, their p is 0.1 at least. Student's t can, for the price of taking
// the noise as normal; a single bad repeat widens the interval.
//
// Of many figures some would be beyond it by chance. The level is that of the whole
// group, divided among its figures (Bonferroni).
func spread(a, b []float64, figures int) (half float64, known bool) {
	n, m := float64(len(a)), float64(len(b))
	freedom := len(a) + len(b) - 2
	if n == 0 || m == 0 || freedom < 1 {
		return 0, false
	}
	if always, ok := neverAndAlways(a, b); ok {
		return (slices.Max(always) - slices.Min(always)) / 2, true
	}
	pooled := (squares(a) + squares(b)) / float64(freedom)
	return studentQuantile(chance/float64(max(figures, 1)), freedom) * math.Sqrt(pooled*(1/n+1/m)), true
}

// neverAndAlways returns the side that has some in every repeat, where the other has
// none in any. Then the noise of one side is not that of the other: zero lost messages
// have none. It takes three repeats on both.
func neverAndAlways(a, b []float64) (always []float64, ok bool) {
	const enough = 3
	if len(a) < enough || len(b) < enough {
		return nil, false
	}
	none := func(x float64) bool { return x == 0 }
	some := func(x float64) bool { return x > 0 }
	every := func(values []float64, is func(float64) bool) bool {
		return !slices.ContainsFunc(values, func(x float64) bool { return !is(x) })
	}
	switch {
	case every(a, none) && every(b, some):
		return b, true
	case every(b, none) && every(a, some):
		return a, true
	}
	return nil, false
}

func meanOf(values []float64) (mean float64) {
	for _, x := range values {
		mean += x / float64(len(values))
	}
	return mean
}

// squares returns the sum of the squared distances from the mean.
func squares(values []float64) (sum float64) {
	mean := meanOf(values)
	for _, x := range values {
		sum += (x - mean) * (x - mean)
	}
	return sum
}

// apart reports whether both the means and the medians differ by more than chance would
// have them: the means are what Student's t is for, the medians what people are shown.
func apart(a, b []float64, half float64) bool {
	middle := func(values []float64) float64 {
		x, _ := medianOf(slices.Clone(values)).Value()
		return x
	}
	return math.Abs(meanOf(b)-meanOf(a)) > half && math.Abs(middle(b)-middle(a)) > half
}

// studentQuantile returns the t that Student's distribution exceeds, on either side,
// with the probability p: the inverse of studentBeyond.
func studentQuantile(p float64, freedom int) float64 {
	least, most := 0.0, math.Pi/2
	for range 60 { // halvings: all the bits there are
		if middle := (least + most) / 2; studentBeyond(middle, freedom) > p {
			least = middle
		} else {
			most = middle
		}
	}
	return math.Tan(least) * math.Sqrt(float64(freedom))
}

// studentBeyond returns the probability that |t| is greater than sqrt(freedom) * tan(angle)
// (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4).
func studentBeyond(angle float64, freedom int) float64 {
	sin, cos := math.Sincos(angle)
	term, sum := 1.0, 0.0
	if freedom%2 == 0 {
		for k := 0; k <= freedom-2; k += 2 {
			sum += term
			term *= cos * cos * float64(k+1) / float64(k+2)
		}
		return 1 - sin*sum
	}
	term = cos
	for k := 1; k <= freedom-2; k += 2 {
		sum += term
		term *= cos * cos * float64(k+1) / float64(k+2)
	}
	return 1 - (angle+sin*sum)*2/math.Pi
}
