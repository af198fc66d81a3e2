package flood

import "example.org/comet/server/wire"

// track follows the stamps that arrive at one connection: the highest count so
// far, and which of the 64 counts below it have come. That tells duplicates and
// reordering within 64 messages exactly, in 24 bytes.
type track struct {
	highest uint64
	window  uint64 // bit k: highest-k has come
	run     uint32 // the generator's run, which begins to count at 1
	// span is how far below highest the lowest one is that came, up to 64: what
	// is missing between them was sent to this connection.
	span uint32
}

// arrival is what a stamp tells.
type arrival struct {
	fresh     bool // not seen before
	reordered bool // fresh, but a later one came first
	// missing is how the number of gaps changes: counts that were jumped over,
	// or one that is filled.
	missing int64
}

func (t *track) see(s wire.Stamp) arrival {
	if s.Run != t.run || t.highest == 0 {
		// What came before a connection's first stamp was not sent to it.
		*t = track{highest: s.N, window: 1, run: s.Run}
		return arrival{fresh: true}
	}
	if s.N > t.highest {
		ahead := s.N - t.highest
		t.highest = s.N
		t.window = t.window<<ahead | 1 // a shift by 64 or more leaves 0
		t.span = uint32(min(uint64(t.span)+min(ahead, 64), 64))
		return arrival{fresh: true, missing: int64(ahead - 1)}
	}
	behind := t.highest - s.N
	if behind >= 64 || t.window>>behind&1 == 1 {
		// Older than the window: a duplicate, or so late that it has been counted
		// as missing and stays that.
		return arrival{}
	}
	t.window |= 1 << behind
	a := arrival{fresh: true, reordered: true, missing: -1}
	if below := uint32(behind); below > t.span {
		// It is the new lowest one, and was not missing before. Those between are.
		a.missing = int64(below - t.span - 1)
		t.span = below
	}
	return a
}
