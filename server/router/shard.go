package router

import (
	"math/bits"
	"sync"
)

// login is one pair of id and connection.
type login struct {
	id      int64
	conn    Conn
	member  uint32 // and severalIDs
	next    uint32 // the next login in the bucket, 0 at the end
	prev    uint32 // the one before, 0 at the head: many may have one id
	sibling ref    // the next login of the connection
}

// severalIDs marks the logins of a connection that has more than one.
const severalIDs = 1 << 31

func (l *login) owner() uint32 { return l.member &^ severalIDs }

func (l *login) several() bool { return l.member&severalIDs != 0 }

// ref finds a login from its connection: a shard and an index in it. 0 is none.
type ref uint32

func makeRef(h uint64, at uint32) ref { return ref(at<<shardBits | uint32(h>>(64-shardBits))) }

func (l *Local) deref(r ref) (*shard, uint32) {
	return &l.shards[r&(shardCount-1)], uint32(r >> shardBits)
}

func (l *Local) shard(h uint64) *shard { return &l.shards[h>>(64-shardBits)] }

// hash spreads ids over all bits (the finalizer of MurmurHash3, which is
// public domain): ids of a process are often neighbours or multiples.
func hash(id int64) uint64 {
	h := uint64(id)
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// shard is a hash table with chains through its logins. It grows one bucket at
// a time (Litwin's linear hashing, VLDB 1980): no login ever waits while
// millions are moved, and no old table is left behind as garbage.
type shard struct {
	mu       sync.Mutex
	logins   pages[login]
	heads    pages[uint32] // the first login of each bucket, 0 when empty
	buckets  uint32        // how many buckets are in use
	used     int           // how many logins are in use
	freeList uint32        // freed logins, chained by next
	fresh    uint32        // logins from here on were never used; 0 is not an index
	_        [40]byte      // keeps two shards' locks off one cache line
}

// alloc takes a free login, and grows the table with it.
func (s *shard) alloc() uint32 {
	s.used++
	if s.used > int(s.buckets) {
		s.split()
	}
	if at := s.freeList; at != 0 {
		s.freeList = s.logins.at(at).next
		return at
	}
	s.fresh++
	s.logins.grow(s.fresh)
	return s.fresh
}

func (s *shard) free(at uint32) {
	s.used--
	*s.logins.at(at) = login{next: s.freeList}
	s.freeList = at
}

// bucketOf is the bucket of a hash: its low bits, as many as the table has
// doubled, one fewer where that bucket is not split off yet.
func (s *shard) bucketOf(h uint64) uint32 {
	mask := roundUp(s.buckets) - 1
	b := uint32(h) & mask
	if b >= s.buckets {
		b &= mask >> 1
	}
	return b
}

func (s *shard) bucket(h uint64) *uint32 { return s.heads.at(s.bucketOf(h)) }

func (s *shard) link(h uint64, at uint32) {
	head := s.bucket(h)
	entry := s.logins.at(at)
	entry.next, entry.prev = *head, 0
	if *head != 0 {
		s.logins.at(*head).prev = at
	}
	*head = at
}

func (s *shard) unlink(h uint64, at uint32) {
	entry := s.logins.at(at)
	if entry.prev != 0 {
		s.logins.at(entry.prev).next = entry.next
	} else {
		*s.bucket(h) = entry.next
	}
	if entry.next != 0 {
		s.logins.at(entry.next).prev = entry.prev
	}
}

// split adds one bucket and moves into it what belongs there.
func (s *shard) split() {
	if s.buckets == 0 {
		s.heads.grow(0)
		s.buckets = 1
		return
	}
	added := s.buckets
	old := added & (roundUp(added+1)>>1 - 1)
	s.heads.grow(added)
	s.buckets++
	at := *s.heads.at(old)
	*s.heads.at(old) = 0
	for at != 0 {
		next := s.logins.at(at).next
		s.link(hash(s.logins.at(at).id), at)
		at = next
	}
}

// roundUp is the lowest power of two that is not below n > 0.
func roundUp(n uint32) uint32 {
	return 1 << bits.Len32(n-1)
}
