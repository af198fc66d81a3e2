package router

import (
	"errors"
	"fmt"
)

// check compares both directions of the table and returns what does not agree.
// Nobody may log in or out meanwhile.
func (l *Local) check() error {
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
	for slot := range uint32(len(m.first.page) * pageLen) {
		for r := *m.first.at(slot); r != 0; n++ {
			s, at := m.local.deref(r)
			entry := s.logins.at(at)
			if entry.conn.Slot != slot || entry.owner() != m.index {
				err = fmt.Errorf("router: slot %d of member %d leads to a login of slot %d of member %d", slot, m.index, entry.conn.Slot, entry.owner())
			}
			r = entry.sibling
		}
	}
	return n, err
}
