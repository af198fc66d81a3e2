package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/comet/server/subscriptions"
)

// befriended returns a configuration with so many connections of a graph of edges, or of
// one that is made, and the graph opened.
func befriended(t *testing.T, connections int, seed uint64, edges string) (*Config, *friends) {
	t.Helper()
	cfg := config(t)
	cfg.Connections, cfg.Seed = connections, seed
	cfg.Graph = &Graph{Made: subscriptions.Graph{Users: 500, Mean: 10}}
	if edges != "" {
		cfg.Graph = &Graph{File: filepath.Join(t.TempDir(), "friends.db")}
		if _, err := subscriptions.Import(t.Context(), cfg.Graph.File, subscriptions.NewEdges(strings.NewReader(edges), "edges"), false); err != nil {
			t.Fatal(err)
		}
	}
	f, err := openFriends(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return &cfg, f
}

// TestFriendsAreDrawnByTheSeed: the same ones connect each time, others with another
// seed, and what was made for them is removed.
func TestFriendsAreDrawnByTheSeed(t *testing.T) {
	_, first := befriended(t, 100, 7, "")
	_, again := befriended(t, 100, 7, "")
	_, other := befriended(t, 100, 8, "")
	if !slices.Equal(first.followers, again.followers) || slices.Equal(first.followers, other.followers) {
		t.Errorf("%v, then %v, with another seed %v", first.followers, again.followers, other.followers)
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(first.followers))); len(sorted) != 100 {
		t.Errorf("%d of 100 are different", len(sorted))
	}
	if n := first.connecting.Len(); n != 100 || first.connecting.Cell(3, 0) == "" || first.sending.Len() != len(first.publishers) {
		t.Errorf("%d users connect", n)
	}
	folder := first.folder
	if first.close(); folder == "" {
		t.Error("nothing was made")
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", folder, err)
	}
	cfg, _ := befriended(t, 2, 0, "")
	if cfg.Seed == 0 || !strings.Contains(cfg.Progress.(*bytes.Buffer).String(), "graph    making one of 500 users with 10 followers each, of seed ") {
		t.Errorf("seed %d, %s", cfg.Seed, cfg.Progress)
	}
}

// TestAudience holds whom an event is for against the graph's other direction.
func TestAudience(t *testing.T) {
	cfg, f := befriended(t, 100, 7, "")
	for _, n := range []int{100, 30} {
		cfg.Connections = n
		a, err := f.audience(cfg)
		if err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for i, publisher := range f.publishers {
			ids, _, err := f.graph.Followers(publisher)
			if err != nil {
				t.Fatal(err)
			}
			want := uint32(0)
			for id := range ids {
				if slices.Contains(f.followers[:n], id) {
					want++
				}
			}
			if sum += uint64(want); a.weights[i] != want || want > a.most {
				t.Errorf("an event of %d is for %d, want %d", publisher, a.weights[i], want)
			}
		}
		if a.sum != sum || sum == 0 {
			t.Errorf("%d subscriptions, want %d", a.sum, sum)
		}
	}
}

func TestFriendsThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	cfg, f := befriended(t, 3, 1, "1 7\n2 7\n3 8\n")
	a, err := f.audience(cfg)
	if err != nil || !slices.Equal(a.weights, []uint32{2, 1}) || a.most != 2 || a.longest != 1 || a.reach() != 2 {
		t.Errorf("%+v, %v", a, err)
	}
	cfg.Steps = []int{3, 4}
	if _, err := openFriends(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "who follow somebody, each of whom has one: open 3 or fewer") {
		t.Error(err)
	}
	cfg.Graph = &Graph{File: filepath.Join(folder, "none.db")}
	if _, err := openFriends(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "there is no ") {
		t.Error(err)
	}
}
