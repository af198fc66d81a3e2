package subscriptions

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// made returns the path of a file with the subscriptions of edges.
func made(tb testing.TB, edges string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "friends.db")
	if _, err := Import(tb.Context(), path, NewEdges(strings.NewReader(edges), "edges.tsv"), false); err != nil {
		tb.Fatal(err)
	}
	return path
}

// opened returns an open file that is closed at the end of the test.
func opened(tb testing.TB, open func(string) (*File, error), path string) *File {
	tb.Helper()
	f, err := open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := f.Close(); err != nil {
			tb.Error(err)
		}
	})
	return f
}

// exported returns the graph as lines.
func exported(tb testing.TB, f *File) string {
	tb.Helper()
	var b strings.Builder
	if err := f.Export(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func TestOpenNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "friends.db")
	if _, err := OpenReadOnly(path); err == nil || !strings.Contains(err.Error(), "there is no "+path) {
		t.Errorf("read-only: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(path); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("read-only: %v", err)
	}
	f := opened(t, Open, path)
	if ids, n, err := f.Followers(1); n != 0 || err != nil || len(slices.Collect(ids)) != 0 {
		t.Errorf("%d followers, %v", n, err)
	}
	s, err := f.Stats(t.Context())
	if err != nil || s != (Stats{}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestOpenTwice: who comes second is told so, and does not wait for ever; those
// who only read can be several.
func TestOpenTwice(t *testing.T) {
	path := made(t, "1 2\n")
	reader := opened(t, OpenReadOnly, path)
	opened(t, OpenReadOnly, path)
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another process has "+path+" open") {
		t.Errorf("to write beside readers: %v", err)
	}
	if _, err := reader.Add(1, 3); err == nil || !strings.Contains(err.Error(), "for reading only") {
		t.Errorf("change of a reader: %v", err)
	}
	other := made(t, "1 2\n")
	opened(t, Open, other)
	for name, open := range map[string]func(string) (*File, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
		if _, err := open(other); err == nil || !strings.Contains(err.Error(), "another process has "+other+" open") {
			t.Errorf("%s beside a writer: %v", name, err)
		}
	}
}

// TestOpenOther: a file of something else is named, and stays as it is.
func TestOpenOther(t *testing.T) {
	folder := t.TempDir()
	foreign := filepath.Join(folder, "foreign.db")
	db, err := bbolt.Open(foreign, 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("key")); return err })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(folder, "edges.tsv")
	long := filepath.Join(folder, "long.tsv")
	for name, content := range map[string]string{text: "1\t2\n", long: strings.Repeat("1\t2\n", 10_000)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{foreign, text, long} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func(string) (*File, error){"Open": Open, "OpenReadOnly": OpenReadOnly} {
			if _, err := open(path); err == nil || !strings.Contains(err.Error(), path+" is not a file of subscriptions") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s has changed; %v", path, err)
		}
	}
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
}

// TestCutShort: a file that lost its end is damaged, however much is missing.
func TestCutShort(t *testing.T) {
	path := made(t, largeGraph())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sizes := []int{os.Getpagesize()} // the first page, and no second one
	for size := len(whole) - 1; size > 0; size -= max(1, len(whole)/50) {
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		cut := filepath.Join(t.TempDir(), "cut.db")
		if err := os.WriteFile(cut, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenReadOnly(cut)
		if err == nil {
			f.Close()
			t.Fatalf("%d of %d bytes are taken", size, len(whole))
		}
		if size >= os.Getpagesize() && !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%d of %d bytes: %v", size, len(whole), err)
		}
	}
}

// largeGraph is one of several pages.
func largeGraph() string {
	var b strings.Builder
	random := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		b.WriteString(strings.Join([]string{digits(random.IntN(700)), digits(random.IntN(700))}, "\t") + "\n")
	}
	return b.String()
}

func digits(n int) string { return string(appendDigits(nil, n)) }

func appendDigits(b []byte, n int) []byte {
	if n >= 10 {
		b = appendDigits(b, n/10)
	}
	return append(b, byte('0'+n%10))
}

// TestDamaged: whatever bytes of a file are overwritten, it is refused, or read
// with an error at the worst. Changes are tried where the heads of pages are whole:
// bbolt believes the length in them, and frees billions of pages one by one.
func TestDamaged(t *testing.T) {
	whole, err := os.ReadFile(made(t, largeGraph()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged.db")
	refused := 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 2))
		heads := seed%2 == 0
		damaged := slices.Clone(whole)
		for range 1 + random.IntN(20) {
			at := random.IntN(len(damaged))
			if page := at / os.Getpagesize() * os.Getpagesize(); heads {
				at = page + random.IntN(64)
			} else if at-page < 16 {
				continue
			}
			damaged[at] = byte(random.Uint32())
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenReadOnly(path)
		if err != nil {
			refused++
			continue
		}
		if _, err := f.Stats(t.Context()); err != nil {
			refused++
		}
		for id := range int64(700) {
			_, _, _ = f.Followers(id)
			_, _, _ = f.Publishers(id)
		}
		f.Close()
		if heads {
			continue
		}
		if f, err = Open(path); err == nil {
			_, _ = f.Add(1, 2, 3, 4, 5)
			_, _ = f.Set(5, 699)
			f.Close()
		}
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}
