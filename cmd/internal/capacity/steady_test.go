package capacity

import (
	"math/rand/v2"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// held returns moments of a phase with a latency each.
func held(phase string, latency ...float64) (moments []result.Moment) {
	for i, l := range latency {
		moments = append(moments, result.Moment{Seconds: float64(i), Phase: phase, Latency: result.Quantiles{P50: result.Of(l)}})
	}
	return moments
}

func TestSettling(t *testing.T) {
	connected := func(n ...float64) (moments []result.Moment) {
		for i, one := range n {
			moments = append(moments, result.Moment{Seconds: float64(i), Phase: "messages", Connected: result.Of(one), DeliveredPerSecond: result.Of(1000)})
		}
		return moments
	}
	for _, c := range []struct {
		name    string
		moments []result.Moment
		want    trend
	}{
		{"nothing", nil, steady},
		{"nothing measured", make([]result.Moment, 20), steady},
		{"level", held("messages", 1, 1, 1, 1, 1, 1, 1, 1), steady},
		{"noise", held("messages", 1, 1.2, 0.9, 1.1, 0.8, 1.3, 0.9, 1), steady},
		{"a queue that grows", held("messages", 1, 2, 3, 4, 5, 6, 7, 8), worsening},
		{"it warms up", held("messages", 9, 8, 7.1, 6, 5, 4, 3, 2), improving},
		{"it warms up while connecting", append(held("connect", 9, 8, 7, 6, 5, 4, 3), held("messages", 2, 2, 2, 2, 2, 2)...), steady},
		{"the first second is not whole", held("messages", 90, 1, 1, 1, 1, 1, 1, 1), steady},
		{"too few to tell", held("messages", 1, 2, 3, 4), steady},
		{"a slope that does not matter", held("messages", 1, 1.001, 1.002, 1.003, 1.004, 1.005, 1.006), steady},
		{"connections leave", connected(1000, 1000, 960, 920, 880, 840, 800, 760), worsening},
		{"connections come back", connected(500, 600, 700, 800, 900, 1000, 1100), improving},
		{"latency grows while connections come", func() []result.Moment {
			all := connected(500, 600, 700, 800, 900, 1000, 1100)
			for i := range all {
				all[i].Latency.P50 = result.Of(i + 1)
			}
			return all
		}(), worsening},
	} {
		if got := settling(c.moments); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestSettlingOfNoise gives it noise without a slope: it hardly ever sees one.
func TestSettlingOfNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	wrong := 0
	for range 1000 {
		latency := make([]float64, 30)
		for i := range latency {
			latency[i] = 10 + r.NormFloat64()*3
		}
		if settling(held("messages", latency...)) != steady {
			wrong++
		}
	}
	if wrong > 20 {
		t.Errorf("a slope was seen in %d of 1000 noises", wrong)
	}
}
