package server

import (
	"slices"
	"testing"
	"time"
)

func TestExpiries(t *testing.T) {
	var e expiries
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	e.add(3, 0)       // never
	e.add(4, 1<<33)   // later than any of them ends
	e.add(5, 1<<32-1) // likewise
	if !e.due.IsZero() || len(e.at) != 0 {
		t.Fatalf("%+v", e)
	}
	e.add(700, 200)
	e.add(2, 100)
	e.add(9, 150)
	e.remove(9)
	e.remove(1 << 20)
	if got := e.expired(at(99), nil); len(got) > 0 || e.due != at(100) {
		t.Errorf("before the first: %d, due %v", got, e.due)
	}
	if got := e.expired(at(100), nil); !slices.Equal(got, []uint32{2}) || e.due != at(200) {
		t.Errorf("the first: %d, due %v", got, e.due)
	}
	// More than end in one turn, and one that joins an earlier row meanwhile.
	for slot := range uint32(mostExpired + 5) {
		e.add(slot+10, 120)
	}
	got := e.expired(at(130), nil)
	if len(got) != mostExpired || e.due.After(at(130)) {
		t.Fatalf("%d at a time, due %v", len(got), e.due)
	}
	e.add(1, 160)
	if got = e.expired(at(130), nil); len(got) != 5 || e.due != at(160) {
		t.Errorf("the rest: %d, due %v", got, e.due)
	}
	if got = e.expired(at(1000), nil); !slices.Equal(got, []uint32{1, 700}) || !e.due.IsZero() {
		t.Errorf("the last: %d, due %v", got, e.due)
	}
}
