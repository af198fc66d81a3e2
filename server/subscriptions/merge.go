package subscriptions

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Head is the last change that a file has of one origin, which is the life of a
// server that made changes.
type Head struct {
	Origin uint64 `json:"origin"`
	Seq    uint64 `json:"seq"`   // its number among those of the origin, from 1
	Stamp  int64  `json:"stamp"` // when it was made, in ns since 1970
}

func (h Head) place() place { return place{origin: h.Origin, seq: h.Seq, stamp: h.Stamp} }

// State says which changes a file has.
type State struct {
	Heads []Head `json:"heads,omitempty"` // in the order of their origins
	// Horizon is the stamp up to which origins were forgotten: of those that Heads
	// does not name, the file has every change up to there.
	Horizon int64 `json:"horizon,omitempty"`
}

// Lacks returns how many of the changes up to head a file in this state does not
// have.
func (s *State) Lacks(head Head) uint64 {
	for _, h := range s.Heads {
		if h.Origin == head.Origin {
			return head.Seq - min(h.Seq, head.Seq)
		}
	}
	if head.Stamp <= s.Horizon {
		return 0
	}
	return head.Seq
}

// Own returns the last change that was made in this file since it was opened.
func (f *File) Own() Head {
	if last := f.own.Load(); last != nil {
		return *last
	}
	return Head{}
}

// State returns which changes the file has.
func (f *File) State() (s State, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		j, err := openJournal(tx, f.bounds)
		if j == nil || err != nil {
			return err
		}
		s.Horizon = j.totals.horizon
		s.Heads, err = j.all()
		return err
	})
	return s, err
}

// Missing returns the changes of this file that one in state theirs lacks: some
// bytes of them, at least one, whether there are more, and whether there are some
// that this file's journal does not reach back to.
func (f *File) Missing(theirs State, bytes int) (list []Entry, more, lost bool, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		j, err := openJournal(tx, f.bounds)
		if j == nil || err != nil {
			return err
		}
		heads, err := j.all()
		if err != nil {
			return err
		}
		for _, head := range heads {
			lacks := theirs.Lacks(head)
			if lacks == 0 {
				continue
			}
			first := head.Seq - lacks + 1
			if j.entries.Get(key(head.Origin, first)) == nil {
				lost = true
				continue
			}
			part, rest := j.since(head, first, bytes)
			list = append(list, part...)
			for _, e := range part {
				bytes -= len(e)
			}
			if rest {
				more = true
				break
			}
		}
		return nil
	})
	return list, more, lost, err
}

// Since returns the changes of origin behind number seq, some bytes of them, at
// least one, and whether there are more.
func (f *File) Since(origin, seq uint64, bytes int) (list []Entry, more bool, err error) {
	err = f.view(func(tx *bbolt.Tx) error {
		j, err := openJournal(tx, f.bounds)
		if j == nil || err != nil {
			return err
		}
		head, err := j.head(origin)
		if err != nil {
			return err
		}
		list, more = j.since(Head{Origin: origin, Seq: head.seq}, seq+1, bytes)
		return nil
	})
	return list, more, err
}

// since returns the entries of an origin from number first on.
func (j *journal) since(head Head, first uint64, bytes int) (list []Entry, more bool) {
	cursor := j.entries.Cursor()
	k, v := cursor.Seek(key(head.Origin, first))
	for seq := first; seq <= head.Seq && k != nil; seq++ {
		if bytes <= 0 {
			return list, true
		}
		list = append(list, append(Entry(nil), v...))
		bytes -= len(v)
		k, v = cursor.Next()
	}
	return list, false
}

// mostAhead is how far the clock of another server may be ahead of ours. An entry
// from further ahead would override whatever follows for as long.
const mostAhead = time.Hour

var errAhead = fmt.Errorf("subscriptions: the clock of the server that made a change is more than %v ahead of the one here: set them", mostAhead)

// Merged is what Merge came to.
type Merged struct {
	Applied int    // entries that the file did not have
	Last    []Head // the last of each origin that entries came from
}

// Merge applies changes that were made in the files of other servers. All that a
// file has had already is skipped, and so is what follows a gap: Merged.Last tells
// it from State. In whatever order files get the same changes of several origins,
// they come to the same: of two changes that disagree about a follower and a
// publisher, the later one holds, as long as the journal has it. A list of all that
// a follower follows speaks of every publisher.
func (f *File) Merge(list []Entry) (m Merged, err error) {
	parsed := make([]entry, len(list))
	for i, text := range list {
		if parsed[i], err = parseEntry(text); err != nil {
			return m, err
		}
	}
	ahead := false
	for i := range parsed {
		m.last(parsed[i].place)
		ahead = ahead || time.Until(time.Unix(0, parsed[i].place.stamp)) > mostAhead
	}
	switch {
	case f.ReadOnly():
		return m, f.explain(ErrReadOnly)
	case ahead:
		return m, errAhead
	}
	f.committing.Lock()
	defer f.committing.Unlock()
	applied := 0
	err = f.write(func(tx *bbolt.Tx) error {
		applied = 0
		j, err := openJournal(tx, f.bounds)
		if err != nil {
			return err
		}
		for i := range parsed {
			ok, err := j.merge(tx, &parsed[i], list[i])
			if err != nil {
				return err
			}
			if ok {
				applied++
			}
		}
		if applied == 0 {
			return errNothing
		}
		return j.save()
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if err == nil {
		m.Applied = applied
	}
	return m, err
}

// errNothing ends a transaction that has changed nothing.
var errNothing = errors.New("nothing is new")

// last notes that an entry came.
func (m *Merged) last(p place) {
	for i := range m.Last {
		if h := &m.Last[i]; h.Origin == p.origin {
			h.Seq, h.Stamp = max(h.Seq, p.seq), max(h.Stamp, p.stamp)
			return
		}
	}
	m.Last = append(m.Last, Head{Origin: p.origin, Seq: p.seq, Stamp: p.stamp})
}

// merge applies an entry of another server if it is the next one of its origin.
func (j *journal) merge(tx *bbolt.Tx, e *entry, text Entry) (applied bool, err error) {
	head, err := j.head(e.place.origin)
	switch {
	case err != nil:
		return false, err
	case head.seq == 0 && e.place.stamp <= j.totals.horizon, e.place.seq != head.seq+1:
		return false, nil
	case e.place.stamp <= head.stamp:
		return false, ErrEntry
	}
	later, err := j.later(e.follower, e.place)
	if err != nil {
		return false, err
	}
	lists := lists{tx: tx}
	if err := lists.apply(e.change(later)); err != nil {
		return false, err
	}
	return true, j.note(e, text)
}
