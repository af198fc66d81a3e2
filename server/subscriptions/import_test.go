package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestImport(t *testing.T) {
	const text = "3\t1\n1\t2\n# again\n1\t2\n2\t1\n5\t5\n1\t9223372036854775807\n0\t1\n"
	for name, c := range map[string]struct {
		undirected bool
		want       string
		done       Imported
	}{
		"directed": {false, "0\t1\n1\t2\n1\t9223372036854775807\n2\t1\n3\t1\n5\t5\n", Imported{7, 6, 1}},
		"undirected": {
			true, "0\t1\n1\t0\n1\t2\n1\t3\n1\t9223372036854775807\n2\t1\n3\t1\n5\t5\n9223372036854775807\t1\n",
			Imported{7, 9, 5},
		},
	} {
		path := filepath.Join(t.TempDir(), "friends.db")
		done, err := Import(t.Context(), path, NewEdges(strings.NewReader(text), "edges.tsv"), c.undirected)
		if err != nil || done != c.done {
			t.Errorf("%s: %+v, %v; want %+v", name, done, err, c.done)
			continue
		}
		if got := exported(t, opened(t, OpenReadOnly, path)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestImportFails: of an import that fails nothing is left, and what was there
// before stays.
func TestImportFails(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "friends.db")
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx  context.Context
		path string
		text string
		err  string
	}{
		"a bad line": {t.Context(), path, "1\t2\nx\n", "edges.tsv, line 2: "},
		"ended":      {ended, path, strings.Repeat("1\t2\n", 1<<17), context.Canceled.Error()},
		"no folder":  {t.Context(), filepath.Join(folder, "none", "friends.db"), "1\t2\n", "cannot make "},
	} {
		_, err := Import(c.ctx, c.path, NewEdges(strings.NewReader(c.text), "edges.tsv"), false)
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Import(t.Context(), path, NewEdges(strings.NewReader("1 2"), "edges.tsv"), false)
	if content, _ := os.ReadFile(path); err == nil || !errors.Is(err, fs.ErrExist) || string(content) != "precious" {
		t.Errorf("over a file: %v, it has %q", err, content)
	}
}

// TestImportsTogether: of two imports to one name the one that ends first makes the
// file, and the other one leaves it as it is.
func TestImportsTogether(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "friends.db")
	in, writer := io.Pipe()
	second := make(chan error)
	go func() {
		_, err := Import(t.Context(), path, NewEdges(in, "second"), false)
		second <- err
	}()
	if _, err := io.WriteString(writer, "3\t4\n"); err != nil { // it is under way
		t.Fatal(err)
	}
	if _, err := Import(t.Context(), path, NewEdges(strings.NewReader("1\t2\n"), "first"), false); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if err := <-second; !errors.Is(err, errTaken) || errors.Is(err, fs.ErrExist) {
		t.Errorf("the second import: %v", err)
	}
	if got := exported(t, opened(t, OpenReadOnly, path)); got != "1\t2\n" {
		t.Errorf("the file of the first import has %q", got)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestSorter: many runs are merged to what they were made of, in both directions.
func TestSorter(t *testing.T) {
	s, err := newSorter(t.TempDir(), 64)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	random := rand.New(rand.NewPCG(4, 4))
	ids := []int64{0, 1, 2, 2047, 2048, 1 << 22, 1 << 40, math.MaxInt64 - 1, math.MaxInt64}
	want := map[edge]int{}
	for range 5000 {
		e := edge{ids[random.IntN(len(ids))], ids[random.IntN(len(ids))]}
		if random.IntN(2) == 0 {
			e.id = random.Int64()
		}
		want[e]++
		if err := s.add(e.id, e.key); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spill *spill
		turn  func(edge) edge
	}{
		"publishers": {s.byPublisher, func(e edge) edge { return e }},
		"followers":  {s.byFollower, func(e edge) edge { return edge{e.id, e.key} }},
	} {
		got := map[edge]int{}
		last := edge{-1, -1}
		err := c.spill.merge(func(e edge) error {
			if e.key < last.key || e.key == last.key && e.id < last.id {
				return fmt.Errorf("%v after %v", e, last)
			}
			last = e
			got[c.turn(e)]++
			return nil
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %d different edges of %d, %v", name, len(got), len(want), err)
		}
	}
}

// TestSorterFails: a disk that is full ends the import, however far it has come.
func TestSorterFails(t *testing.T) {
	s, err := newSorter(t.TempDir(), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.byFollower.file.Close() // as good as full
	for i := range int64(1 << 22) {
		if err = s.add(i, i); err != nil {
			break
		}
	}
	if err = errors.Join(err, s.flush()); err == nil {
		t.Error("nothing failed")
	}
}

func TestGenerate(t *testing.T) {
	for _, g := range []Graph{
		{Users: 3, Mean: 1, Seed: 1},
		{Users: 100, Mean: 40, Seed: 2},
		{Users: 1000, Mean: 50, Seed: 3},
		{Users: 5000, Mean: 10, Exponent: 2.1, Seed: 4},
		{Users: 1 << 12, Mean: 1, Exponent: 3.5, Seed: 5},
	} {
		path := filepath.Join(t.TempDir(), "friends.db")
		n, err := Generate(t.Context(), path, g)
		if err != nil {
			t.Fatal(err)
		}
		f := opened(t, OpenReadOnly, path)
		s, err := f.Stats(t.Context())
		if err != nil || s.Subscriptions != n {
			t.Errorf("%+v: %+v, %v, and %d subscriptions were said", g, s, err, n)
		}
		if mean := float64(n) / float64(g.Users); math.Abs(mean-g.Mean) > g.Mean/5 && g.Users >= 100 {
			t.Errorf("%+v: a mean of %v", g, mean)
		}
		lines := exported(t, f)
		for line := range strings.Lines(lines) {
			follower, publisher, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if follower == publisher {
				t.Errorf("%+v: %s follows itself", g, follower)
			}
		}
		again := filepath.Join(t.TempDir(), "again.db")
		if _, err := Generate(t.Context(), again, g); err != nil {
			t.Fatal(err)
		}
		if exported(t, opened(t, OpenReadOnly, again)) != lines {
			t.Errorf("%+v: the same seed gives another graph", g)
		}
		if g.Users == 1000 && (s.Followers.Median >= s.Followers.P99/2 || s.Publishers.P99 > 2*s.Publishers.Median) {
			t.Errorf("%+v: no power law of followers alone: %+v", g, s)
		}
	}
}

func TestGraphValidate(t *testing.T) {
	for _, c := range []struct {
		graph Graph
		err   string
	}{
		{Graph{Users: 1000, Mean: 50}, ""},
		{Graph{Users: 1, Mean: 1}, "1 users: use 3 to"},
		{Graph{Users: 2, Mean: 1}, "2 users: use 3 to"},
		{Graph{Users: 3, Mean: 1}, ""},
		{Graph{Users: 1 << 40, Mean: 1}, "users: use 3 to"},
		{Graph{Users: 100, Mean: 80}, "a mean of 80 followers among 100 users: use 1 to 49.5"},
		{Graph{Users: 100, Mean: math.NaN()}, "a mean of NaN"},
		{Graph{Users: 100}, "a mean of 0"},
		{Graph{Users: 100, Mean: 10, Exponent: 2}, "exponent 2: use more than 2"},
		{Graph{Users: 100, Mean: 10, Exponent: -1}, "exponent -1"},
	} {
		if err := c.graph.Validate(); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, want %q", c.graph, err, c.err)
		}
	}
	if _, err := Generate(t.Context(), filepath.Join(t.TempDir(), "f"), Graph{}); err == nil {
		t.Error("no graph is taken")
	}
}

func TestStats(t *testing.T) {
	var b strings.Builder
	for follower := range 100 { // all follow 1000, and the first three some more
		fmt.Fprintf(&b, "%d\t1000\n", follower)
	}
	b.WriteString("0\t1001\n0\t1002\n1\t1001\n2\t5\n")
	s, err := opened(t, OpenReadOnly, made(t, b.String())).Stats(t.Context())
	want := Stats{
		Users: 103, Subscriptions: 104,
		Followers:  Degrees{Users: 4, Mean: 26, Median: 1, P99: 100, Largest: 100, Of: 1000},
		Publishers: Degrees{Users: 100, Mean: 1.04, Median: 1, P99: 2, Largest: 3, Of: 0},
	}
	if err != nil || s != want {
		t.Errorf("%+v, %v; want %+v", s, err, want)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	path := filepath.Join(t.TempDir(), "large.db")
	if _, err := Generate(t.Context(), path, Graph{Users: 3 * checkEvery, Mean: 2}); err != nil {
		t.Fatal(err)
	}
	f := opened(t, OpenReadOnly, path)
	if _, err := f.Stats(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if err := f.Export(ended, &strings.Builder{}); !errors.Is(err, context.Canceled) {
		t.Errorf("export ended: %v", err)
	}
}
