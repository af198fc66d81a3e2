package subscriptions

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Changed is what a change came to.
type Changed struct {
	Added   int `json:"added"`   // subscriptions that were not there before
	Removed int `json:"removed"` // subscriptions that were

	// Last is the change among those of this file, the last of them if it is noted
	// as several; zero if nothing was asked for.
	Last Head `json:"-"`
}

// change is one change of whom a follower follows.
type change struct {
	follower    int64
	all         bool    // add is all of them: the others are removed
	add, remove []int64 // publishers; they ascend
	keep        []int64 // publishers that all says nothing of; they ascend

	done    bool // guarded by File.committing
	changed Changed
	err     error
}

// Set makes publishers all that follower follows. Like Add and Remove it returns
// when the change is on the disk; changes that come while another is being written
// are written together. Changes of one follower by several goroutines are in no
// order.
func (f *File) Set(follower int64, publishers ...int64) (Changed, error) {
	return f.apply(&change{follower: follower, all: true, add: ascending(publishers)})
}

// Add makes follower follow publishers as well.
func (f *File) Add(follower int64, publishers ...int64) (Changed, error) {
	return f.apply(&change{follower: follower, add: ascending(publishers)})
}

// Remove ends that follower follows publishers.
func (f *File) Remove(follower int64, publishers ...int64) (Changed, error) {
	return f.apply(&change{follower: follower, remove: ascending(publishers)})
}

// ascending returns ids in order, each once.
func ascending(ids []int64) []int64 {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// apply commits c, with all changes that wait by the time it is its turn.
func (f *File) apply(c *change) (Changed, error) {
	for _, ids := range [][]int64{{c.follower}, c.add, c.remove} {
		if len(ids) > 0 && ids[0] < 0 {
			return Changed{}, fmt.Errorf("subscriptions: %d is not an id: use a whole number from 0 to 9223372036854775807", ids[0])
		}
	}
	f.mu.Lock()
	f.waiting = append(f.waiting, c)
	f.mu.Unlock()
	f.committing.Lock()
	defer f.committing.Unlock()
	if !c.done { // else who committed last has taken it along
		f.mu.Lock()
		batch := f.waiting
		f.waiting = nil
		f.mu.Unlock()
		f.commit(batch)
	}
	return c.changed, c.err
}

// commit writes a batch in one transaction. If that fails, each change stands for
// itself: a list that is damaged must not keep the others from theirs.
func (f *File) commit(batch []*change) {
	err := f.write(func(tx *bbolt.Tx) error { return f.update(tx, batch) })
	if err != nil && len(batch) > 1 {
		for _, c := range batch {
			f.commit([]*change{c})
		}
		return
	}
	for _, c := range batch {
		c.done, c.err = true, err
		if err != nil {
			c.changed = Changed{}
		}
		if last := c.changed.Last; last.Seq > 0 {
			f.own.Store(&last)
		}
	}
}

// write changes the file in one transaction, or not at all.
func (f *File) write(do func(*bbolt.Tx) error) error {
	if f.broken != nil {
		return f.broken
	}
	err := f.explain(guarded(func() error { return f.db.Update(do) }))
	if errors.Is(err, errPanic) {
		f.broken = err
	}
	return err
}

// update makes a batch of changes, and notes them for other servers.
func (f *File) update(tx *bbolt.Tx, batch []*change) error {
	lists := lists{tx: tx}
	j, err := openJournal(tx, f.bounds)
	if err != nil {
		return err
	}
	for _, c := range batch {
		if err := lists.apply(c); err != nil {
			return err
		}
		if err := f.note(j, c); err != nil {
			return err
		}
	}
	return j.save()
}

// note notes a change that is made here.
func (f *File) note(j *journal, c *change) error {
	for _, e := range c.entries() {
		p, err := j.next(f.origin, time.Now())
		if err != nil {
			return err
		}
		f.origin, e.place = p.origin, p
		if err := j.note(&e, e.encode()); err != nil {
			return err
		}
		c.changed.Last = Head{Origin: p.origin, Seq: p.seq, Stamp: p.stamp}
	}
	return nil
}

// lists changes lists within a transaction. Its slices are scratch.
type lists struct {
	tx            *bbolt.Tx
	before, after []int64
	ids           []int64
}

// apply makes one change in both directions.
func (l *lists) apply(c *change) (err error) {
	l.before, err = l.read(l.before[:0], publishersBucket, c.follower)
	if err != nil {
		return err
	}
	l.after = l.after[:0]
	for _, id := range l.before {
		if _, kept := slices.BinarySearch(c.keep, id); !c.all || kept {
			l.after = append(l.after, id)
		}
	}
	l.after = slices.DeleteFunc(append(l.after, c.add...), func(id int64) bool {
		_, found := slices.BinarySearch(c.remove, id)
		return found
	})
	slices.Sort(l.after)
	l.after = slices.Compact(l.after)
	c.changed = Changed{}
	for id, added := range differences(l.before, l.after) {
		if err := l.setFollower(id, c.follower, added); err != nil {
			return err
		}
		if added {
			c.changed.Added++
		} else {
			c.changed.Removed++
		}
	}
	if c.changed == (Changed{}) {
		return nil
	}
	return l.write(publishersBucket, c.follower, l.after)
}

// differences returns each id that is in one of two ascending lists alone, and
// whether that is the second.
func differences(before, after []int64) func(yield func(id int64, added bool) bool) {
	return func(yield func(int64, bool) bool) {
		for len(before) > 0 || len(after) > 0 {
			switch {
			case len(after) == 0 || len(before) > 0 && before[0] < after[0]:
				if !yield(before[0], false) {
					return
				}
				before = before[1:]
			case len(before) == 0 || after[0] < before[0]:
				if !yield(after[0], true) {
					return
				}
				after = after[1:]
			default:
				before, after = before[1:], after[1:]
			}
		}
	}
}

// setFollower writes into the list of publisher whether follower is in it.
func (l *lists) setFollower(publisher, follower int64, follows bool) (err error) {
	if l.ids, err = l.read(l.ids[:0], followersBucket, publisher); err != nil {
		return err
	}
	at, found := slices.BinarySearch(l.ids, follower)
	switch {
	case found == follows:
		return fmt.Errorf("%w: its two directions disagree about %d and %d", errDamaged, follower, publisher)
	case follows:
		l.ids = slices.Insert(l.ids, at, follower)
	default:
		l.ids = slices.Delete(l.ids, at, at+1)
	}
	return l.write(followersBucket, publisher, l.ids)
}

func (l *lists) read(ids []int64, bucket []byte, id int64) ([]int64, error) {
	return appendIDs(ids, l.tx.Bucket(bucket).Get(keyOf(id)))
}

// write writes a list; an empty one has no key.
func (l *lists) write(bucket []byte, id int64, ids []int64) error {
	b := l.tx.Bucket(bucket)
	if len(ids) == 0 {
		return b.Delete(keyOf(id))
	}
	list := appendList(nil, ids) // bbolt keeps it until the commit
	if len(list) > bbolt.MaxValueSize {
		return errors.New("a list would be longer than 2 GiB")
	}
	return b.Put(keyOf(id), list)
}
