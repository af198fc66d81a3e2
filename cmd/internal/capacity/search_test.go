package capacity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// usualPlan is that of the flags' defaults.
var usualPlan = plan{From: 100, Precision: 0.01, Hold: 30 * time.Second, Repeat: 3, Budget: 20 * time.Minute}

// search runs a plan against a server that is made up, and returns its trials, the
// answer, and how it ended.
func search(p plan, server madeUp, r *rand.Rand) (trials []trial, a answer, end ending) {
	var at time.Duration
	for {
		m := p.next(trials)
		if m.End != "" {
			return trials, p.answer(trials), m.End
		}
		t := trial{Load: m.Load, Hold: m.Hold, Took: m.Hold + time.Duration(r.Int64N(int64(5*time.Second)))}
		t.Held = server.holds(r, m.Load, at, m.Hold)
		at += t.Took
		if !t.Held && server.carried != nil {
			t.Carried = server.carried(m.Load, at)
		}
		trials = append(trials, t)
	}
}

// TestSearchFindsTheTruth searches servers of every kind and size: at least 95 of 100
// answers are within 5 % of the truth, and each keeps to its budget.
func TestSearchFindsTheTruth(t *testing.T) {
	const seeds = 100
	var all, right int
	for kind := range madeUpServers(1) {
		var name string
		good, trials, took := 0, 0, time.Duration(0)
		for seed := range uint64(seeds) {
			r := rand.New(rand.NewPCG(seed, uint64(kind)))
			server := madeUpServers(math.Round(150 * math.Pow(10, 3*r.Float64())))[kind]
			name = server.name
			done, a, end := search(usualPlan, server, r)
			total := spent(done)
			if total > usualPlan.Budget {
				t.Errorf("%s, seed %d: took %v, over the budget of %v", name, seed, total, usualPlan.Budget)
			}
			truth := server.truth(total)
			if math.Abs(a.Load/truth-1) <= 0.05 {
				good++
			} else if testing.Verbose() {
				t.Logf("%s, seed %d: %v instead of %.0f after %d trials, %v (%s)", name, seed, a, truth, len(done), total, end)
			}
			trials, took = trials+len(done), took+total
		}
		all, right = all+seeds, right+good
		t.Logf("%-28s %3d of %d within 5 %%; %d trials and %v in the mean", name, good, seeds, trials/seeds, (took / seeds).Round(time.Second))
		if good < seeds*90/100 {
			t.Errorf("%s: only %d of %d answers are within 5 %% of the truth", name, good, seeds)
		}
	}
	if right < all*95/100 {
		t.Errorf("%d of %d answers are within 5 %% of the truth", right, all)
	}
}

// TestSearchSteps holds whole searches against what they should try.
func TestSearchSteps(t *testing.T) {
	const s, f = 5 * time.Second, 30 * time.Second
	hard := func(n float64) madeUp { return madeUpServers(n)[0] }
	shown := func(n float64) madeUp { return madeUpServers(n)[1] }
	step := func(hold time.Duration, loads ...float64) (list []string) {
		for _, l := range loads {
			list = append(list, fmt.Sprintf("%v for %v", l, hold))
		}
		return list
	}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for _, c := range []struct {
		name   string
		plan   plan
		server madeUp
		want   []string
		answer answer
		end    ending
	}{
		{
			"a limit that shows is found at once", usualPlan, shown(1531),
			join(step(s, 100, 200, 400, 800, 1600, 1600, 1531, 1532), step(f, 1532, 1532, 1531, 1531, 1531)),
			answer{Load: 1531, Held: 3, Of: 3, Spread: spread{1531, 1532}},
			found,
		},
		{
			"the lowest load fails", usualPlan, hard(50),
			join(step(s, 100, 100), step(f, 100, 100)),
			answer{Spread: spread{0, 100}},
			firstFails,
		},
		{
			"as much as is allowed holds",
			plan{From: 100, To: 500, Precision: 0.01, Hold: f, Repeat: 3},
			hard(1e6),
			join(step(s, 100, 200, 400, 500), step(f, 500, 500, 500)),
			answer{Load: 500, Held: 3, Of: 3, Spread: spread{500, 0}},
			atTheTop,
		},
		{
			"one step is all that is allowed",
			plan{From: 100, To: 100, Precision: 0.01, Hold: f, Repeat: 1},
			hard(1e6),
			join(step(s, 100), step(f, 100)),
			answer{Load: 100, Held: 1, Of: 1, Spread: spread{100, 0}},
			atTheTop,
		},
		{
			"no time for a trial",
			plan{From: 100, Hold: f, Repeat: 3, Precision: 0.01, Budget: 3 * time.Second},
			hard(1e6),
			nil,
			answer{},
			noTime,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			trials, a, end := search(c.plan, c.server, rand.New(rand.NewPCG(1, 2)))
			var got []string
			for _, one := range trials {
				got = append(got, step(one.Hold, one.Load)...)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) || a != c.answer || end != c.end {
				t.Errorf("%v\nends with %+v: %s\nwant %v\nand %+v: %s", got, a, end, c.want, c.answer, c.end)
			}
		})
	}
}
