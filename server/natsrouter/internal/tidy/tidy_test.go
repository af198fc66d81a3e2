package tidy

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemory: memory is given back once after each rush, and not for less.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		name   string
		counts []int // second by second
		want   []int // those at which it was freed
	}{
		{"nobody", []int{0, 0, 0}, nil},
		{"few", []int{100, 4000, 4000, 4000}, nil},
		{"a rush", []int{0, 5000, 15_000, 15_000, 15_000, 15_000}, []int{15_000}},
		{"some come and go", []int{15_000, 15_000, 15_100, 14_900, 16_000, 16_000}, []int{15_000}},
		{"a trickle", []int{10_000, 10_000, 10_100, 10_200}, []int{10_000}},
		{"a second rush", []int{15_000, 15_000, 100_000, 100_000, 100_000}, []int{15_000, 100_000}},
		{"a quarter of many", []int{100_000, 100_000, 110_000, 110_000, 125_000, 125_000}, []int{100_000, 125_000}},
		{"all leave", []int{15_000, 15_000, 200, 0, 0, 0}, []int{15_000, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(len(c.counts))*every+every/2)
				defer cancel()
				second := -1
				var got []int
				Memory(ctx, func() int {
					second++
					return c.counts[second]
				}, func() { got = append(got, c.counts[second]) })
				if !slices.Equal(got, c.want) {
					t.Errorf("freed at %v, want %v", got, c.want)
				}
			})
		})
	}
}
