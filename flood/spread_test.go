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
	} {
		var s Spread
		if err := json.Unmarshal([]byte(text), &s); err == nil && text != "null" {
			t.Errorf("%s is read as %+v", text, s.Quantiles())
		}
	}
}
