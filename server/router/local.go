package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Local is a Router in this process's memory. The zero value is ready. All
// methods are safe for concurrent use.
//
// It costs 40 bytes per login (32 for itself, 4 for its bucket and 4 for its
// slot), in pages, without a pointer for the garbage collector to follow:
//
//	bucket[hash(id)] -> login -> login -> …      ids that share a bucket
//	first[slot]      -> login -> login -> …      the ids of one connection
//
// A login stands in both lists at once, so that the two directions cannot
// disagree, several connections per id need no set, and the usual single one
// is found where it lies.
type Local struct {
	shards  [shardCount]shard
	members atomic.Pointer[[]*Member]
	joining sync.Mutex // serializes Join
}

// The shards share out the locking: logins of different ids rarely meet. The
// number is a power of two.
const (
	shardBits  = 4
	shardCount = 1 << shardBits
)

var _ Router = (*Local)(nil)

// Member is one owner of connections. Its own methods are for one goroutine at
// a time.
type Member struct {
	local *Local
	inbox Inbox
	index uint32
	first pages[ref] // the first login of each slot
}

// Join adds an owner of connections.
func (l *Local) Join(inbox Inbox) *Member {
	l.joining.Lock()
	defer l.joining.Unlock()
	var members []*Member
	if old := l.members.Load(); old != nil {
		members = append(members, *old...)
	}
	m := &Member{local: l, inbox: inbox, index: uint32(len(members))}
	members = append(members, m)
	l.members.Store(&members)
	return m
}

// Login makes messages to id reach c from now on. Logging the same pair in
// twice is an error of the caller: its messages would arrive twice.
func (m *Member) Login(c Conn, id int64) {
	m.first.grow(c.Slot)
	head := m.first.at(c.Slot)
	h := hash(id)
	s := m.local.shard(h)
	s.mu.Lock()
	at := s.alloc()
	*s.logins.at(at) = login{id: id, conn: c, member: m.index, sibling: *head}
	s.link(h, at)
	s.mu.Unlock()
	*head = makeRef(h, at)
}

// Logout ends every login of the connection in slot, if there are any, and
// appends their ids to ids. When it returns, no message sent later can reach
// that connection.
func (m *Member) Logout(slot uint32, ids []int64) []int64 {
	if !m.first.has(slot) {
		return ids
	}
	head := m.first.at(slot)
	for r := *head; r != 0; {
		s, at := m.local.deref(r)
		s.mu.Lock()
		entry := s.logins.at(at)
		r = entry.sibling
		ids = append(ids, entry.id)
		s.unlink(hash(entry.id), at)
		s.free(at)
		s.mu.Unlock()
	}
	*head = 0
	return ids
}

// Send implements Router.
func (l *Local) Send(id int64, message []byte) (reached int) {
	h := hash(id)
	s := l.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == 0 {
		return 0
	}
	members := *l.members.Load()
	for at := *s.bucket(h); at != 0; {
		entry := s.logins.at(at)
		if entry.id == id && members[entry.member].inbox.Deliver(entry.conn, message) {
			reached++
		}
		at = entry.next
	}
	return reached
}

// Flush implements Router. All members are woken before one is waited for: a
// member that is behind must not keep the others asleep over their messages.
func (l *Local) Flush(ctx context.Context) error {
	l.Wake()
	members := l.members.Load()
	if members == nil {
		return nil
	}
	for _, m := range *members {
		if err := m.inbox.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Wake lets the members deliver what was sent, and waits for none of them. It
// is for a publisher that must go on reading whatever becomes of its messages.
func (l *Local) Wake() {
	members := l.members.Load()
	if members == nil {
		return
	}
	for _, m := range *members {
		m.inbox.Wake()
	}
}

// Logins counts the pairs of connection and id.
func (l *Local) Logins() int {
	n := 0
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		n += s.used
		s.mu.Unlock()
	}
	return n
}

// Check compares both directions of the table and returns what does not agree.
// It is for tests, while nobody logs in or out.
func (l *Local) Check() error {
	var errs []error
	byID, err := l.countByID()
	errs = append(errs, err)
	byConn := 0
	if members := l.members.Load(); members != nil {
		for _, m := range *members {
			n, err := m.check()
			byConn += n
			errs = append(errs, err)
		}
	}
	if byID != byConn || byID != l.Logins() {
		errs = append(errs, fmt.Errorf("router: %d logins by id, %d by connection, %d counted", byID, byConn, l.Logins()))
	}
	return errors.Join(errs...)
}

// countByID walks every bucket.
func (l *Local) countByID() (n int, err error) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		defer s.mu.Unlock()
		for b := range s.buckets {
			prev := uint32(0)
			for at := *s.heads.at(b); at != 0; at = s.logins.at(at).next {
				if s.logins.at(at).prev != prev {
					err = fmt.Errorf("router: in bucket %d of shard %d login %d follows %d, and has it that %d is before it", b, i, at, prev, s.logins.at(at).prev)
				}
				prev = at
				h := hash(s.logins.at(at).id)
				if s.bucketOf(h) != b || h>>(64-shardBits) != uint64(i) {
					err = fmt.Errorf("router: id %d stands in bucket %d of shard %d, where it is not looked for", s.logins.at(at).id, b, i)
				}
				n++
			}
		}
	}
	return n, err
}

// check walks the logins of every slot.
func (m *Member) check() (n int, err error) {
	for slot := range m.first.len() {
		for r := *m.first.at(slot); r != 0; n++ {
			s, at := m.local.deref(r)
			entry := s.logins.at(at)
			if entry.conn.Slot != slot || entry.member != m.index {
				err = fmt.Errorf("router: slot %d of member %d leads to a login of slot %d of member %d", slot, m.index, entry.conn.Slot, entry.member)
			}
			r = entry.sibling
		}
	}
	return n, err
}
