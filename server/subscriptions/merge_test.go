package subscriptions

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// files opens files that begin with the same subscriptions.
func files(t *testing.T, n int, edges string) []*File {
	t.Helper()
	list := make([]*File, n)
	for i := range list {
		list[i] = opened(t, Open, made(t, edges))
	}
	return list
}

// everything returns all changes that a file has.
func everything(tb testing.TB, f *File) []Entry {
	tb.Helper()
	list, more, lost, err := f.Missing(State{}, 1<<30)
	if err != nil || more || lost {
		tb.Fatalf("more %v, lost %v, %v", more, lost, err)
	}
	return list
}

// catchUp gives f what from has, a part at a time.
func catchUp(tb testing.TB, f, from *File, bytes int) (applied int) {
	tb.Helper()
	for {
		state, err := f.State()
		if err != nil {
			tb.Fatal(err)
		}
		list, more, lost, err := from.Missing(state, bytes)
		if err != nil || lost {
			tb.Fatalf("lost %v, %v", lost, err)
		}
		m, err := f.Merge(list)
		if err != nil {
			tb.Fatal(err)
		}
		applied += m.Applied
		if !more {
			return applied
		}
		if m.Applied == 0 {
			tb.Fatal("it does not come to an end")
		}
	}
}

// same fails unless files hold the same in both directions.
func same(tb testing.TB, list []*File) {
	tb.Helper()
	want := exported(tb, list[0])
	for i, f := range list {
		if got := exported(tb, f); got != want {
			tb.Fatalf("file %d has\n%s\nand file 0\n%s", i, got, want)
		}
		if _, err := f.Stats(tb.Context()); err != nil { // compares the directions
			tb.Fatal(err)
		}
	}
}

// TestMerge: changes of three files reach all of them, in another order each, some
// twice; in the end they hold the same, and of each follower and publisher what the
// last change about them said.
func TestMerge(t *testing.T) {
	for seed := range uint64(2) {
		list := files(t, 3, "0 1\n1 2\n2 2\n")
		random := rand.New(rand.NewPCG(seed, 9))
		want := graph{0: {1: true}, 1: {2: true}, 2: {2: true}}
		for range 60 {
			// Stamps ascend over all files, as time does: the model is the sequence.
			f := list[random.IntN(len(list))]
			changed, err := want.step(random, 0, 3)(f)
			if err != nil {
				t.Fatal(err)
			}
			for end := changed.Last.Stamp; time.Now().UnixNano() <= end; { //nolint:revive // the clock is coarse
			}
			if random.IntN(8) == 0 {
				catchUp(t, list[random.IntN(len(list))], list[random.IntN(len(list))], 1+random.IntN(100))
			}
		}
		for _, to := range random.Perm(len(list)) {
			for _, from := range random.Perm(len(list)) {
				catchUp(t, list[to], list[from], 1+random.IntN(200))
				if again := catchUp(t, list[to], list[from], 1<<20); again != 0 {
					t.Errorf("%d changes were applied twice", again)
				}
			}
		}
		for to := range list {
			for from := range list {
				catchUp(t, list[to], list[from], 1<<20)
			}
		}
		same(t, list)
		if got := exported(t, list[0]); got != want.lines() {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want.lines())
		}
		for _, f := range list { // the same once more, and out of order
			m, err := f.Merge(everything(t, list[1]))
			if err != nil || m.Applied != 0 {
				t.Errorf("what is there already: %+v, %v", m, err)
			}
		}
	}
}

// TestMergeConcurrent: of changes that were made without knowing of each other, the
// later one holds, in whatever order they arrive.
func TestMergeConcurrent(t *testing.T) {
	at := func(origin uint64, stamp int64) place { return place{origin: origin, seq: 1, stamp: stamp} }
	for _, c := range []struct {
		name string
		list []entry
		want string
	}{
		{"all and all", []entry{{setEntry, at(1, 10), 1, []int64{8}}, {setEntry, at(2, 20), 1, []int64{9}}}, "1\t9\n"},
		{"nobody and one more", []entry{{setEntry, at(1, 10), 1, nil}, {addEntry, at(2, 20), 1, []int64{8}}}, "1\t8\n"},
		{"one more and nobody", []entry{{addEntry, at(1, 10), 1, []int64{8}}, {setEntry, at(2, 20), 1, nil}}, ""},
		{"less and all", []entry{{removeEntry, at(1, 20), 1, []int64{7, 9}}, {setEntry, at(2, 10), 1, []int64{7, 8, 9}}}, "1\t8\n"},
		{"add and remove", []entry{{addEntry, at(1, 10), 1, []int64{8}}, {removeEntry, at(2, 20), 1, []int64{8}}}, "1\t7\n"},
		{"remove and add", []entry{{removeEntry, at(1, 10), 1, []int64{8}}, {addEntry, at(2, 20), 1, []int64{8}}}, "1\t7\n1\t8\n"},
		{"at one time the larger origin", []entry{{addEntry, at(1, 10), 1, []int64{8}}, {removeEntry, at(2, 10), 1, []int64{8}}}, "1\t7\n"},
		{"others", []entry{{setEntry, at(1, 20), 2, []int64{8}}, {addEntry, at(2, 10), 1, []int64{8}}}, "1\t7\n1\t8\n2\t8\n"},
	} {
		for range 2 {
			f := files(t, 1, "1 7\n")[0]
			for _, e := range c.list {
				if m, err := f.Merge([]Entry{e.encode()}); err != nil || m.Applied != 1 {
					t.Fatalf("%s: %+v, %v", c.name, m, err)
				}
			}
			if got := exported(t, f); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
			slices.Reverse(c.list)
		}
	}
}

// TestMergeRefused: what is no change, or follows a gap, leaves the file as it is.
func TestMergeRefused(t *testing.T) {
	f := files(t, 1, "1 7\n")[0]
	now := time.Now().UnixNano()
	add := func(seq uint64, stamp int64) Entry {
		e := entry{addEntry, place{5, seq, stamp}, 1, []int64{8}}
		return e.encode()
	}
	if m, err := f.Merge([]Entry{add(2, now)}); err != nil || m.Applied != 0 || !slices.Equal(m.Last, []Head{{5, 2, now}}) {
		t.Errorf("a gap: %+v, %v", m, err)
	}
	if m, err := f.Merge([]Entry{add(1, now+2*int64(mostAhead))}); !errors.Is(err, errAhead) || m.Applied != 0 || len(m.Last) != 1 {
		t.Errorf("a clock that is ahead: %+v, %v", m, err)
	}
	if m, err := f.Merge([]Entry{add(1, now), Entry("rubbish")}); !errors.Is(err, ErrEntry) || m.Applied != 0 {
		t.Errorf("rubbish: %+v, %v", m, err)
	}
	if m, err := f.Merge([]Entry{add(1, now), add(2, now)}); !errors.Is(err, ErrEntry) || m.Applied != 0 {
		t.Errorf("two at one time: %+v, %v", m, err)
	}
	if m, err := f.Merge(nil); err != nil || m.Applied != 0 {
		t.Errorf("nothing: %+v, %v", m, err)
	}
	if got := exported(t, f); got != "1\t7\n" {
		t.Errorf("the file has %q", got)
	}
	path := made(t, "1 7\n")
	reader := opened(t, OpenReadOnly, path)
	if m, err := reader.Merge([]Entry{add(1, now)}); !errors.Is(err, ErrReadOnly) || len(m.Last) != 1 {
		t.Errorf("a file that is only read: %+v, %v", m, err)
	}
	if state, err := reader.State(); err != nil || len(state.Heads) != 0 {
		t.Errorf("%+v, %v", state, err)
	}
}

// TestMergeLong: a long list is several entries, and the same in the end.
func TestMergeLong(t *testing.T) {
	list := files(t, 2, "1 7\n1 200000\n")
	ids := make([]int64, 100_000)
	for i := range ids {
		ids[i] = int64(i) * 3
	}
	changed, err := list[0].Set(1, ids...)
	if want := uint64(len(ids)+mostEntryIDs-1) / mostEntryIDs; err != nil || changed.Last.Seq != want || changed.Removed != 2 {
		t.Fatalf("%+v, %v; want %d entries", changed, err, want)
	}
	for _, e := range everything(t, list[0]) {
		if len(e) > 64<<10 {
			t.Errorf("an entry of %d bytes", len(e))
		}
	}
	catchUp(t, list[1], list[0], 16<<10)
	same(t, list)
	for _, f := range list {
		if _, n, err := f.Publishers(1); n != len(ids) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
}

// TestJournalBounds: the journal forgets its oldest entries, and says so to who lacks
// them; files that had the same changes forget the same origins.
func TestJournalBounds(t *testing.T) {
	list := files(t, 2, "1 7\n")
	for _, f := range list {
		f.bounds = bounds{entries: 5, bytes: 1 << 20, origins: 3}
	}
	for life := range 6 {
		for i := range 4 {
			changed, err := list[0].Add(int64(life), int64(100+i))
			if err != nil || changed.Last.Seq != uint64(i+1) {
				t.Fatalf("%+v, %v", changed, err)
			}
		}
		if life < 5 {
			catchUp(t, list[1], list[0], 1)
		}
		list[0].origin = 0 // as if it were opened anew
	}
	state, err := list[0].State()
	if err != nil || len(state.Heads) != 3 || state.Horizon == 0 {
		t.Fatalf("%+v, %v", state, err)
	}
	catchUp(t, list[1], list[0], 1<<20)
	same(t, list)
	if other, err := list[1].State(); err != nil || fmt.Sprint(other) != fmt.Sprint(state) {
		t.Errorf("%+v and %+v, %v", state, other, err)
	}
	late := files(t, 1, "1 7\n")[0]
	have, err := late.State()
	if err != nil {
		t.Fatal(err)
	}
	entries, _, lost, err := list[0].Missing(have, 1<<20)
	if err != nil || !lost || len(entries) != 4 { // of the last life; the one before has lost three
		t.Errorf("%d entries, lost %v, %v", len(entries), lost, err)
	}
	// An old change of an origin that is forgotten is one that was had.
	old := entry{removeEntry, place{77, 1, state.Horizon}, 1, []int64{7}}
	if m, err := list[0].Merge([]Entry{old.encode()}); err != nil || m.Applied != 0 || state.Lacks(m.Last[0]) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestJournalCopied: a file and its copy, or an older copy of it, note their changes
// under different origins, and catch up with each other.
func TestJournalCopied(t *testing.T) {
	path := made(t, "1 7\n")
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Add(1, 8); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(t.TempDir(), "older.db")
	if err := os.WriteFile(older, text, 0o600); err != nil {
		t.Fatal(err)
	}
	list := []*File{opened(t, Open, path), opened(t, Open, older)}
	for i, f := range list {
		if _, err := f.Add(1, int64(20+i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range list {
		if n := catchUp(t, list[i], list[1-i], 1<<20); n != 1 {
			t.Errorf("%d changes, want one", n)
		}
	}
	same(t, list)
	if got := exported(t, list[0]); got != "1\t7\n1\t8\n1\t20\n1\t21\n" {
		t.Errorf("got %q", got)
	}
}
