//go:build !nonats

package natsrouter

import (
	"math/bits"

	"github.com/nats-io/nats.go"
)

// want is one subscription, and how many connections want it: 24 bytes. nats.go
// keeps some 300 more for it.
type want struct {
	key  int64
	sub  *nats.Subscription // nil until it has been made
	next uint32             // the next in its bucket, 0 at the end
	tag  uint32             // state, queued, and above them the count
}

type wantState uint32

const (
	fresh   wantState = iota // to be subscribed to with the next batch
	sent                     // with a batch that has not been acknowledged
	inForce                  // messages come
)

const (
	stateBits = 3      // of a tag
	queuedBit = 1 << 2 // the next batch is to look at it
	oneWant   = 1 << 3
)

func (e *want) state() wantState     { return wantState(e.tag & stateBits) }
func (e *want) setState(s wantState) { e.tag = e.tag&^stateBits | uint32(s) }
func (e *want) queued() bool         { return e.tag&queuedBit != 0 }
func (e *want) wanted() bool         { return e.tag >= oneWant }

// wantTable finds wants by their keys. It grows a page and a bucket at a time
// (Litwin's linear hashing, VLDB 1980), so that it holds some 28 bytes for each
// and leaves nothing behind as garbage; a map is twice that. The zero value is
// empty. A want stays where it is until it is removed.
type wantTable struct {
	rows    []*[wantPage]want // row 0 is not used
	heads   []*[headPage]uint32
	buckets uint32
	used    int
	last    uint32 // rows behind it were never used
	free    uint32 // the first row that was, chained by next
}

const (
	wantPage = 256
	headPage = 1024
)

func (t *wantTable) row(i uint32) *want    { return &t.rows[i/wantPage][i%wantPage] }
func (t *wantTable) head(b uint32) *uint32 { return &t.heads[b/headPage][b%headPage] }

// bucket returns the low bits of a key's hash, as many as the table has doubled,
// one fewer where that bucket is not split off yet.
func (t *wantTable) bucket(key int64) uint32 {
	h := uint32(uint64(key) * 0x9e3779b97f4a7c15 >> 32) // Knuth's multiplicative hash
	mask := uint32(1)<<bits.Len32(t.buckets-1) - 1
	if b := h & mask; b < t.buckets {
		return b
	}
	return h & (mask >> 1)
}

func (t *wantTable) find(key int64) *want {
	if t.used == 0 {
		return nil
	}
	for i := *t.head(t.bucket(key)); i != 0; {
		e := t.row(i)
		if e.key == key {
			return e
		}
		i = e.next
	}
	return nil
}

// insert adds a key that is not there.
func (t *wantTable) insert(key int64) *want {
	t.used++
	if uint32(t.used) > t.buckets {
		t.split()
	}
	i := t.free
	if i != 0 {
		t.free = t.row(i).next
	} else {
		t.last++
		i = t.last
		if int(i/wantPage) >= len(t.rows) {
			t.rows = append(t.rows, new([wantPage]want))
		}
	}
	head := t.head(t.bucket(key))
	e := t.row(i)
	*e = want{key: key, next: *head}
	*head = i
	return e
}

// remove removes a key that is there.
func (t *wantTable) remove(key int64) {
	at := t.head(t.bucket(key))
	for t.row(*at).key != key {
		at = &t.row(*at).next
	}
	i := *at
	*at = t.row(i).next
	*t.row(i) = want{next: t.free}
	t.free = i
	t.used--
}

// split adds one bucket and moves into it what belongs there.
func (t *wantTable) split() {
	if int(t.buckets/headPage) >= len(t.heads) {
		t.heads = append(t.heads, new([headPage]uint32))
	}
	t.buckets++
	if t.buckets == 1 {
		return
	}
	added := t.buckets - 1
	old := t.head(added &^ (1 << (bits.Len32(added) - 1)))
	i := *old
	*old = 0
	for i != 0 {
		e := t.row(i)
		next := e.next
		head := t.head(t.bucket(e.key))
		e.next, *head = *head, i
		i = next
	}
}

// all calls yield for each; none may be inserted or removed meanwhile.
func (t *wantTable) all(yield func(*want) bool) {
	for b := range t.buckets {
		for i := *t.head(b); i != 0; i = t.row(i).next {
			if !yield(t.row(i)) {
				return
			}
		}
	}
}
