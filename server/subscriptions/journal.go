package subscriptions

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// What the journal holds: the latest entries of all servers, in the file that they
// have been applied to, and in the same transactions.
var (
	journalBucket = []byte("changes")
	entriesBucket = []byte("by origin")   // origin, number: the entry
	timesBucket   = []byte("by time")     // stamp, origin, number
	recentBucket  = []byte("by follower") // follower, stamp, origin, number
	headsBucket   = []byte("last of origin")
	totalsKey     = []byte("totals")
)

// bounds limit what a journal keeps.
type bounds struct {
	entries, bytes, origins int
}

// journalBounds are those of a file: of the latest changes, and of the lives of
// servers that made some.
var journalBounds = bounds{entries: 100_000, bytes: 32 << 20, origins: 1000}

// journal is the journal of a file in a transaction.
type journal struct {
	entries, times, recent, heads *bbolt.Bucket
	root                          *bbolt.Bucket
	bounds                        bounds
	totals                        totals
}

// totals are the figures of a journal.
type totals struct {
	entries, bytes uint64
	// horizon is the stamp up to which origins were forgotten.
	horizon int64
}

// openJournal returns the journal of a file. It is nil if a file that is only read
// has none.
func openJournal(tx *bbolt.Tx, limits bounds) (*journal, error) {
	root := tx.Bucket(journalBucket)
	if root == nil {
		return nil, nil
	}
	j := &journal{root: root, bounds: limits}
	for name, b := range map[string]**bbolt.Bucket{
		string(entriesBucket): &j.entries, string(timesBucket): &j.times,
		string(recentBucket): &j.recent, string(headsBucket): &j.heads,
	} {
		if *b = root.Bucket([]byte(name)); *b == nil {
			return nil, fmt.Errorf("%w: the journal of changes has lost a part", errDamaged)
		}
	}
	if b := root.Get(totalsKey); len(b) == 24 {
		j.totals = totals{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), int64(binary.BigEndian.Uint64(b[16:]))}
	}
	return j, nil
}

// makeJournal adds the buckets of a journal to a file.
func makeJournal(tx *bbolt.Tx) error {
	root, err := tx.CreateBucketIfNotExists(journalBucket)
	if err != nil {
		return err
	}
	for _, name := range [][]byte{entriesBucket, timesBucket, recentBucket, headsBucket} {
		if _, err := root.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// key returns numbers as a key: keys are in the order of their numbers.
func key(numbers ...uint64) []byte {
	b := make([]byte, 0, 8*len(numbers))
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// numbers reads a key.
func numbers(key []byte, count int) ([]uint64, error) {
	if len(key) != 8*count {
		return nil, fmt.Errorf("%w: a key of the journal of changes has another length", errDamaged)
	}
	list := make([]uint64, count)
	for i := range list {
		list[i] = binary.BigEndian.Uint64(key[8*i:])
	}
	return list, nil
}

// head returns the last entry of an origin; its number is 0 if there is none.
func (j *journal) head(origin uint64) (place, error) {
	b := j.heads.Get(key(origin))
	if b == nil {
		return place{origin: origin}, nil
	}
	n, err := numbers(b, 2)
	if err != nil {
		return place{}, err
	}
	return place{origin: origin, seq: n[0], stamp: int64(n[1])}, nil
}

// next returns the place of a change that is made now, by origin or, if that is
// forgotten or 0, by a new one. It is behind all others.
func (j *journal) next(origin uint64, now time.Time) (place, error) {
	p, err := j.head(origin)
	if err != nil {
		return place{}, err
	}
	if p.seq == 0 {
		p.origin = rand.Uint64() | 1 // it is not 0
	}
	last, err := j.lastStamp()
	p.seq++
	p.stamp = max(now.UnixNano(), last+1)
	return p, err
}

// lastStamp returns the stamp of the latest entry.
func (j *journal) lastStamp() (int64, error) {
	k, _ := j.times.Cursor().Last()
	if k == nil {
		return 0, nil
	}
	n, err := numbers(k, 3)
	if err != nil {
		return 0, err
	}
	return int64(n[0]), nil
}

// note adds an entry, and forgets the oldest beyond the bounds.
func (j *journal) note(e *entry, text Entry) error {
	p := e.place
	stamp := uint64(p.stamp)
	head, err := j.head(p.origin)
	if err != nil {
		return err
	}
	for _, put := range []struct {
		bucket     *bbolt.Bucket
		key, value []byte
	}{
		{j.entries, key(p.origin, p.seq), text},
		{j.times, key(stamp, p.origin, p.seq), nil},
		{j.recent, key(uint64(e.follower), stamp, p.origin, p.seq), nil},
		{j.heads, key(p.origin), key(p.seq, stamp)},
	} {
		if err := put.bucket.Put(put.key, put.value); err != nil {
			return err
		}
	}
	j.totals.entries++
	j.totals.bytes += uint64(len(text))
	if head.seq == 0 {
		if err := j.forgetOrigins(); err != nil {
			return err
		}
	}
	return j.forgetEntries()
}

// save writes the totals, once after all entries of a transaction.
func (j *journal) save() error {
	return j.root.Put(totalsKey, key(j.totals.entries, j.totals.bytes, uint64(j.totals.horizon)))
}

// forgetEntries removes the oldest entries beyond the bounds.
func (j *journal) forgetEntries() error {
	for j.totals.entries > uint64(j.bounds.entries) || j.totals.bytes > uint64(j.bounds.bytes) {
		oldest, _ := j.times.Cursor().First()
		n, err := numbers(oldest, 3)
		if err != nil {
			return err
		}
		text := j.entries.Get(key(n[1], n[2]))
		e, err := parseEntry(text)
		if err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		j.totals.entries--
		j.totals.bytes -= uint64(len(text))
		if err := j.entries.Delete(key(n[1], n[2])); err != nil {
			return err
		}
		if err := j.recent.Delete(key(uint64(e.follower), n[0], n[1], n[2])); err != nil {
			return err
		}
		if err := j.times.Delete(key(n...)); err != nil {
			return err
		}
	}
	return nil
}

// forgetOrigins removes the origins beyond the bounds that were silent for longest:
// files that have the same changes forget the same.
func (j *journal) forgetOrigins() error {
	heads, err := j.all()
	if err != nil {
		return err
	}
	for len(heads) > j.bounds.origins {
		oldest := 0
		for i, h := range heads {
			if h.place().before(heads[oldest].place()) {
				oldest = i
			}
		}
		j.totals.horizon = max(j.totals.horizon, heads[oldest].Stamp)
		if err := j.heads.Delete(key(heads[oldest].Origin)); err != nil {
			return err
		}
		heads = slices.Delete(heads, oldest, oldest+1)
	}
	return nil
}

// later returns the entries of a follower that override one at p.
func (j *journal) later(follower int64, p place) (list []entry, err error) {
	cursor := j.recent.Cursor()
	for k, _ := cursor.Seek(key(uint64(follower), uint64(p.stamp), p.origin)); k != nil; k, _ = cursor.Next() {
		n, err := numbers(k, 4)
		if err != nil {
			return nil, err
		}
		if n[0] != uint64(follower) {
			break
		}
		e, err := parseEntry(j.entries.Get(key(n[2], n[3])))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		if p.before(e.place) {
			list = append(list, e)
		}
	}
	return list, nil
}

// all returns the last entry of each origin, in the order of the origins.
func (j *journal) all() (heads []Head, err error) {
	err = j.heads.ForEach(func(k, v []byte) error {
		origin, err := numbers(k, 1)
		if err != nil {
			return err
		}
		last, err := numbers(v, 2)
		if err != nil {
			return err
		}
		heads = append(heads, Head{Origin: origin[0], Seq: last[0], Stamp: int64(last[1])})
		return nil
	})
	return heads, err
}
