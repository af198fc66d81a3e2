package server

import "time"

// beat looks at the rows that are due, and sends a heartbeat to those that had
// nothing for a while. Three of a connection's flags count the looks since its
// last bytes, so that heartbeats cost no memory.
func (l *loop) beat() {
	if l.core.Heartbeat == 0 || l.conns.Len() == 0 {
		return
	}
	after, last := l.pulse.slice(l.now, l.conns.Rows())
	for slot, c := range l.conns.Between(after, last) {
		if c.state != streaming || !c.kind.HasHeartbeat() || l.waiting(c) > 0 {
			continue
		}
		if c.flags += oneLook; c.flags/oneLook < heartbeatParts {
			continue
		}
		l.counters.heartbeats.Add(1)
		l.out.bytes = c.kind.AppendHeartbeat(l.out.bytes)
		l.write(slot, c)
	}
}

// beatDue returns when beat is due, or the zero time.
func (l *loop) beatDue() time.Time {
	if l.core.Heartbeat == 0 || l.conns.Len() == 0 {
		return time.Time{}
	}
	return l.pulse.due
}
