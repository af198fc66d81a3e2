package subscriptions

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// someEntries returns one of each kind.
func someEntries() []entry {
	p := place{origin: 1 << 63, seq: 300, stamp: 1_800_000_000_000_000_000}
	return []entry{
		{addEntry, p, 7, []int64{0}},
		{removeEntry, p, 1<<63 - 1, []int64{1, 1<<63 - 1}},
		{setEntry, p, 0, []int64{3, 4, 5}},
		{setEntry, p, 0, nil},
	}
}

func TestEntry(t *testing.T) {
	for _, e := range someEntries() {
		text := e.encode()
		got, err := parseEntry(text)
		if err != nil || got.kind != e.kind || got.place != e.place || got.follower != e.follower || !slices.Equal(got.ids, e.ids) {
			t.Errorf("%x: %+v, %v, want %+v", text, got, err, e)
		}
		for n := range text {
			if _, err := parseEntry(text[:n]); !errors.Is(err, ErrEntry) {
				t.Errorf("%x cut to %d bytes: %v", text, n, err)
			}
		}
		if _, err := parseEntry(append(slices.Clone(text), 0)); !errors.Is(err, ErrEntry) {
			t.Errorf("%x and more: %v", text, err)
		}
	}
	good := place{origin: 1, seq: 1, stamp: 1}
	for name, e := range map[string]entry{
		"kind":      {'x', good, 1, []int64{1}},
		"no origin": {addEntry, place{seq: 1, stamp: 1}, 1, []int64{1}},
		"no number": {addEntry, place{origin: 1, stamp: 1}, 1, []int64{1}},
		"no stamp":  {addEntry, place{origin: 1, seq: 1}, 1, []int64{1}},
		"follower":  {addEntry, good, -1, []int64{1}},
		"nobody":    {addEntry, good, 1, nil},
		"too long":  {setEntry, good, 1, make([]int64, mostEntryIDs+1)},
	} {
		if _, err := parseEntry(e.encode()); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wide := slices.Concat([]byte{'a', 0, 0, 0, 0, 0, 0, 0, 1}, []byte{0x81, 0}, []byte{1, 1, 1, 1}) // 1 in two bytes
	if _, err := parseEntry(wide); !errors.Is(err, ErrEntry) {
		t.Errorf("a number that is longer than it need be: %v", err)
	}
}

func FuzzEntry(f *testing.F) {
	for _, e := range someEntries() {
		f.Add([]byte(e.encode()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEntry(text)
		if err == nil && !bytes.Equal(e.encode(), text) {
			t.Errorf("%x is read as %+v, which is %x", text, e, e.encode())
		}
	})
}
