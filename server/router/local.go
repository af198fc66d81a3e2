package router

import (
	"context"
	"sync"
	"sync/atomic"
)

// Local routes in this process's memory. The zero value is ready. All methods
// are safe for concurrent use.
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

// Login makes messages to ids reach c from now on. Logging the same pair in
// twice is an error of the caller: its messages would arrive twice. So may a
// message of a [Fan] between two calls for the same connection.
func (m *Member) Login(c Conn, ids ...int64) {
	m.first.grow(c.Slot)
	mark := uint32(0)
	if head := *m.first.at(c.Slot); len(ids) > 1 || head != 0 {
		mark = severalIDs
		m.local.mark(head)
	}
	for _, id := range ids {
		m.login(c, id, mark)
	}
}

// mark marks a login, unless r is none, as one of several of its connection.
func (l *Local) mark(r ref) {
	if r == 0 {
		return
	}
	s, at := l.deref(r)
	s.mu.Lock()
	s.logins.at(at).member |= severalIDs
	s.mu.Unlock()
}

func (m *Member) login(c Conn, id int64, mark uint32) {
	head := m.first.at(c.Slot)
	h := hash(id)
	s := m.local.shard(h)
	s.mu.Lock()
	at := s.alloc()
	*s.logins.at(at) = login{id: id, conn: c, member: m.index | mark, sibling: *head}
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

// Send queues message to every connection logged in as id. It returns for how
// many that was done, and how many inboxes were too full. If both are 0, nobody
// is logged in as id. Call Flush when there is no more to send for now.
func (l *Local) Send(id int64, message []byte) (reached, overrun int) {
	return l.send(id, message, nil)
}

// Reaches reports whether id is logged in on n connections or more.
func (l *Local) Reaches(id int64, n int) bool {
	h := hash(id)
	s := l.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == 0 {
		return n <= 0
	}
	for at := *s.bucket(h); at != 0 && n > 0; {
		entry := s.logins.at(at)
		if entry.id == id {
			n--
		}
		at = entry.next
	}
	return n <= 0
}

// send sends to the connections of id, with a fan to those that it has not reached.
func (l *Local) send(id int64, message []byte, fan *Fan) (reached, overrun int) {
	h := hash(id)
	s := l.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == 0 {
		return 0, 0
	}
	members := *l.members.Load()
	for at := *s.bucket(h); at != 0; {
		entry := s.logins.at(at)
		if entry.id == id && (fan == nil || fan.first(entry)) {
			if members[entry.owner()].inbox.Deliver(entry.conn, message) {
				reached++
			} else {
				overrun++
			}
		}
		at = entry.next
	}
	return reached, overrun
}

// Flush lets the members deliver what was sent since the last Flush, and waits
// for those that are behind. It wakes all members before it waits for one: a
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
// is for a publisher that must go on reading whatever becomes of its messages. A
// member may deliver within this call, and end connections by that: an [Exchange]
// that calls it must hold nothing that its Drop needs.
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
