package server

import "time"

// heartbeatParts is how often a connection is looked at within Config.Heartbeat.
// One that has had nothing at this many looks in a row gets a heartbeat. So it
// comes after a silence of three quarters of that time to all of it, and takes a
// number up to 4 per connection.
const heartbeatParts = 4

// How a table is gone through: a slice of about sliceRows at a time, spread
// evenly over the pass, but with at least sliceTime between two of them.
const (
	sliceRows = 256
	sliceTime = 5 * time.Millisecond
)

// pulse schedules the rows of a table of connections, so that each is looked at
// once in period. A timer for each connection would cost more than
// the connection.
type pulse struct {
	period time.Duration
	began  time.Time // when the present pass did, or the next one will
	row    uint32    // the last that was looked at in this pass
	due    time.Time // when the next slice is
}

// slice returns the rows to look at now: those after after, up to last. There
// are none before due. Late looks are skipped, so that no row is looked at twice
// in a row.
func (p *pulse) slice(now time.Time, rows uint32) (after, last uint32) {
	if now.Before(p.due) || rows == 0 {
		return 0, 0
	}
	slices := max(1, min(time.Duration(rows/sliceRows+1), p.period/sliceTime))
	step := p.period / slices
	i := now.Sub(p.began)/step + 1 // slices that are due by now
	after = min(p.row, rows)
	if i < slices {
		last = max(uint32(uint64(rows)*uint64(i)/uint64(slices)), after)
		p.row, p.due = last, p.began.Add(i*step)
		return after, last
	}
	p.row, p.began = 0, p.began.Add(p.period)
	if !p.began.After(now) {
		p.began = now.Add(step)
	}
	p.due = p.began
	return after, rows
}
