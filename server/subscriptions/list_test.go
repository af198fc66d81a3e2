package subscriptions

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestList(t *testing.T) {
	for _, ids := range [][]int64{
		{0},
		{1},
		{math.MaxInt64},
		{0, math.MaxInt64},
		{0, 1, 2, 3},
		{5, 127, 128, 300, 1 << 40},
		{math.MaxInt64 - 1, math.MaxInt64},
	} {
		list := appendList(nil, ids)
		n, err := checkList(list)
		got := slices.Collect(idsOf(list))
		if err != nil || n != len(ids) || !slices.Equal(got, ids) {
			t.Errorf("%d: %d of them, %d, %v", ids, n, got, err)
		}
		for i := range list[1:] {
			if _, err := checkList(list[:i+1]); err == nil {
				t.Errorf("%d cut to %d bytes of %d is taken", ids, i+1, len(list))
			}
		}
		if _, err := checkList(append(list, 0)); err == nil {
			t.Errorf("%d and one more byte is taken", ids)
		}
	}
	if n, err := checkList(nil); n != 0 || err != nil || len(slices.Collect(idsOf(nil))) != 0 {
		t.Errorf("nothing: %d, %v", n, err)
	}
	for name, list := range map[string][]byte{
		"a number without end":     bytes.Repeat([]byte{0xff}, 11),
		"more ids than bytes":      {5, 1, 1},
		"an id over 2^63-1":        appendList(nil, []int64{math.MinInt64}),
		"a sum over 2^63-1":        append(append([]byte{2}, appendList(nil, []int64{math.MaxInt64 - 1})[1:]...), 1),
		"one more after the last":  append(append([]byte{2}, appendList(nil, []int64{math.MaxInt64})[1:]...), 0),
		"a gap that wraps":         append([]byte{2, 1}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"fewer ids than there are": {1, 1, 1},
	} {
		if n, err := checkList(list); err == nil {
			t.Errorf("%s is taken for %d ids", name, n)
		}
	}
}

// FuzzList: what is taken for a list is read as ascending ids, and these are
// written as a list of the same.
func FuzzList(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendList(nil, []int64{1, 2, 300, math.MaxInt64}))
	f.Add([]byte{0x80, 0x00})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0})
	f.Fuzz(func(t *testing.T, list []byte) {
		n, err := checkList(list)
		if err != nil {
			return
		}
		ids, err := appendIDs(nil, list)
		if err != nil || len(ids) != n {
			t.Fatalf("%d ids of %d, %v", len(ids), n, err)
		}
		for i, id := range ids {
			if id < 0 || i > 0 && id <= ids[i-1] {
				t.Fatalf("%d do not ascend", ids)
			}
		}
		again, err := appendIDs(nil, appendList(nil, ids))
		if err != nil || !slices.Equal(again, ids) {
			t.Fatalf("%d became %d, %v", ids, again, err)
		}
	})
}

func BenchmarkList(b *testing.B) {
	ids := make([]int64, 10_000)
	for i := range ids {
		ids[i] = int64(i) * 97
	}
	list := appendList(nil, ids)
	b.ReportAllocs()
	for b.Loop() {
		sum := int64(0)
		for id := range idsOf(list) {
			sum += id
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ids)), "ns/id")
}
