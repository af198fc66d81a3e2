package bench

import (
	"context"
	"fmt"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/sysctl"
)

// fullMemory is the share of the machine's memory at which the ramp stops.
const fullMemory = 0.9

// What a connection takes of this machine, in bytes. A plan is refused only if the
// memory is short of the least, since the ramp stops by itself. The ramp reckons with
// what its own connections take, and with the most until it has measured that.
const (
	// processBytes is process memory, at both ends, with its share of what the
	// processes themselves cost.
	processBytes = 500
	// leastEndBytes is the kernel's memory for one end: with 100,000 connections 4,028
	// were measured, with a million and two some 4,140. The most is sysctl.SocketBytes.
	leastEndBytes = 4000
)

// enoughToMeasure is how many connections tell what one takes: of fewer, what the
// parts need once is too much.
const enoughToMeasure = 10_000

// spare returns how much of the machine's memory must stay free, 0 if so few
// connections would not fill it.
func spare(n sysctl.Need, total float64) int64 {
	bytes := int64((1 - fullMemory) * total)
	if int64(n.Connections)*(2*sysctl.SocketBytes+processBytes) < bytes {
		return 0
	}
	return bytes
}

// memoryError ends a ramp before the machine is out of memory.
type memoryError struct {
	used, total float64 // bytes
	each        float64 // bytes that a connection takes
	measured    bool
	connected   int
	fits        int
}

func (e *memoryError) Error() string { return "bench: " + e.evidence() }

func (e *memoryError) evidence() string {
	const gib = 1 << 30
	how := "reckoned"
	if e.measured {
		how = "measured"
	}
	return fmt.Sprintf("the machine's memory is nearly full: %.1f of %.1f GiB are used after %d connections, more of which, at %.1f KB each as %s, would go above 90 %%: run with -c %d",
		e.used/gib, e.total/gib, e.connected, e.each/1000, how, e.fits)
}

// ramp is what is known of the memory while connections are opened, in bytes.
type ramp struct {
	total, begun, used float64 // a begun of 0 is not known
	connected          int
	ends               int // of a connection that are here
}

// each returns what a connection takes of the memory: as much as those do that are
// there, unless that is less than any was seen to.
func (m ramp) each() (bytes float64, measured bool) {
	if m.connected < enoughToMeasure || m.begun == 0 {
		return float64(m.ends*sysctl.SocketBytes + processBytes), false
	}
	return max((m.used-m.begun)/float64(m.connected), float64(m.ends*leastEndBytes+processBytes)), true
}

// left returns an error if so many connections more would fill the memory.
func (m ramp) left(next int) error {
	each, measured := m.each()
	limit := fullMemory * m.total
	if m.used+float64(next)*each <= limit {
		return nil
	}
	return &memoryError{
		used: m.used, total: m.total, each: each, measured: measured,
		connected: m.connected, fits: m.connected + int(max(limit-m.used, 0)/each),
	}
}

// memory returns what is known of it now; ok is false where that is nothing.
func (r *run) memory() (m ramp, ok bool) {
	now := probe.Memory()
	total, known1 := now.Total.Value()
	used, known2 := now.InUse.Value()
	begun, _ := r.rec.begun.Machine.InUse.Value()
	ends := 1
	if r.plan.need.Role == sysctl.Both {
		ends = 2
	}
	return ramp{total, begun, used, r.totals().Connected, ends}, known1 && known2
}

// memoryLeft returns an error if the next floods and servers would fill the machine.
func (r *run) memoryLeft() error {
	m, ok := r.memory()
	if !ok || !r.plan.several() || r.plan.away {
		return nil
	}
	return m.left(rampWidth * r.plan.pairs[0].connections)
}

// untilFull returns an error once the machine is full, also in the middle of a flood
// that holds many connections.
func (r *run) untilFull(ctx context.Context) error {
	if r.plan.need.SpareBytes == 0 {
		return nil
	}
	for fleet.Wait(ctx, time.Second) == nil {
		if m, ok := r.memory(); ok {
			if err := m.left(0); err != nil {
				return err
			}
		}
	}
	return nil
}
