package flood

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []float64
	var sum Spread
	for range 5 { // as of five floods
		var one Spread
		for range 2000 {
			us := math.Exp(random.Float64() * math.Log(float64(mostMicros)))
			all = append(all, math.Floor(us)/1000)
			one.add(time.Duration(us) * time.Microsecond)
		}
		text, err := json.Marshal(&one)
		if err != nil {
			t.Fatal(err)
		}
		var read Spread
		if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(read, one) {
			t.Fatalf("%s reads as another: %v", text, err)
		}
		sum.Add(&read)
	}
	slices.Sort(all)
	q := sum.Quantiles()
	if q.Count != 10_000 || sum.Count() != 10_000 || q.Max != all[len(all)-1] {
		t.Errorf("%d times up to %v, want 10,000 up to %v", q.Count, q.Max, all[len(all)-1])
	}
	for share, got := range map[float64]float64{0.5: q.P50, 0.9: q.P90, 0.99: q.P99, 0.999: q.P999} {
		if want := all[int(share*10_000)-1]; got < want || got > 1.008*want {
			t.Errorf("quantile %v is %v, want %v or 0.8 %% more", share, got, want)
		}
	}
	sum.Reset()
	if sum.Quantiles() != nil || sum.Count() != 0 {
		t.Errorf("after Reset there are %d times", sum.Count())
	}
}

func TestSpreadEnds(t *testing.T) {
	var s Spread
	s.add(-time.Second)
	s.add(24 * time.Hour)
	q := s.Quantiles()
	if q.P50 != 0 || q.Max != float64(mostMicros)/1000 || q.P99 > q.Max {
		t.Errorf("%+v, want 0 and ten minutes", q)
	}
}

func TestSpreadRefuses(t *testing.T) {
	for _, text := range []string{
		`[]`, `[1,2]`, `[1,-2,3]`, `{}`, `"x"`, `null`, `[600000001]`, `[1,3200,1]`, `[1,99999999999999999999,1]`,
		`[1,18446744073709551615,1,1,1]`, `[1,1,18446744073709551615]`, `[1,1,9223372036854775807,1,9223372036854775807,1,9223372036854775807]`,
		`[1000,800,1]`, `[1000,1,1]`, `[5]`, // the longest time is in the highest bucket
		`[1,1,0]`, `[2,1,1,0,1,1,1]`, // a bucket that is empty, or comes twice
		`[1,1,281474976710657]`, `[2,1,281474976710656,1,1]`, // so many that a sum would overflow
	} {
		var s Spread
		if err := json.Unmarshal([]byte(text), &s); err == nil && text != "null" {
			t.Errorf("%s is read as %+v", text, s.Quantiles())
		}
	}
}

// FuzzSpread: what is read as a distribution is one, that can be written, added and read
// again.
func FuzzSpread(f *testing.F) {
	for _, text := range []string{
		`[0]`, `[5,5,1]`, `[0,0,7]`, `[600000000,0,1,2959,2]`, `[1000,100,3,700,1,90,1]`, `[1,0,0]`, `[7,1,1,0,1]`, `[1,1,281474976710656]`, `null`, `[1,2]`, `[]`,
	} {
		f.Add(text, `[9,3,4]`)
	}
	f.Fuzz(func(t *testing.T, text, more string) {
		var s, again, other Spread
		if json.Unmarshal([]byte(text), &s) != nil {
			return
		}
		checkSpread(t, text, &s)
		written, err := json.Marshal(&s)
		if err == nil {
			err = json.Unmarshal(written, &again)
		}
		if err != nil || again.Count() != s.Count() || !reflect.DeepEqual(again.Quantiles(), s.Quantiles()) {
			t.Fatalf("%s is written as %s, and read as %+v, %v", text, written, again.Quantiles(), err)
		}
		var numbers, rewritten []json.Number // there is one way to write it
		if json.Unmarshal([]byte(text), &numbers) == nil && json.Unmarshal(written, &rewritten) == nil && numbers != nil && !slices.Equal(numbers, rewritten) {
			t.Errorf("%s is written as %s", text, written)
		}
		if json.Unmarshal([]byte(more), &other) != nil {
			return
		}
		before := s.Count()
		s.Add(&other)
		if s.Count() != before+other.Count() || s.most != max(again.most, other.most) {
			t.Errorf("%s and %s are %d up to %d", text, more, s.Count(), s.most)
		}
		checkSpread(t, text+" and "+more, &s)
	})
}

// checkSpread checks what must hold of each distribution.
func checkSpread(t *testing.T, text string, s *Spread) {
	t.Helper()
	var sum uint64
	for bucket, n := range s.counts {
		if sum += n; n > 0 && bucket > bucketOf(s.most, spreadFine) {
			t.Fatalf("%s has times in bucket %d, and none above %d", text, bucket, s.most)
		}
	}
	q := s.Quantiles()
	if sum != s.count || (q == nil) != (sum == 0) {
		t.Fatalf("%s has %d times, and counts %d", text, sum, s.count)
	}
	if q != nil && (q.Count < 0 || !slices.IsSorted([]float64{0, q.P50, q.P90, q.P99, q.P999, q.Max}) || q.Max > float64(mostMicros)/1000) {
		t.Errorf("%s: %+v", text, q)
	}
}
