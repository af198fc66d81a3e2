package msggen

import (
	"math"
	"math/rand/v2"
)

// zipf draws ranks from 0 to n-1, rank k-1 in proportion to h(k) = k^-s, for
// any s above 0. It holds no table, and takes the same time for any n.
//
// It inverts H, the integral of h, and rejects what the step from the integral
// to the sum makes too likely: Hörmann and Derflinger, "Rejection-inversion to
// generate variates from monotone discrete distributions", ACM Transactions on
// Modeling and Computer Simulation 6 (1996). H is shifted so that H(1) = 0,
// which holds for s = 1 too, where H is the logarithm.
type zipf struct {
	n float64
	// power is 1 - s.
	power float64
	// low and high bound what is inverted: H(1.5) - h(1) and H(n + 0.5).
	low, high float64
	// sure is how far below its rounding a point may lie to need no further look.
	sure float64
}

func newZipf(n uint64, exponent float64) zipf {
	z := zipf{n: float64(n), power: 1 - exponent}
	z.low = z.integral(1.5) - 1
	z.high = z.integral(z.n + 0.5)
	z.sure = 2 - z.inverse(z.integral(2.5)-z.likelihood(2))
	return z
}

// rank draws a rank, 0 for the likeliest.
func (z *zipf) rank(random *rand.PCG) uint64 {
	for {
		u := z.high + unit(random)*(z.low-z.high)
		x := z.inverse(u)
		// Rounding errors may lead half a step out of the range.
		k := max(1, min(math.Floor(x+0.5), z.n))
		if k-x <= z.sure || u >= z.integral(k+0.5)-z.likelihood(k) {
			return uint64(k) - 1
		}
	}
}

// likelihood returns h(x) = x^-s.
func (z *zipf) likelihood(x float64) float64 {
	return math.Exp((z.power - 1) * math.Log(x))
}

// nearOne is where 1 - s, times what it stands with, is too small to divide by:
// two terms of the series are exact there.
const nearOne = 1e-8

// integral returns H(x) = (x^(1-s) - 1) / (1-s), and log x for s = 1.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	if t := z.power * log; math.Abs(t) > nearOne {
		return math.Expm1(t) / z.power
	}
	return log * (1 + z.power*log/2)
}

// inverse returns the x for which H(x) = u: (1 + u(1-s))^(1/(1-s)), and e^u for s = 1.
func (z *zipf) inverse(u float64) float64 {
	// Rounding may lead below -1, where H has no value any more.
	t := max(-1, z.power*u)
	if math.Abs(t) > nearOne {
		return math.Exp(math.Log1p(t) / z.power)
	}
	return math.Exp(u * (1 - t/2))
}
