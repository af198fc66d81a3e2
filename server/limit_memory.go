package server

import (
	"runtime/debug"
	"sync/atomic"
	"time"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/wire"
)

// memoryLimit decides whether the process has the memory for one more stream. It asks at
// most once per memoryLook, since streams may come by the ten thousand.
//
// The zero value limits nothing.
type memoryLimit struct {
	most     int64
	resident func() *int64
	looked   atomic.Int64 // when it asked last, in ns since began
	freed    atomic.Int64 // likewise, when it had memory returned
	began    time.Time
	over     atomic.Bool
	freeing  atomic.Bool
}

const (
	memoryLook = 20 * time.Millisecond
	// memoryFree is how often the memory of streams that have left is returned to the
	// system, without which a process that was over its limit would stay there.
	memoryFree = time.Second
)

func newMemoryLimit(most int64) *memoryLimit {
	return &memoryLimit{most: most, resident: adminhttp.ResidentBytes, began: time.Now()}
}

// exceeded reports whether the process has more memory than it may. Where the system does
// not say, it has not.
func (m *memoryLimit) exceeded() bool {
	if m.most <= 0 {
		return false
	}
	now, last := int64(time.Since(m.began)), m.looked.Load()
	if (last == 0 || now-last >= int64(memoryLook)) && m.looked.CompareAndSwap(last, now) {
		resident := m.resident()
		m.over.Store(resident != nil && *resident > m.most)
	}
	over := m.over.Load()
	if over {
		m.free(now)
	}
	return over
}

// free returns memory to the system, beside whoever asks.
func (m *memoryLimit) free(now int64) {
	last := m.freed.Load()
	if last != 0 && now-last < int64(memoryFree) || !m.freeing.CompareAndSwap(false, true) {
		return
	}
	m.freed.Store(now)
	go func() {
		debug.FreeOSMemory()
		m.freeing.Store(false)
	}()
}

// refuseAll returns the answer to a stream that nobody could have now, and counts it; nil
// if the server takes streams.
func (c *core) refuseAll(n *counters) *wire.Answer {
	switch {
	case c.leaves():
		n.refusedLeaving.Add(1)
		return c.leaving()
	case c.memory.exceeded():
		n.refusedMemory.Add(1)
		return wire.MemoryFull
	}
	return nil
}
