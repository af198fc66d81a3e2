package subscriptions

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// graph is what a file must hold: who follows whom.
type graph map[int64]map[int64]bool

// step makes the next change of a sequence, and returns what to do to a file for
// the same.
func (g graph) step(random *rand.Rand, first, followers int64) func(*File) (Changed, error) {
	follower := first + random.Int64N(followers)
	var publishers []int64
	for range random.IntN(5) {
		publishers = append(publishers, random.Int64N(30))
	}
	if g[follower] == nil {
		g[follower] = make(map[int64]bool)
	}
	kind := random.IntN(3)
	if kind == 0 {
		g[follower] = make(map[int64]bool)
	}
	for _, p := range publishers {
		if kind == 2 {
			delete(g[follower], p)
		} else {
			g[follower][p] = true
		}
	}
	switch kind {
	case 0:
		return func(f *File) (Changed, error) { return f.Set(follower, publishers...) }
	case 1:
		return func(f *File) (Changed, error) { return f.Add(follower, publishers...) }
	}
	return func(f *File) (Changed, error) { return f.Remove(follower, publishers...) }
}

// lines lists the graph as Export does.
func (g graph) lines() string {
	var b strings.Builder
	for _, follower := range slices.Sorted(maps.Keys(g)) {
		for _, publisher := range slices.Sorted(maps.Keys(g[follower])) {
			fmt.Fprintf(&b, "%d\t%d\n", follower, publisher)
		}
	}
	return b.String()
}

// checkBoth compares the two directions of a file.
func checkBoth(tb testing.TB, f *File, g graph) {
	tb.Helper()
	for publisher := range int64(30) {
		ids, n, err := f.Followers(publisher)
		if err != nil {
			tb.Fatal(err)
		}
		got := slices.Collect(ids)
		var want []int64
		for _, follower := range slices.Sorted(maps.Keys(g)) {
			if g[follower][publisher] {
				want = append(want, follower)
			}
		}
		if !slices.Equal(got, want) || n != len(want) {
			tb.Errorf("%d is followed by %d, want %d", publisher, got, want)
		}
	}
}

func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "friends.db")
	f := opened(t, Open, path)
	g := graph{}
	random := rand.New(rand.NewPCG(1, 1))
	n := 0
	for range 300 {
		changed, err := g.step(random, 0, 20)(f)
		if err != nil {
			t.Fatal(err)
		}
		n += changed.Added - changed.Removed
		if got := strings.Count(g.lines(), "\n"); n != got {
			t.Fatalf("the changes add up to %d subscriptions, of %d", n, got)
		}
	}
	if got := exported(t, f); got != g.lines() {
		t.Errorf("got\n%s\nwant\n%s", got, g.lines())
	}
	checkBoth(t, f, g)
	if _, err := f.Stats(t.Context()); err != nil {
		t.Error(err)
	}
	for _, err := range []error{second(f.Add(-1, 1)), second(f.Add(1, 3, -2)), second(f.Remove(1, -3)), second(f.Set(1, -3))} {
		if err == nil || !strings.Contains(err.Error(), "is not an id") {
			t.Errorf("a negative id: %v", err)
		}
	}
	if _, err := f.Set(1); err != nil {
		t.Error(err)
	}
	if _, n, err := f.Publishers(1); n != 0 || err != nil {
		t.Errorf("after Set to nobody: %d, %v", n, err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestChangesTogether: changes by many goroutines are all there, though they share
// commits, and readers see whole lists meanwhile.
func TestChangesTogether(t *testing.T) {
	f := opened(t, Open, filepath.Join(t.TempDir(), "friends.db"))
	graphs := make([]graph, 8)
	var changing sync.WaitGroup
	for i := range graphs {
		graphs[i] = graph{}
		changing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 3))
			for range 40 {
				if _, err := graphs[i].step(random, int64(i)*100, 5)(f); err != nil {
					t.Error(err)
				}
				if _, _, err := f.Followers(random.Int64N(30)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	changing.Wait()
	all := graph{}
	for _, g := range graphs {
		maps.Copy(all, g)
	}
	if got := exported(t, f); got != all.lines() {
		t.Errorf("got\n%s\nwant\n%s", got, all.lines())
	}
	checkBoth(t, f, all)
}

// TestChangeDamaged: one list that is damaged keeps no other change from its file.
func TestChangeDamaged(t *testing.T) {
	f := opened(t, Open, made(t, "1 2\n"))
	bad := &change{follower: 1, remove: []int64{2}}
	good := &change{follower: 3, add: []int64{4}}
	// The list of the followers of 2 loses 1.
	tx, err := f.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Bucket(followersBucket).Put(keyOf(2), appendList(nil, []int64{9})); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	f.commit([]*change{bad, good})
	if bad.err == nil || !strings.Contains(bad.err.Error(), "is damaged") || bad.changed != (Changed{}) {
		t.Errorf("%+v, %v", bad.changed, bad.err)
	}
	if good.err != nil || good.changed.Added != 1 {
		t.Errorf("%+v, %v", good.changed, good.err)
	}
}

func BenchmarkAdd(b *testing.B) {
	f := opened(b, Open, made(b, largeGraph()))
	id := int64(0)
	for b.Loop() {
		id++
		if _, err := f.Add(id%700, 1000+id); err != nil {
			b.Fatal(err)
		}
	}
}
