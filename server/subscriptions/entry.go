package subscriptions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Entry is a change as the file notes it, for the files of other servers: one that
// File.Since or File.Missing returns, and File.Merge takes. A long list is several
// entries, one behind the other.
type Entry []byte

// mostEntryIDs limits the publishers of one entry, so that it fits into a message.
const mostEntryIDs = 4096

// entryKind is what an entry does.
type entryKind byte

const (
	addEntry    entryKind = 'a' // the follower follows these as well
	removeEntry entryKind = 'r' // the follower does not follow these any more
	setEntry    entryKind = 's' // these are all that the follower follows
)

// entry is an Entry that has been read.
type entry struct {
	kind     entryKind
	place    place
	follower int64
	ids      []int64 // publishers; they ascend
}

// place is where an entry stands among all: by its stamp, and if two have the same,
// by its origin.
type place struct {
	origin uint64 // the life of a server that made the change, never 0
	seq    uint64 // the entry's number among those of its origin, from 1
	stamp  int64  // when it was made, in ns since 1970; it ascends with seq
}

// before reports whether an entry at p is overridden by one at q.
func (p place) before(q place) bool {
	return p.stamp < q.stamp || p.stamp == q.stamp && p.origin < q.origin
}

// ErrEntry is the error of bytes that are no Entry.
var ErrEntry = errors.New("subscriptions: this is not an entry of a change")

// encode writes an entry.
func (e *entry) encode() Entry {
	b := append(make([]byte, 0, 32+3*len(e.ids)), byte(e.kind))
	b = binary.BigEndian.AppendUint64(b, e.place.origin)
	b = binary.AppendUvarint(b, e.place.seq)
	b = binary.AppendUvarint(b, uint64(e.place.stamp))
	b = binary.AppendUvarint(b, uint64(e.follower))
	return appendList(b, e.ids)
}

// parseEntry reads an entry. It takes nothing but what encode writes: files are the
// same on all servers only if all read the same.
func parseEntry(b Entry) (entry, error) {
	if len(b) < 9 {
		return entry{}, ErrEntry
	}
	e := entry{kind: entryKind(b[0]), place: place{origin: binary.BigEndian.Uint64(b[1:])}}
	rest := b[9:]
	for _, number := range []func(uint64){
		func(n uint64) { e.place.seq = n },
		func(n uint64) { e.place.stamp = int64(n) },
		func(n uint64) { e.follower = int64(n) },
	} {
		n, width := binary.Uvarint(rest)
		if width <= 0 || n > math.MaxInt64 {
			return entry{}, ErrEntry
		}
		number(n)
		rest = rest[width:]
	}
	n, err := checkList(rest)
	if err != nil || n > mostEntryIDs || len(rest) == 0 {
		return entry{}, ErrEntry
	}
	e.ids = slices.AppendSeq(make([]int64, 0, n), idsOf(rest))
	known := e.kind == setEntry || (e.kind == addEntry || e.kind == removeEntry) && n > 0
	if !known || e.place.origin == 0 || e.place.seq == 0 || e.place.stamp == 0 || !bytes.Equal(e.encode(), b) {
		return entry{}, ErrEntry
	}
	return e, nil
}

// entries returns a change as entries that have no place yet.
func (c *change) entries() []entry {
	var list []entry
	kind, ids := addEntry, c.add
	switch {
	case c.all:
		first := ids[:min(len(ids), mostEntryIDs)]
		list = append(list, entry{kind: setEntry, follower: c.follower, ids: first})
		ids = ids[len(first):]
	case len(c.remove) > 0:
		kind, ids = removeEntry, c.remove
	}
	for part := range slices.Chunk(ids, mostEntryIDs) {
		list = append(list, entry{kind: kind, follower: c.follower, ids: part})
	}
	return list
}

// change returns what an entry does, given those that override it: later ones of
// the same follower.
func (e *entry) change(later []entry) *change {
	c := &change{follower: e.follower}
	var overridden []int64
	for _, l := range later {
		if l.kind == setEntry {
			return c
		}
		overridden = append(overridden, l.ids...)
	}
	slices.Sort(overridden)
	ids := slices.DeleteFunc(slices.Clone(e.ids), func(id int64) bool {
		_, found := slices.BinarySearch(overridden, id)
		return found
	})
	switch e.kind {
	case addEntry:
		c.add = ids
	case removeEntry:
		c.remove = ids
	case setEntry:
		c.all, c.add, c.keep = true, ids, overridden
	}
	return c
}
