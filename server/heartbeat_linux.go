package server

import "time"

// beat looks at the rows whose turn it is, and sends a heartbeat to those that
// had nothing for a while. How often a connection was looked at since its last
// bytes is in three of its flags: nothing is added to it.
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

// beatDue is when beat has something to do, or the zero time.
func (l *loop) beatDue() time.Time {
	if l.core.Heartbeat == 0 || l.conns.Len() == 0 {
		return time.Time{}
	}
	return l.pulse.due
}
