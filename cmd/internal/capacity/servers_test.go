package capacity

import (
	"math"
	"math/rand/v2"
	"time"
)

// madeUp is a server that is made up: what it holds is known.
type madeUp struct {
	name string
	// holds reports whether a load that is held from at for d meets its target.
	holds func(r *rand.Rand, load float64, at, d time.Duration) bool
	// truth is the most that holds at a time.
	truth func(at time.Duration) float64
	// carried is what it carries of a load that fails; nil hints at nothing.
	carried func(load float64, at time.Duration) float64
}

// steadyAt returns a truth that does not change.
func steadyAt(n float64) func(time.Duration) float64 { return func(time.Duration) float64 { return n } }

// madeUpServers returns servers that hold n, each with a difficulty of its own.
func madeUpServers(n float64) []madeUp {
	hard := func(_ *rand.Rand, load float64, _, _ time.Duration) bool { return load <= n }
	moving := func(name string, truth func(time.Duration) float64) madeUp {
		return madeUp{name: name, truth: truth, holds: func(_ *rand.Rand, load float64, at, d time.Duration) bool {
			return load <= truth(at+d)
		}}
	}
	return []madeUp{
		{name: "a hard limit", truth: steadyAt(n), holds: hard},
		{name: "a hard limit that shows", truth: steadyAt(n), holds: hard, carried: func(float64, time.Duration) float64 { return n }},
		{name: "an overload that carries less", truth: steadyAt(n), holds: hard, carried: func(load float64, _ time.Duration) float64 { return n * n / load }},
		{name: "latency of a queue", truth: steadyAt(n), holds: queue(n)},
		{name: "a soft threshold", truth: steadyAt(n), holds: func(r *rand.Rand, load float64, _, _ time.Duration) bool {
			return r.Float64() < 1/(1+math.Exp((load/n-1)/0.01))
		}},
		{name: "accidents", truth: steadyAt(n), holds: func(r *rand.Rand, load float64, _, d time.Duration) bool {
			return load <= n && r.Float64() > 1-math.Exp(-d.Seconds()/200)
		}},
		{name: "failures one time in ten", truth: steadyAt(n), holds: func(r *rand.Rand, load float64, _, _ time.Duration) bool {
			return load <= n && r.Float64() > 0.1
		}},
		{name: "luck one time in ten", truth: steadyAt(n), holds: func(r *rand.Rand, load float64, _, _ time.Duration) bool {
			return load <= n || load < 2*n && r.Float64() < 0.1
		}},
		{name: "each step has to warm up", truth: steadyAt(n), holds: func(_ *rand.Rand, load float64, _, d time.Duration) bool {
			return load <= n && (d > 10*time.Second || load <= 0.7*n)
		}},
		{name: "short trials flatter", truth: steadyAt(n), holds: func(_ *rand.Rand, load float64, _, d time.Duration) bool {
			return load <= n || d < 10*time.Second && load <= 1.2*n
		}},
		moving("it warms up", func(at time.Duration) float64 { return n * (1 - 0.5*math.Exp(-at.Seconds()/40)) }),
		moving("it drifts up and down", func(at time.Duration) float64 { return n * (1 + 0.02*math.Sin(at.Seconds()/100)) }),
		moving("it holds less as time goes", func(at time.Duration) float64 { return n * (1 - 0.2*at.Seconds()/1200) }),
		moving("it lost a third on the way", func(at time.Duration) float64 {
			if at > 3*time.Minute {
				return n * 2 / 3
			}
			return n
		}),
	}
}

// queue returns a server whose latency grows as that of a queue does, 1/(1-rho), with
// noise, and meets its target up to n.
func queue(n float64) func(r *rand.Rand, load float64, at, d time.Duration) bool {
	const service, target = 2.0, 50.0 // milliseconds
	most := n / (1 - service/target)
	return func(r *rand.Rand, load float64, _, d time.Duration) bool {
		rho := load / most
		if rho >= 1 {
			return false
		}
		noise := math.Exp(r.NormFloat64() * 0.3 / math.Sqrt(d.Seconds()))
		return service/(1-rho)*noise < target
	}
}
