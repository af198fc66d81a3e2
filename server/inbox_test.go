package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// messagesOf lists a batch as its owner sees it.
func messagesOf(b batch) (all []string) {
	for _, it := range b.items {
		all = append(all, fmt.Sprintf("%d.%d %s", it.conn.Slot, it.conn.Gen, b.bytes[it.start:it.end]))
	}
	return all
}

func TestInbox(t *testing.T) {
	woken := 0
	in := inbox{wake: func() { woken++ }}
	if !in.sleep() {
		t.Error("an empty inbox has something")
	}
	for round := range 3 { // both batches are used again
		message := []byte("one")
		in.Deliver(router.Conn{Slot: 1, Gen: 5}, message)
		copy(message, "XXX") // the publisher goes on with its buffer
		in.Deliver(router.Conn{Slot: 2, Gen: 6}, []byte("two"))
		in.Deliver(router.Conn{Slot: 3, Gen: 6}, []byte("two"))
		in.Deliver(router.Conn{Slot: 1, Gen: 5}, nil)
		in.Deliver(router.Conn{Slot: 1, Gen: 5}, nil)
		if woken != round {
			t.Errorf("round %d: woken %d times before the flush", round, woken)
		}
		for range 2 { // once for a batch
			in.Wake()
		}
		if woken != round+1 {
			t.Errorf("round %d: woken %d times", round, woken)
		}
		if in.sleep() {
			t.Error("it sleeps over messages")
		}
		want := []string{"1.5 one", "2.6 two", "3.6 two", "1.5 ", "1.5 "}
		if got := messagesOf(in.take()); !slices.Equal(got, want) {
			t.Errorf("round %d: %q, want %q", round, got, want)
		}
		if got := messagesOf(in.take()); got != nil {
			t.Errorf("round %d: again %q", round, got)
		}
		in.Wake()
		if err := in.Wait(t.Context()); err != nil || woken != round+1 {
			t.Errorf("with nothing in it: error %v, woken %d times", err, woken)
		}
		in.sleep()
	}
}

// TestInboxBroadcast: one message to many costs its bytes once.
func TestInboxBroadcast(t *testing.T) {
	in := inbox{wake: func() {}}
	message := bytes.Repeat([]byte("m"), 1000)
	for slot := range uint32(1000) {
		in.Deliver(router.Conn{Slot: slot}, message)
	}
	b := in.take()
	if len(b.items) != 1000 || len(b.bytes) != len(message) {
		t.Errorf("%d messages in %d bytes, want 1000 in %d", len(b.items), len(b.bytes), len(message))
	}
	for range 10 { // to one connection they add up, so that somebody waits in the end
		in.Deliver(router.Conn{Slot: 1}, message)
	}
	if b := in.take(); len(b.bytes) != 10*len(message) {
		t.Errorf("10 messages in %d bytes", len(b.bytes))
	}
}

// TestInboxBackpressure: a publisher waits while its messages are too much, for
// no longer, and not beyond its ctx.
func TestInboxBackpressure(t *testing.T) {
	for name, fill := range map[string]func(in *inbox){
		"bytes":          func(in *inbox) { in.Deliver(router.Conn{}, make([]byte, inboxBytes+1)) },
		"empty messages": func(in *inbox) { fillItems(in) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := inbox{wake: func() {}}
				fill(&in)
				flushed := make(chan error, 2)
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() { flushed <- in.Wait(ctx) }()
				synctest.Wait()
				tooLong := errors.New("too long")
				cancel(tooLong)
				if err := <-flushed; !errors.Is(err, tooLong) {
					t.Errorf("error %v, want %v", err, tooLong)
				}
				for range 2 {
					go func() { flushed <- in.Wait(t.Context()) }()
				}
				synctest.Wait()
				if len(flushed) > 0 {
					t.Error("it did not wait")
				}
				in.take()
				for range 2 {
					if err := <-flushed; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func fillItems(in *inbox) {
	for range inboxItems + 1 {
		in.Deliver(router.Conn{}, nil)
	}
}

// TestInboxOverrun: beyond its cap an inbox takes nothing more and says so, and
// afterwards it does again.
func TestInboxOverrun(t *testing.T) {
	one, two := router.Conn{Slot: 1}, router.Conn{Slot: 2}
	for _, c := range []struct {
		name    string
		deliver func(in *inbox, i int) bool
		room    int
	}{
		{"messages", func(in *inbox, i int) bool { return in.Deliver(one, []byte{byte(i)}) }, overrunItems},
		{"bytes", func(in *inbox, _ int) bool { return in.Deliver(one, make([]byte, 1<<20)) }, overrunBytes >> 20},
		{"copies", func(in *inbox, i int) bool { return in.Deliver([]router.Conn{one, two}[i&1], nil) }, overrunCopies},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := inbox{wake: func() {}}
			for i := range c.room {
				if !c.deliver(&in, i) {
					t.Fatalf("the message after %d is refused, want room for %d", i, c.room)
				}
			}
			for i := range 3 {
				if c.deliver(&in, i) {
					t.Errorf("it takes %d messages, want %d", c.room+i+1, c.room)
				}
			}
			if n := in.overrun.Load(); n != 3 {
				t.Errorf("%d are counted as refused, want 3", n)
			}
			in.take()
			if !c.deliver(&in, 0) {
				t.Error("emptied, it still refuses")
			}
		})
	}
	var in inbox
	if !in.Deliver(one, make([]byte, overrunBytes+1)) {
		t.Error("a single message is refused, which nobody could ever send")
	}
}

// TestInboxForgetsBursts: the memory of a burst goes with the batches after it.
func TestInboxForgetsBursts(t *testing.T) {
	in := inbox{wake: func() {}}
	in.Deliver(router.Conn{}, make([]byte, 10<<20))
	fillItems(&in)
	in.take()
	for range 4 {
		in.Deliver(router.Conn{}, []byte("x"))
		in.take()
	}
	if held := cap(in.filled.bytes) + cap(in.empty.bytes) + 16*(cap(in.filled.items)+cap(in.empty.items)); held > 64<<10 {
		t.Errorf("%d bytes are held for one", held)
	}
}

// TestBacklog compares random writes and pieces with plain strings.
func TestBacklog(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	// Of an HTTP/1.0 stream each message has one '>', which is its last byte.
	request, _ := new(wire.Parser).Parse([]byte("GET /test/1 HTTP/1.0\r\n\r\n"), 0, nil)
	for range 100 {
		var b, other backlog
		for step := range 100 {
			switch r.IntN(4) {
			case 0:
				b.addMessage(request.Kind, uint64(step), []byte(strings.Repeat("m", r.IntN(100))))
			case 1:
				b.addBytes([]byte("bytes"))
			case 2: // what another could not write comes behind
				other.addMessage(request.Kind, uint64(step), []byte(strings.Repeat("o", r.IntN(5000))))
				other.addMessage(request.Kind, uint64(step), []byte("second"))
				first := other.advance(1 + r.IntN(other.waiting()-1))
				before, messages := string(b.unsent())+string(other.unsent()), b.messages()+other.messages()
				if first+other.messages() != 2 {
					t.Fatalf("%d written and %d left of 2", first, other.messages())
				}
				b.take(&other)
				if string(b.unsent()) != before || b.messages() != messages || other.waiting() != 0 || other.messages() != 0 {
					t.Fatalf("took over %d bytes and %d messages, want %d and %d", b.waiting(), b.messages(), len(before), messages)
				}
			case 3:
				if b.waiting() == 0 {
					break
				}
				before, messages := string(b.unsent()), b.messages()
				n := 1 + r.IntN(b.waiting())
				done := b.advance(n)
				if string(b.unsent()) != before[n:] || b.messages() != messages-done {
					t.Fatalf("after %d of %d bytes %d wait; %d messages done of %d, %d left", n, len(before), b.waiting(), done, messages, b.messages())
				}
				// A message is done when its end has gone.
				if cut := strings.Count(before[:n], ">"); done != cut {
					t.Fatalf("%d messages done, %d ends have gone", done, cut)
				}
			}
		}
	}
}

func TestBacklogForgetsBursts(t *testing.T) {
	var b backlog
	b.addBytes(make([]byte, 1<<20))
	b.advance(1 << 20)
	if cap(b.bytes) > 64<<10 || b.waiting() != 0 {
		t.Errorf("%d bytes wait, %d are held", b.waiting(), cap(b.bytes))
	}
}
