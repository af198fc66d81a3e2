//go:build !nonats

package natsrouter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestWants walks through what becomes of an id that is wanted, and what of the
// tickets for it.
func TestWants(t *testing.T) {
	w := newWants(Exact)
	var b batch
	subs := map[int64]*nats.Subscription{}
	take := func(begin, end string) {
		t.Helper()
		w.take(&b)
		var ended []int64
		for _, sub := range b.end {
			for key, s := range subs {
				if s == sub {
					ended = append(ended, key)
				}
			}
		}
		slices.Sort(ended)
		begun := slices.Sorted(slices.Values(b.begin))
		if got := fmt.Sprint(begun, ended); got != begin+" "+end {
			t.Fatalf("the batch begins and ends %s, want %s %s", got, begin, end)
		}
		for _, key := range b.begin {
			subs[key] = new(nats.Subscription)
			w.made(key, subs[key])
		}
	}
	ticketIs := func(got, want uint64) {
		t.Helper()
		if got != want {
			t.Fatalf("ticket %d, want %d", got, want)
		}
	}
	settledIs := func(want uint64, subscriptions, pending int) {
		t.Helper()
		s, p := w.counts()
		if got := w.settled.Load(); got != want || s != subscriptions || p != pending {
			t.Fatalf("settled %d of %d subscriptions, %d pending; want %d, %d, %d", got, s, p, want, subscriptions, pending)
		}
	}
	ticketIs(w.add([]int64{1, 2}), 1)
	ticketIs(w.add([]int64{2, 3}), 1) // gathers
	settledIs(0, 3, 3)
	take("[1 2 3]", "[]")
	ticketIs(w.add([]int64{1}), 1) // under way
	ticketIs(w.add([]int64{4}), 2) // meanwhile
	settledIs(0, 4, 4)
	w.acknowledged(1, []int64{1, 2, 3})
	settledIs(1, 4, 1)
	ticketIs(w.add([]int64{1}), 0) // in force
	take("[4]", "[]")
	w.acknowledged(2, []int64{4})
	settledIs(2, 4, 0)

	w.drop([]int64{1, 1}) // the third time is left
	w.drop([]int64{4})
	ticketIs(w.add([]int64{4}), 0) // wanted again before its end
	w.drop([]int64{3})
	take("[]", "[3]")
	w.acknowledged(b.number, nil)
	settledIs(3, 3, 0)
	w.drop([]int64{1, 3, 77}) // 3 and 77 are not wanted at all
	take("[]", "[1]")
	w.acknowledged(b.number, nil)

	ticketIs(w.add([]int64{5}), 5)
	w.drop([]int64{5}) // gone before the batch
	take("[]", "[]")
	w.acknowledged(b.number, nil)
	settledIs(5, 2, 0)
	ticketIs(w.add([]int64{6}), 6)
	take("[6]", "[]")
	w.drop([]int64{6}) // gone before the acknowledgement
	w.acknowledged(b.number, b.begin)
	take("[]", "[6]")

	w.again()
	settledIs(6, 2, 2)
	take("[2 4]", "[]")
	w.acknowledged(b.number, b.begin)
	settledIs(8, 2, 0)

	if left := w.leave(); len(left) != 2 {
		t.Errorf("%d subscriptions are left, want 2", len(left))
	}
	ticketIs(w.add([]int64{9}), 0)
	w.drop([]int64{2, 4, 9})
	settledIs(1<<64-1, 0, 0)
}

// TestWantsByKey: the ids of a block share a subscription, and all ids do.
func TestWantsByKey(t *testing.T) {
	for _, c := range []struct {
		interest Interest
		keys     []int64
		subject  string // of the last
	}{
		{Exact, []int64{0, 1, 1023, 1024, 5000}, "p.4.5000"},
		{Block, []int64{0, 1, 4}, "p.4.*"},
		{All, []int64{0}, "p.*.*"},
	} {
		w := newWants(c.interest)
		w.add([]int64{0, 1, 1023, 1024, 5000})
		var b batch
		w.take(&b)
		if !slices.Equal(b.begin, c.keys) {
			t.Errorf("%s: subscribes to %d, want %d", c.interest, b.begin, c.keys)
		}
		if s := c.interest.subject(nil, "p", b.begin[len(b.begin)-1]); s != c.subject {
			t.Errorf("%s: subject %s, want %s", c.interest, s, c.subject)
		}
		w.drop([]int64{0})
		w.take(&b)
		if n, _ := w.counts(); (n == len(c.keys)) != (c.interest != Exact) {
			t.Errorf("%s: %d subscriptions after one id of %d has gone", c.interest, n, len(c.keys))
		}
	}
}

// TestWantTable compares random changes with a map.
func TestWantTable(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var table wantTable
	known := map[int64]uint32{}
	for range 50_000 {
		key := r.Int64N(3000) << r.IntN(3) << (r.IntN(2) * 40)
		e := table.find(key)
		count, there := known[key]
		if (e != nil) != there || there && (e.key != key || e.tag != count) {
			t.Fatalf("key %d: found %v, want %d, %v", key, e, count, there)
		}
		switch {
		case e == nil:
			known[key] = r.Uint32()
			table.insert(key).tag = known[key]
		case r.IntN(3) > 0:
			table.remove(key)
			delete(known, key)
		}
		if table.used != len(known) {
			t.Fatalf("%d are used, want %d", table.used, len(known))
		}
	}
	n := 0
	for e := range table.all {
		if n++; known[e.key] != e.tag {
			t.Errorf("key %d has %d, want %d", e.key, e.tag, known[e.key])
		}
	}
	if n != len(known) {
		t.Errorf("%d in all, want %d", n, len(known))
	}
}

func TestNodeNames(t *testing.T) {
	if err := checkName(defaultName()); err != nil {
		t.Error(err)
	}
	for name, good := range map[string]bool{"a": true, "web-1": true, "7a": true, "": false, "7": false, "a.b": false, "a b": false, "*": false, ">": false} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("name %q: error %v", name, err)
		}
	}
	if err := (NodeConfig{Interest: "some"}).Validate(); err == nil {
		t.Error("interest some is allowed, and no router")
	}
}

// BenchmarkWants is what an event loop pays for a login and its end.
func BenchmarkWants(b *testing.B) {
	w := newWants(Exact)
	var taken batch
	ids := []int64{0}
	for b.Loop() {
		ids[0]++
		w.add(ids)
		w.drop(ids)
		if ids[0]%64 == 0 {
			w.take(&taken)
		}
	}
}
