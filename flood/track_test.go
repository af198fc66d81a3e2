package flood

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"example.org/comet/server/wire"
)

// model is what the account of a connection stands for: the numbers that came,
// in a list for each sequence.
type model map[sequenceKey][]uint64

func (m model) see(s wire.Stamp) arrival {
	key := sequenceKey{s.Sequence, s.Run}
	come := m[key]
	if slices.Contains(come, s.N) {
		return arrival{}
	}
	a := arrival{fresh: true, reordered: len(come) > 0 && s.N < slices.Max(come)}
	m[key] = append(come, s.N)
	a.missing = missingOf(m[key]) - missingOf(come)
	return a
}

// missingOf counts the numbers between the lowest and the highest that have not
// come.
func missingOf(come []uint64) int64 {
	if len(come) == 0 {
		return 0
	}
	return int64(slices.Max(come)-slices.Min(come)+1) - int64(len(come))
}

// checkAccount holds the account of one connection against the model, and what
// it holds against its budget.
func checkAccount(t *testing.T, stamps []wire.Stamp) {
	t.Helper()
	o, m := &observer{config: &Config{}, held: newBudget()}, make(model)
	var r reading
	for i, s := range stamps {
		if got, want := o.arrived(&r, s), m.see(s); got != want {
			t.Fatalf("%v: stamp %d of the sequence is %+v, want %+v", stamps, i, got, want)
		}
	}
	if o.hasAccount(&r) {
		acc := o.spares.rows[r.spare].account
		units := len(acc.gaps.spans)*gapUnits + len(acc.others)*sequenceUnits
		for _, s := range acc.others {
			units += len(s.gaps.spans) * gapUnits
		}
		if acc.held.used != units || acc.held.all.used != units {
			t.Fatalf("%v: the account holds %d units, and says %d, of all %d", stamps, units, acc.held.used, acc.held.all.used)
		}
	}
	all := o.held.all
	if o.spares.drop(&r); all.used != 0 || len(o.spares.free) != max(len(o.spares.rows)-1, 0) {
		t.Fatalf("%v: %d units and %d rows are held by nobody", stamps, all.used, len(o.spares.rows)-1-len(o.spares.free))
	}
}

// TestAccount tries every sequence of some length: numbers beside each other,
// numbers far apart, those of two generators, and those of several ids.
func TestAccount(t *testing.T) {
	of := func(run wire.Run, id wire.Sequence, numbers ...uint64) (all []wire.Stamp) {
		for _, n := range numbers {
			all = append(all, wire.Stamp{Run: run, Sequence: id, N: n})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		stamps []wire.Stamp
		length int
	}{
		{"one sequence", of(1, 1, 1, 2, 3, 4, 5, 6), 6},
		{"far apart", of(1, 1, 1, 2, 63, 64, 65, 66, 128, 129, 130, wire.MaxNumber), 5},
		{"two generators to one id", slices.Concat(of(1, 1, 1, 2, 3), of(2, 1, 1, 2, 3)), 6},
		{"three ids of one generator", slices.Concat(of(1, 1, 1, 2), of(1, 2, 1, 2), of(1, 3, 1, 3)), 6},
		{"stamps without a sequence among others", slices.Concat(of(1, wire.NoSequence, 1, 2, 3), of(1, 1, 1, 2, 3)), 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stamps := make([]wire.Stamp, c.length)
			for turn := make([]int, c.length); ; {
				for i, k := range turn {
					stamps[i] = c.stamps[k]
				}
				checkAccount(t, stamps)
				i := 0
				for ; i < len(turn); i++ {
					if turn[i]++; turn[i] < len(c.stamps) {
						break
					}
					turn[i] = 0
				}
				if i == len(turn) {
					return
				}
			}
		})
	}
}

// TestAccountOfManySequences: more than are found one by one.
func TestAccountOfManySequences(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var stamps []wire.Stamp
	for range 3000 {
		stamps = append(stamps, wire.Stamp{Run: wire.Run(random.IntN(2)), Sequence: wire.Sequence(random.IntN(20)), N: 1 + random.Uint64N(20)})
	}
	checkAccount(t, stamps)
}

// TestHowLateMakesNoDifference: a message that is any number of places late is
// reordered, and neither lost nor a duplicate.
func TestHowLateMakesNoDifference(t *testing.T) {
	for _, late := range []uint64{1, 63, 64, 65, 1000, 100_000} {
		o := newObserver(&Flood{script: new(script)})
		var r reading
		for n := range late + 2 {
			if n != 1 {
				o.stamped(&r, wire.Stamp{N: n + 1}, o.begun)
			}
		}
		o.stamped(&r, wire.Stamp{N: 2}, o.begun)
		o.stamped(&r, wire.Stamp{N: 2}, o.begun)
		if c := o.counts; c.Delivered != late+2 || c.Reordered != 1 || c.Duplicated != 1 || c.Missing != 0 || c.UnknownTracks != 0 {
			t.Errorf("%d places late: %+v", late, c)
		}
	}
}

// lossy receives every second number of a connection.
func lossy(o *observer, r *reading, gaps int) {
	for i := range gaps + 1 {
		o.stamped(r, wire.Stamp{Sequence: 1, N: uint64(2*i + 1)}, o.begun)
	}
}

// TestTheAccountIsUnknownBeyondItsBudget, and says so, but not before it is.
func TestTheAccountIsUnknownBeyondItsBudget(t *testing.T) {
	const most = 64
	small := func(o *observer) { o.held.gapsPerSequence = most }
	full := func(o *observer) { o.held.most = most }
	shared := func(o *observer) { o.held.all.most = most }
	for name, bound := range map[string]func(*observer){"of a sequence": small, "of a connection": full, "of all": shared} {
		t.Run(name, func(t *testing.T) {
			o := newObserver(&Flood{script: new(script)})
			bound(o)
			var r reading
			lossy(o, &r, 10*most)
			held := len(o.spares.rows[r.spare].account.gaps.spans)
			if c := o.counts; c.Missing != 10*most || c.UnknownTracks != 0 || held > most || held < most/2 {
				t.Fatalf("%d gaps are held: %+v; what was given up has not come, so all is known", held, c)
			}
			// One of those that are held comes, and one that was given up.
			o.stamped(&r, wire.Stamp{Sequence: 1, N: 20 * most}, o.begun)
			if c := o.counts; c.Missing != 10*most-1 || c.Reordered != 1 || c.UnknownTracks != 0 {
				t.Errorf("%+v", c)
			}
			before := o.counts
			for range 3 {
				o.stamped(&r, wire.Stamp{Sequence: 1, N: 2}, o.begun)
			}
			c := o.counts
			if c.UnknownTracks != 1 || c.Stamped != before.Stamped+3 || c.Delivered != before.Delivered || c.Duplicated != before.Duplicated || c.Missing != before.Missing {
				t.Errorf("%+v, before it was unknown %+v", c, before)
			}
			if o.held.all.used > most && name == "of all" {
				t.Errorf("%d units are held", o.held.all.used)
			}
		})
	}
}

func TestTooManySequencesAreUnknown(t *testing.T) {
	o := newObserver(&Flood{script: new(script)})
	o.held.most = 10 * sequenceUnits
	var r reading
	for range 2 {
		for id := range 20 {
			o.stamped(&r, wire.Stamp{Sequence: wire.Sequence(id), N: 1}, o.begun)
		}
	}
	if c := o.counts; c.Stamped != 40 || c.Delivered != 11 || c.Duplicated != 11 || c.UnknownTracks != 1 || c.Missing != 0 {
		t.Errorf("%+v, want the usual one and 10 more, and the account unknown", c)
	}
}

// TestNumbersThatCannotBeReal: the highest that is a stamp at all, on as many
// connections as a process has files.
func TestNumbersThatCannotBeReal(t *testing.T) {
	o := newObserver(&Flood{script: new(script)})
	for range 20_000 {
		var r reading
		o.stamped(&r, wire.Stamp{N: wire.MaxNumber}, o.begun)
		o.stamped(&r, wire.Stamp{N: 1}, o.begun)
		o.stamped(&r, wire.Stamp{N: wire.MaxNumber / 2}, o.begun)
	}
	if c := o.counts; c.Missing != 20_000*(wire.MaxNumber-3) || c.Delivered != 60_000 {
		t.Errorf("%+v", c)
	}
}

func TestReadingIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(reading{}); size != 56 {
		t.Errorf("a reading takes %d bytes, its comment says 56", size)
	}
}

func FuzzAccount(f *testing.F) {
	f.Add([]byte{1, 1, 1, 130, 1, 200, 66, 0, 255})
	f.Add([]byte{64, 128, 65, 129, 66, 64, 254, 3, 254, 200})
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := wire.Stamp{Run: 1, Sequence: 1, N: 1000}
		var stamps []wire.Stamp
		for _, step := range steps[:min(len(steps), 500)] {
			switch step {
			case 255:
				s.Run = (s.Run + 1) % 3
				continue
			case 254:
				s.Sequence = (s.Sequence + 1) % 12
				continue
			}
			// Forward or back by up to 127.
			s.N = max(s.N+uint64(step&127)-uint64(step>>7)*2*uint64(step&127), 1)
			if s.N > wire.MaxNumber { // went below zero
				s.N = 1
			}
			stamps = append(stamps, s)
		}
		checkAccount(t, slices.Clip(stamps))
	})
}

func BenchmarkAccount(b *testing.B) {
	for _, sequences := range []int{1, 3, 50} {
		b.Run(fmt.Sprintf("sequences=%d", sequences), func(b *testing.B) {
			o := newObserver(&Flood{script: new(script)})
			var r reading
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o.arrived(&r, wire.Stamp{Sequence: wire.Sequence(i % sequences), N: uint64(i/sequences + 1)})
			}
		})
	}
}

// TestOneSequenceInSoManyIsTracked: of the others all that comes counts as delivered,
// and how much that is.
func TestOneSequenceInSoManyIsTracked(t *testing.T) {
	o := newObserver(&Flood{cfg: Config{TrackOneIn: 4}, script: new(script)})
	var r reading
	const sequences = 4000
	for range 2 { // the second time all are duplicates
		for i := range wire.Sequence(sequences) {
			o.stamped(&r, wire.Stamp{Run: 1, Sequence: i, N: 1}, time.Now())
		}
	}
	c := o.counts
	tracked := 2*sequences - c.Untracked
	if c.Delivered != tracked/2+c.Untracked || c.Duplicated != tracked/2 || c.UnknownTracks != 0 {
		t.Errorf("%+v, want half of the %d tracked as duplicates", c, tracked)
	}
	if tracked < sequences/3 || tracked > sequences*2/3 { // 2,000, give or take 55
		t.Errorf("%d of %d are tracked, want one in 4", tracked, 2*sequences)
	}
	if held := len(o.spares.rows[r.spare].account.others); uint64(held)+1 < tracked/2-1 || uint64(held) > tracked/2 {
		t.Errorf("%d accounts are held for %d sequences", held, tracked/2)
	}
}
