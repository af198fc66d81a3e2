package epoll

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func ExampleSlots() {
	var s Slots[int]
	slot, n := s.Alloc(7) // file descriptor 7
	*n = 42
	token := s.Token(slot)
	_, n, ok := s.Lookup(token)
	fmt.Println(s.FD(slot), *n, ok)

	s.Free(slot)
	again, n := s.Alloc(7) // the kernel uses the number again
	fmt.Println(again == slot, *n)
	_, _, ok = s.Lookup(token) // but an old token finds nothing
	fmt.Println(ok)
	// Output:
	// 7 42 true
	// true 0
	// false
}

func TestSlotsEmpty(t *testing.T) {
	var s Slots[int]
	for _, token := range []Token{0, 1, 1 << 32, 1<<32 | 1, ^Token(0)} {
		if _, _, ok := s.Lookup(token); ok {
			t.Errorf("token %#x finds something in an empty table", token)
		}
	}
	for range s.All {
		t.Error("an empty table has a row")
	}
	if s.Len() != 0 {
		t.Error(s.Len())
	}
}

// TestSlotsRandom compares with a map, over several pages.
func TestSlotsRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	type entry struct {
		slot    uint32
		fd, val int
	}
	var s Slots[int]
	live := map[Token]entry{}
	var tokens, dead []Token
	for step := range 20_000 {
		if grow := r.IntN(2000) < len(live) == (step > 10_000); grow || len(live) == 0 {
			fd := r.IntN(50)
			slot, val := s.Alloc(fd)
			if *val != 0 {
				t.Fatalf("slot %d is not empty", slot)
			}
			*val = step
			token := s.Token(slot)
			if _, ok := live[token]; ok || slot == 0 || token == 0 {
				t.Fatalf("slot %d has token %#x", slot, token)
			}
			live[token] = entry{slot, fd, step}
			tokens = append(tokens, token)
		} else {
			i := r.IntN(len(tokens))
			token := tokens[i]
			tokens = slices.Delete(tokens, i, i+1)
			s.Free(live[token].slot)
			delete(live, token)
			dead = append(dead, token)
		}
		if s.Len() != len(live) {
			t.Fatalf("%d rows, want %d", s.Len(), len(live))
		}
	}
	for token, want := range live {
		slot, val, ok := s.Lookup(token)
		if got := (entry{slot, s.FD(slot), *val}); !ok || got != want || *s.At(slot) != want.val {
			t.Fatalf("token %#x finds %+v %t, want %+v", token, got, ok, want)
		}
	}
	for _, token := range dead {
		if _, _, ok := s.Lookup(token); ok {
			t.Fatalf("token %#x of a connection that is gone finds one", token)
		}
	}
	for slot, val := range s.All { // freeing on the way is allowed
		if live[s.Token(slot)].val != *val {
			t.Fatalf("slot %d holds %d", slot, *val)
		}
		delete(live, s.Token(slot))
		s.Free(slot)
	}
	if len(live) > 0 || s.Len() != 0 {
		t.Errorf("All left out %d rows; %d are in use", len(live), s.Len())
	}
}

func TestSlotsAllStops(t *testing.T) {
	var s Slots[int]
	for fd := range 10 {
		s.Alloc(fd)
	}
	n := 0
	for range s.All {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// TestDeadlines runs a queue by a clock that the test turns.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Deadlines
		gone := map[Token]bool{}
		expired := func() (tokens []Token) {
			return slices.Collect(d.Expired(time.Now(), func(token Token) bool { return !gone[token] }))
		}
		if !d.Next().IsZero() || expired() != nil {
			t.Error("an empty queue has a deadline")
		}
		start := time.Now()
		for i := range Token(5) {
			d.Add(i+1, start.Add(time.Duration(i+1)*time.Second))
		}
		if d.Next() != start.Add(time.Second) {
			t.Errorf("next after %v, want 1s", d.Next().Sub(start))
		}
		if got := expired(); got != nil {
			t.Errorf("%d passed at once", got)
		}
		time.Sleep(2 * time.Second)
		if got := expired(); !slices.Equal(got, []Token{1, 2}) {
			t.Errorf("after 2 s %d passed, want 1 and 2", got)
		}
		gone[3], gone[4] = true, true // left before their time
		if got := expired(); got != nil || d.Next() != start.Add(5*time.Second) {
			t.Errorf("passed %d, next after %v, want 5s", got, d.Next().Sub(start))
		}
		time.Sleep(time.Hour)
		if got := expired(); !slices.Equal(got, []Token{5}) || !d.Next().IsZero() {
			t.Errorf("in the end %d passed, want 5; next %v", got, d.Next())
		}
	})
}

// TestDeadlinesAreInOrder: whatever is added and leaves in between.
func TestDeadlinesAreInOrder(t *testing.T) {
	var d Deadlines
	start, random := time.Now(), rand.New(rand.NewPCG(1, 2))
	added, next := Token(0), Token(1)
	for range 2000 {
		for range random.IntN(3 * blockSize / 2) {
			added++
			d.Add(added, start.Add(time.Duration(added)))
		}
		until := next + Token(random.IntN(3*blockSize/2))
		want := max(next, min(until, added)+1)
		for token := range d.Expired(start.Add(time.Duration(until)), func(Token) bool { return true }) {
			if token != next {
				t.Fatalf("%d passed, want %d", token, next)
			}
			next++
		}
		if next != want {
			t.Fatalf("next is %d of %d added, want %d", next, added, want)
		}
	}
}

// TestDeadlinesKeepLittle: a queue through which a million connections have
// gone must hold no more than those that still wait.
func TestDeadlinesKeepLittle(t *testing.T) {
	var d Deadlines
	now := time.Unix(1, 0)
	for i := range Token(1_000_000) {
		d.Add(i, now.Add(time.Hour))
		for range d.Expired(now, func(token Token) bool { return token+10 > i }) {
			t.Fatal("passed before its time")
		}
	}
	if len(d.blocks)*blockSize > 4096 {
		t.Errorf("room for %d deadlines is kept for 10 that wait", len(d.blocks)*blockSize)
	}
	waiting := 0
	for range d.Expired(now.Add(2*time.Hour), func(token Token) bool { return token+10 > 1_000_000 }) {
		waiting++
	}
	if waiting == 0 || len(d.blocks)*blockSize > 4096 {
		t.Errorf("%d passed, want about 10; room for %d is kept", waiting, len(d.blocks)*blockSize)
	}
}

func BenchmarkSlots(b *testing.B) {
	var s Slots[[2]uint64]
	b.ReportAllocs()
	for b.Loop() {
		slot, _ := s.Alloc(3)
		if _, _, ok := s.Lookup(s.Token(slot)); !ok {
			b.Fatal("lost")
		}
		s.Free(slot)
	}
}

// TestSlotsBetween: a table that is gone through in parts has every row once.
func TestSlotsBetween(t *testing.T) {
	var s Slots[int]
	for range s.Between(0, 10) {
		t.Error("an empty table has a row")
	}
	const rows = 3*slotsPerPage + 7
	for fd := range rows {
		s.Alloc(fd)
	}
	for slot := uint32(1); slot <= rows; slot += 3 {
		s.Free(slot)
	}
	if s.Rows() != rows {
		t.Errorf("%d rows, want %d", s.Rows(), rows)
	}
	for _, size := range []uint32{1, 100, slotsPerPage, rows, 2 * rows} {
		var parts, whole []uint32
		for after := uint32(0); after < s.Rows(); after += size {
			for slot := range s.Between(after, after+size) {
				parts = append(parts, slot)
			}
		}
		for slot := range s.All {
			whole = append(whole, slot)
		}
		if !slices.Equal(parts, whole) || len(whole) != s.Len() {
			t.Errorf("in parts of %d there are %d rows, at once %d, in use %d", size, len(parts), len(whole), s.Len())
		}
	}
}
