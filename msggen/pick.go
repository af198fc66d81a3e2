package msggen

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// picker draws one of n ids, counted from 0.
type picker func(random *rand.PCG) uint64

// picker returns the picker of d among n ids, which must be above 0. seed decides
// which ids are the likely ones.
func (d Distribution) picker(n, seed uint64) picker {
	switch d = d.withDefaults(); d.Shape {
	case Zipf:
		zipf, scattered := newZipf(n, d.Exponent), newScatter(n, seed)
		return func(random *rand.PCG) uint64 { return scattered.at(zipf.rank(random)) }
	case Hot:
		return hotPicker(n, d, newScatter(n, seed))
	case Sequential:
		// All senders share the count: each with one of its own would have them
		// all send to the same id at the same time.
		next := n - 1
		return func(*rand.PCG) uint64 {
			if next++; next == n {
				next = 0
			}
			return next
		}
	}
	return func(random *rand.PCG) uint64 { return uniform(random, n) }
}

func hotPicker(n uint64, d Distribution, scattered scatter) picker {
	hot := min(n, max(1, uint64(math.Round(d.HotIDs*float64(n)))))
	cold := n - hot
	return func(random *rand.PCG) uint64 {
		rank := uint64(0)
		if cold == 0 || unit(random) <= d.HotMessages {
			rank = uniform(random, hot)
		} else {
			rank = hot + uniform(random, cold)
		}
		return scattered.at(rank)
	}
}

// unit draws a number in (0, 1], each multiple of 2^-53 as likely as any other.
func unit(random *rand.PCG) float64 {
	return float64(random.Uint64()>>11+1) * 0x1p-53
}

// uniform draws a number below n, each as likely as any other: the high half of
// a 128-bit product, of which the few low halves that would favour some results
// are drawn again (Lemire, "Fast Random Integer Generation in an Interval",
// 2019).
func uniform(random *rand.PCG, n uint64) uint64 {
	high, low := bits.Mul64(random.Uint64(), n)
	if low < n {
		for unfair := -n % n; low < unfair; {
			high, low = bits.Mul64(random.Uint64(), n)
		}
	}
	return high
}

// scatter is a permutation of the numbers below n, so that the likely ids of a
// skewed distribution do not lie side by side, where they would share a block
// of the router or an array's cache lines. It takes no memory.
//
// Each round is a bijection of the numbers of that many bits: adding, multiplying
// by an odd number, and xoring the high half into the low one all can be
// undone. What lands at n or above goes round again until it lands below, which
// it must, since walking on would lead back to where it came from (Black and
// Rogaway, "Ciphers with Arbitrary Finite Domains", 2002, method 2). That takes
// two walks at worst on average.
type scatter struct {
	n     uint64
	mask  uint64
	shift int
	keys  [3]struct{ add, multiply uint64 }
}

func newScatter(n, seed uint64) scatter {
	width := bits.Len64(n - 1)
	s := scatter{n: n, mask: 1<<width - 1, shift: (width + 1) / 2}
	random := rand.NewPCG(seed, streamScatter)
	for i := range s.keys {
		s.keys[i].add, s.keys[i].multiply = random.Uint64(), random.Uint64()|1
	}
	return s
}

// at returns where i goes, which must be below n.
func (s *scatter) at(i uint64) uint64 {
	for {
		for _, key := range s.keys {
			i = (i + key.add) * key.multiply & s.mask
			i ^= i >> s.shift
		}
		if i < s.n {
			return i
		}
	}
}
