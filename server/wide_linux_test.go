package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"example.org/comet/server/router"
)

// TestWide has a message to many set aside, and what comes for one of them behind
// it; the rest does not wait.
func TestWide(t *testing.T) {
	var in batch
	conn := func(slot int) router.Conn { return router.Conn{Slot: uint32(slot), Gen: 1} }
	in.add(conn(9000), []byte("before"))
	in.add(conn(1), []byte("before"))
	for slot := range wideFrom {
		in.add(conn(slot), []byte("to all"))
	}
	in.add(conn(1), []byte("to one of them"))
	in.add(conn(9000), []byte("to another"))
	in.add(conn(1), []byte("to one of them"))
	var w wide
	var got []string
	rest, _ := w.setAside(in)
	for _, it := range rest {
		got = append(got, fmt.Sprintf("%d %s", it.conn.Slot, in.bytes[it.start:it.end]))
	}
	if want := []string{"9000 before", "1 before", "9000 to another"}; !slices.Equal(got, want) {
		t.Errorf("%q do not wait, want %q", got, want)
	}
	in = batch{} // it is filled again
	in.add(conn(2), []byte("late"))
	in.add(conn(9000), []byte("late"))
	if rest, _ := w.setAside(in); len(rest) != 1 || rest[0].conn != conn(9000) {
		t.Errorf("%+v do not wait", rest)
	}
	of := make(map[uint32][]string)
	for n := 0; w.waiting() > 0; {
		message, conns := w.pop(100)
		n += len(conns)
		for _, c := range conns {
			of[c.Slot] = append(of[c.Slot], string(message))
		}
		w.tidy()
		if n == 200 && !w.holds(1) {
			t.Error("nothing waits for slot 1 any more")
		}
	}
	if want := []string{"to all", "to one of them", "to one of them"}; len(of) != wideFrom || !slices.Equal(of[1], want) || !slices.Equal(of[2], []string{"to all", "late"}) {
		t.Errorf("%d slots; %q, %q", len(of), of[1], of[2])
	}
	if len(w.runs) > 0 || !w.mayTake() || w.holds(1) {
		t.Errorf("something is left: %d runs", len(w.runs))
	}
}

// TestWideBounds: two messages to very many shut the throttle, and the inbox is taken all
// the same. What no throttle has held back is dropped in the end, whole, and counted.
func TestWideBounds(t *testing.T) {
	var w wide
	push := func(n, copies int) (overrun int) {
		t.Helper()
		var in batch
		for slot := range copies {
			in.add(router.Conn{Slot: uint32(slot)}, fmt.Append(nil, n))
		}
		rest, overrun := w.setAside(in)
		if len(rest) > 0 || !w.mayTake() {
			t.Errorf("after %d messages %d do not wait, more are taken: %t", n, len(rest), w.mayTake())
		}
		return overrun
	}
	for n, want := range []bool{false, true} {
		if overrun := push(n, wideItems); overrun != 0 || w.many.isFull() != want {
			t.Errorf("after %d messages: full %t, %d dropped", n+1, w.many.isFull(), overrun)
		}
	}
	if overrun := push(2, overrunCopies); overrun != overrunCopies || w.waiting() != 2*wideItems {
		t.Errorf("%d dropped, %d wait", overrun, w.waiting())
	}
	for w.waiting() >= wideItems {
		w.pop(wideSlice)
		w.tidy()
	}
	if w.many.isFull() {
		t.Error("there is room")
	}
	for w.waiting() > 0 {
		w.pop(wideSlice)
		w.tidy()
	}
	if overrun := push(3, overrunCopies); overrun != 0 || w.waiting() != overrunCopies {
		t.Errorf("of one message to very many %d were dropped, and %d wait", overrun, w.waiting())
	}
}

// TestWideAccount: a message to many that was routed, and is dropped since far too much
// waits, is in the account.
func TestWideAccount(t *testing.T) {
	r := open(t, Config{Engine: Epoll, Loops: 1})
	defer r.Close()
	l := r.engine.(*epollEngine).loops[0]
	for slot := range uint32(manyFrom) { // whose connections are gone by the time they get anything
		l.member.Login(router.Conn{Slot: slot + 1, Gen: 1}, 1)
	}
	var routed uint64
	message := make([]byte, router.MaxMessage)
	for range 2 {
		for range overrunBytes/router.MaxMessage - 2 {
			message[0]++
			reached, _ := r.core.router.Send(1, message)
			routed += uint64(reached)
		}
		l.deliver()
	}
	for l.wide.waiting() > 0 {
		l.deliver()
	}
	s := r.Stats()
	if s.DroppedSlow == 0 || routed != s.Written+s.DroppedClosed+s.DroppedSlow || s.DroppedOverrun != 0 {
		t.Errorf("routed %d, and then %+v", routed, s.Drops)
	}
}

// TestWidePieces: a message to many that came in pieces waits once, and is one to many.
func TestWidePieces(t *testing.T) {
	var w wide
	message := func(from, to int, text string) (rest []item) {
		var in batch
		for slot := from; slot < to; slot++ {
			in.add(router.Conn{Slot: uint32(slot)}, []byte(text))
		}
		rest, _ = w.setAside(in)
		return rest
	}
	message(0, wideFrom, "first")
	for from := range 100 {
		if rest := message(from, from+1, "second"); len(rest) > 0 {
			t.Errorf("the piece from %d does not wait", from)
		}
	}
	if rest := message(500, 530, "third"); len(rest) != 30-12 || rest[0].conn.Slot != 512 {
		t.Errorf("%v do not wait", rest)
	}
	if want := (load{2, wideFrom + 100, len("firstsecond")}); w.many != want || w.few != (load{1, 12, len("third")}) {
		t.Errorf("%+v and %+v wait, want %+v", w.many, w.few, want)
	}
}

// TestWideSlice: a message to many gives way sooner while there are messages to
// others, and has the loop give up its processor now and then. All connections have
// gone, so that what is written is counted as dropped.
func TestWideSlice(t *testing.T) {
	l := loop{now: time.Now()}
	deliver := func(want int) {
		t.Helper()
		before := l.counters.droppedClosed.Load()
		l.deliver()
		if got := int(l.counters.droppedClosed.Load() - before); got != want {
			t.Errorf("%d of one turn, want %d", got, want)
		}
	}
	toMany := func() {
		for slot := range wideFrom {
			l.inbox.Deliver(router.Conn{Slot: uint32(slot)}, []byte("to all"))
		}
	}
	yields := func(want bool) {
		t.Helper()
		if got := time.Since(l.wide.yielded) < time.Hour; got != want {
			t.Errorf("it has given way: %v, want %v", got, want)
		}
		l.wide.yielded = time.Time{}
	}
	toMany()
	deliver(wideSlice)
	deliver(wideFrom - wideSlice)
	toMany()
	yields(false)
	l.inbox.Deliver(router.Conn{Slot: 9000}, []byte("to another"))
	deliver(1 + wideSliceBeside)
	l.wide.yielded = l.now
	deliver(wideSliceBeside)
	if !l.wide.yielded.Equal(l.now) {
		t.Error("it gives way at each turn")
	}
	l.wide.yielded = time.Time{}
	deliver(wideSliceBeside)
	yields(true)
	l.now = l.now.Add(wideBeside)
	deliver(wideSlice)
	yields(false)
}

// TestWideText: long messages to one who waits are not kept without bound.
func TestWideText(t *testing.T) {
	var in batch
	for slot := range wideFrom {
		in.add(router.Conn{Slot: uint32(slot)}, []byte("to all"))
	}
	for n := range 1000 {
		in.add(router.Conn{Slot: 1}, fmt.Append(make([]byte, wideBytes/500), n))
	}
	var w wide
	if w.setAside(in); w.mayTake() {
		t.Errorf("%+v wait, and more are taken", w.few)
	}
	for w.waiting() > 0 {
		w.pop(wideSlice)
		w.tidy()
	}
	if !w.mayTake() || w.many != (load{}) || w.few != (load{}) {
		t.Errorf("%+v and %+v are left of nothing", w.many, w.few)
	}
}

// TestWideOrder: each stream gets all in order, those to many and its own, also at
// the end of the server.
func TestWideOrder(t *testing.T) {
	r := start(t, Config{Engine: Epoll, Loops: 1})
	var clients []*client
	for i := range wideFrom + 10 {
		clients = append(clients, r.stream(fmt.Sprintf("%d,100000", i)))
	}
	p := newPublisher(r.core)
	const rounds = 5
	for n := range rounds {
		p.send(100000, fmt.Appendf(nil, "all %d", n))
		for i := range clients {
			p.send(int64(i), fmt.Appendf(nil, "own %d", n))
		}
	}
	p.flush(t.Context())
	r.cancel()
	for i, c := range clients {
		want := ""
		for n := range rounds {
			want += chunk(2*n+1, fmt.Sprint("all ", n)) + chunk(2*n+2, fmt.Sprint("own ", n))
		}
		if got := c.rest(); got != want+"0\r\n\r\n" {
			t.Fatalf("stream %d: %q", i, got)
		}
	}
}
