package msggen

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// chiSquare is the distance of what was seen from what was expected.
func chiSquare(seen []float64, expected func(i int) float64) float64 {
	chi := 0.0
	for i, n := range seen {
		e := expected(i)
		chi += (n - e) * (n - e) / e
	}
	return chi
}

// chiLimit is what chi-square of that many degrees of freedom exceeds once in a
// thousand seeds (Wilson and Hilferty, 1931, who are right to a tenth from 10
// on). The seeds of the tests are fixed.
func chiLimit(freedom int) float64 {
	const z = 3.0902 // the 99.9th percentile of the normal distribution
	f := float64(freedom)
	return f * math.Pow(1-2/(9*f)+z*math.Sqrt(2/(9*f)), 3)
}

func TestUniform(t *testing.T) {
	const ids, draws = 20, 200_000
	var seen [ids]float64
	for _, id := range drawIDs(Config{Senders: 10, FirstID: 5, MaxID: 5 + ids - 1, Seed: 1}, draws) {
		seen[id-5]++
	}
	if chi := chiSquare(seen[:], func(int) float64 { return draws / ids }); chi > chiLimit(ids-1) {
		t.Errorf("chi-square is %.1f for %v", chi, seen)
	}
}

func TestUniformReachesBothEnds(t *testing.T) {
	var random rand.PCG
	for _, n := range []uint64{1, 2, 3, math.MaxUint64, 1<<63 + 1} {
		for range 1000 {
			if got := uniform(&random, n); got >= n {
				t.Fatalf("drew %d below %d", got, n)
			}
		}
	}
	seen := map[uint64]bool{}
	for range 1000 {
		seen[uniform(&random, 3)] = true
	}
	if len(seen) != 3 {
		t.Errorf("1000 draws below 3 gave only %v", seen)
	}
}

// zipfShare is the share of rank k among n, from 1, by the formula: the sum is
// exact, added up from the smallest.
func zipfShare(n int, s float64) func(k int) float64 {
	sum := 0.0
	for k := n; k >= 1; k-- {
		sum += math.Pow(float64(k), -s)
	}
	return func(k int) float64 { return math.Pow(float64(k), -s) / sum }
}

// TestZipfFollowsItsFormula holds each of 40 ranks against k^-s / Σ k^-s.
func TestZipfFollowsItsFormula(t *testing.T) {
	const n, draws = 40, 400_000
	for _, s := range []float64{1e-6, 0.1, 0.5, 0.8, 0.99, 1 - 1e-9, 1, 1 + 1e-9, 1.01, 1.2, 1.5, 2, 2.5} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			z, random := newZipf(n, s), rand.NewPCG(11, 12)
			seen := make([]float64, n)
			for range draws {
				seen[z.rank(random)]++
			}
			share := zipfShare(n, s)
			chi := chiSquare(seen, func(i int) float64 { return draws * share(i+1) })
			if chi > chiLimit(n-1) {
				t.Errorf("chi-square is %.1f, above %.1f, for %v", chi, chiLimit(n-1), seen)
			}
		})
	}
}

// TestZipfOfManyIDs does so for a million ids, whose ranks it gathers into twenty
// classes of one, two, four… ranks.
func TestZipfOfManyIDs(t *testing.T) {
	const n, draws = 1_000_000, 200_000
	class := func(rank uint64) int { return bits.Len64(rank+1) - 1 }
	for _, s := range []float64{0.3, 0.8, 1, 1.1} {
		z, random := newZipf(n, s), rand.NewPCG(11, 12)
		seen := make([]float64, class(n-1)+1)
		for range draws {
			seen[class(z.rank(random))]++
		}
		expected, sum := make([]float64, len(seen)), 0.0
		for k := n; k >= 1; k-- {
			share := math.Pow(float64(k), -s)
			expected[bits.Len(uint(k))-1] += share
			sum += share
		}
		for i := range expected {
			expected[i] *= draws / sum
		}
		// Chi-square wants at least five expected in each.
		first := slices.IndexFunc(expected, func(e float64) bool { return e >= 5 })
		if first > 8 {
			t.Fatalf("s = %v leaves too few classes: %v", s, expected)
		}
		seen, expected = seen[first:], expected[first:]
		chi := chiSquare(seen, func(i int) float64 { return expected[i] })
		if limit := chiLimit(len(seen) - 1); chi > limit {
			t.Errorf("s = %v: chi-square is %.1f, above %.1f, for %v, expected %v", s, chi, limit, seen, expected)
		}
	}
}

func TestZipfAtItsEnds(t *testing.T) {
	random := rand.NewPCG(1, 2)
	for _, n := range []uint64{1, 2, 3, maxIDs} {
		for _, s := range []float64{1e-300, 1e-9, 1, 20, maxExponent} {
			z := newZipf(n, s)
			for range 2000 {
				if rank := z.rank(random); rank >= n || s >= 20 && rank > 1 {
					t.Fatalf("of %d ids with exponent %v it drew rank %d", n, s, rank)
				}
			}
		}
	}
}

// TestScatterIsAPermutation for every n up to 600, and a few more.
func TestScatterIsAPermutation(t *testing.T) {
	sizes := []uint64{1023, 1024, 1025, 99_991, 1 << 17}
	for n := range uint64(600) {
		sizes = append(sizes, n+1)
	}
	for _, n := range sizes {
		s := newScatter(n, 42)
		seen := make([]bool, n)
		for i := range n {
			to := s.at(i)
			if to >= n || seen[to] {
				t.Fatalf("of %d ids, %d goes to %d, which is outside or taken", n, i, to)
			}
			seen[to] = true
		}
	}
}

// TestScatterScatters: where the ranks go is not ordered, nor the same with
// another seed.
func TestScatterScatters(t *testing.T) {
	const n = 10_007
	s, other := newScatter(n, 1), newScatter(n, 2)
	rising, alike, near := 0, 0, 0
	for i := range uint64(n - 1) {
		if s.at(i) < s.at(i+1) {
			rising++
		}
		if distance := int64(s.at(i)) - int64(s.at(i+1)); -10 <= distance && distance <= 10 {
			near++
		}
		if s.at(i) == other.at(i) {
			alike++
		}
	}
	// By chance half are rising, ± 29 (a permutation's standard deviation is
	// √(n/12)), one is alike, and 20 are near.
	if rising < n/2-150 || rising > n/2+150 || alike > 10 || near > 50 {
		t.Errorf("of %d ranks %d rise, %d lie near the one before, and %d go where another seed has them", n, rising, near, alike)
	}
}

// TestZipfIDsAreScattered: the likely ids of a generator are not the first.
func TestZipfIDsAreScattered(t *testing.T) {
	const ids = 100_000
	top := func(seed uint64) []int64 {
		counts := map[int64]int{}
		for _, id := range drawIDs(Config{FirstID: 1, MaxID: ids, Seed: seed, Distribution: Distribution{Shape: Zipf, Exponent: 1.2}}, 100_000) {
			counts[id]++
		}
		likely := make([]int64, 0, len(counts))
		for id := range counts {
			likely = append(likely, id)
		}
		slices.SortFunc(likely, func(a, b int64) int { return counts[b] - counts[a] })
		return likely[:10]
	}
	first, other := top(1), top(2)
	if slices.IsSorted(first) || slices.Max(first) < ids/10 {
		t.Errorf("the likeliest ids are %v", first)
	}
	if first[0] == other[0] {
		t.Errorf("id %d is the likeliest with two seeds", first[0])
	}
}

func TestHotSet(t *testing.T) {
	const draws = 200_000
	for _, test := range []struct {
		ids           int64
		messages, hot float64
		count         int // hot ids
	}{
		{1000, 0, 0, 100}, // the defaults
		{1000, 0.8, 0.2, 200},
		{1000, 0.5, 0.001, 1},
		{10, 0.9, 0.0001, 1}, // at least one
		{10, 0.9, 1, 10},
		{10, 1, 0.5, 5},
		{1, 0.5, 0.5, 1},
	} {
		d := Distribution{Shape: Hot, HotMessages: test.messages, HotIDs: test.hot}
		share := d.withDefaults().HotMessages
		if int64(test.count) == test.ids {
			share = 1
		}
		seen := make([]float64, test.ids)
		for _, id := range drawIDs(Config{MaxID: test.ids, Seed: 5, Distribution: d}, draws) {
			seen[id-1]++
		}
		if most := slices.Max(seen); test.count >= 100 && slices.Min(seen[:test.count]) > most/3 {
			t.Errorf("%+v: the hot ids come first", test)
		}
		// The hot ones are those drawn most; which those are, chance decides only
		// where hot and cold are nearly as likely, which no row here has.
		slices.SortFunc(seen, func(a, b float64) int { return int(b - a) })
		cold := float64(test.ids) - float64(test.count)
		expected := func(i int) float64 {
			if i < test.count {
				return draws * share / float64(test.count)
			}
			return draws * (1 - share) / cold
		}
		if cold > 0 && share == 1 {
			for _, n := range seen[test.count:] {
				if n > 0 {
					t.Errorf("%+v: a cold id got %v messages", test, n)
				}
			}
			seen = seen[:test.count]
		}
		if len(seen) > 1 {
			if chi := chiSquare(seen, expected); chi > chiLimit(len(seen)-1) {
				t.Errorf("%+v: chi-square is %.1f, above %.1f", test, chi, chiLimit(len(seen)-1))
			}
		}
	}
}

func TestSequential(t *testing.T) {
	ids := drawIDs(Config{Senders: 3, FirstID: 5, MaxID: 8, Distribution: Distribution{Shape: Sequential}}, 10)
	if want := []int64{5, 6, 7, 8, 5, 6, 7, 8, 5, 6}; !slices.Equal(ids, want) {
		t.Errorf("the ids are %v, want %v", ids, want)
	}
}
