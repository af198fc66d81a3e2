//go:build system && linux

package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// pairwise returns some of the cases, the fewest of some greedy choices, in which each two values of different factors that are together in any of the
// cases are together. A case is one value for each factor.
func pairwise(cases [][]string) (fewest [][]string) {
	cases = slices.Clone(cases)
	random := rand.New(rand.NewPCG(1, 2)) // the same choice each time
	for range 20 {
		if chosen := greedy(cases); fewest == nil || len(chosen) < len(fewest) {
			fewest = chosen
		}
		random.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	}
	return fewest
}

// greedy takes the case with most pairs that are missing until none is.
func greedy(cases [][]string) (chosen [][]string) {
	missing := make(map[pair]bool)
	for _, c := range cases {
		for _, p := range pairsOf(c) {
			missing[p] = true
		}
	}
	for len(missing) > 0 {
		best, most := 0, 0
		for i, c := range cases {
			n := 0
			for _, p := range pairsOf(c) {
				if missing[p] {
					n++
				}
			}
			if n > most {
				best, most = i, n
			}
		}
		chosen = append(chosen, cases[best])
		for _, p := range pairsOf(cases[best]) {
			delete(missing, p)
		}
	}
	return chosen
}

// pair is two values of the factors first and second.
type pair struct {
	first, second int
	a, b          string
}

func pairsOf(c []string) (pairs []pair) {
	for i := range c {
		for j := i + 1; j < len(c); j++ {
			pairs = append(pairs, pair{i, j, c[i], c[j]})
		}
	}
	return pairs
}

// product returns all cases of factors that are valid.
func product(valid func(c []string) bool, factors ...[]string) (cases [][]string) {
	cases = [][]string{nil}
	for _, values := range factors {
		var longer [][]string
		for _, c := range cases {
			for _, v := range values {
				longer = append(longer, append(slices.Clone(c), v))
			}
		}
		cases = longer
	}
	return slices.DeleteFunc(cases, func(c []string) bool { return !valid(c) })
}

// TestSystemPairwise: of 3*3*3 cases 9 have all pairs, those that are not valid
// are not there, and of the endings there are few enough for each build.
func TestSystemPairwise(t *testing.T) {
	three := []string{"a", "b", "c"}
	for _, test := range []struct {
		all         [][]string
		least, most int
	}{
		{product(func([]string) bool { return true }, three, three, three), 9, 12},
		{product(func(c []string) bool { return c[0] != c[1] }, three, three, []string{"x"}), 6, 6},
		{product(func(c []string) bool { return c[0] == "a" }, three, three), 3, 3},
		{allEndings(), 30, 40},
	} {
		some := pairwise(test.all)
		if len(some) < test.least || len(some) > test.most {
			t.Errorf("%d of %d cases, want %d to %d", len(some), len(test.all), test.least, test.most)
		}
		seen := make(map[pair]bool)
		for _, c := range some {
			for _, p := range pairsOf(c) {
				seen[p] = true
			}
		}
		for _, c := range test.all {
			for _, p := range pairsOf(c) {
				if !seen[p] {
					t.Fatalf("%v is in none", p)
				}
			}
		}
	}
}
