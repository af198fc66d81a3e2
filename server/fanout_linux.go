package server

import (
	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

const (
	// fanOutFrom is how many copies of a message go out together: fewer save
	// nothing.
	fanOutFrom = 32
	// fanOutSends and fanOutBytes bound what waits to go out together.
	fanOutSends = 512
	fanOutBytes = 256 << 10
)

// fan is copies of a message that go to many connections together. Connections
// that have got as many messages before share the bytes.
type fan struct {
	sender *epoll.Sender // nil before the first
	sends  []epoll.Send
	copies []fanCopy
	bytes  []byte
	kind   wire.Kind // of the last copy
	n      uint64    // the message's number there
	start  uint32    // where the message lies in the batch
	end    uint32
}

// fanCopy is where a connection's copy lies in bytes.
type fanCopy struct{ slot, start, end uint32 }

func (f *fan) free() {
	if f.sender != nil {
		f.sender.Close()
	}
}

// add frames a copy for the connection of slot, unless the last one is equal.
func (f *fan) add(slot uint32, c *conn, fd int, it item, message []byte) {
	one := fanCopy{slot: slot, start: uint32(len(f.bytes))}
	if last := len(f.copies) - 1; last >= 0 && f.kind == c.kind && f.n == c.n && f.start == it.start && f.end == it.end {
		one.start, one.end = f.copies[last].start, f.copies[last].end
	} else {
		f.bytes = c.kind.AppendMessage(f.bytes, c.n, message)
		one.end = uint32(len(f.bytes))
		f.kind, f.n, f.start, f.end = c.kind, c.n, it.start, it.end
	}
	f.copies = append(f.copies, one)
	f.sends = append(f.sends, epoll.Send{FD: fd})
}

// full reports whether enough waits.
func (f *fan) full() bool { return len(f.copies) >= fanOutSends || len(f.bytes) >= fanOutBytes }

// send sends all copies.
func (f *fan) send() {
	for i, one := range f.copies {
		f.sends[i].Bytes = f.bytes[one.start:one.end]
	}
	f.sender.Send(f.sends)
}

// reset forgets the copies, and keeps the memory unless there is a lot of it.
func (f *fan) reset() {
	clear(f.sends)
	f.sends, f.copies, f.bytes = f.sends[:0], f.copies[:0], f.bytes[:0]
	if cap(f.bytes) > 2*fanOutBytes {
		f.bytes = nil
	}
}

// stage has a message wait in l.fan. What is not just a write to a socket goes the
// way of every message.
func (l *loop) stage(it item, message []byte) {
	token := epoll.NewToken(it.conn.Slot, it.conn.Gen)
	slot, c, ok := l.conns.Lookup(token)
	if ok && c.flags&fanned != 0 {
		l.flushFan() // it gets another one
		slot, c, ok = l.conns.Lookup(token)
	}
	switch {
	case !ok || c.state != streaming:
		l.counters.droppedClosed.Add(1)
	case c.kind.OneMessage() || l.waiting(c) > 0 || l.secureOf(slot) != nil:
		l.deliverOne(slot, c, message)
	default:
		c.n++
		c.flags |= fanned
		l.fan.add(slot, c, l.conns.FD(slot), it, message)
		if l.fan.full() {
			l.flushFan()
		}
	}
}

// deliverOne writes one message to a connection.
func (l *loop) deliverOne(slot uint32, c *conn, message []byte) {
	if !l.queue(slot, c, message) || l.out.waiting() == 0 {
		return
	}
	if c.state == answered {
		l.finish(slot, c, nil)
	} else {
		l.write(slot, c)
	}
}

// openFan makes what sends many copies at a time, and says once if the kernel cannot.
func (l *loop) openFan() {
	l.fan.sender = epoll.NewSender(false) // a loop moves between threads
	if why := l.fan.sender.Plain(); why != nil {
		l.core.plainSends.Do(func() {
			l.core.Logger.Info("messages to many go out one by one: the kernel has no io_uring for this process (needs Linux 5.19, kernel.io_uring_disabled=0 and a sandbox that permits it)", "error", why)
		})
	}
}

// flushFan sends what waits in l.fan. Each copy is written, kept for later or lost
// with its connection like any other message.
func (l *loop) flushFan() {
	if len(l.fan.copies) == 0 {
		return
	}
	if l.fan.sender == nil {
		l.openFan()
	}
	l.fan.send()
	var bytes, messages uint64
	for i := range l.fan.sends {
		one, slot := &l.fan.sends[i], l.fan.copies[i].slot
		c := l.conns.At(slot)
		c.flags &^= fanned | looks
		if one.Err != nil || one.N < len(one.Bytes) || c.flags&sampled != 0 {
			l.out.addWhole(one.Bytes)
			l.took(slot, c, one.N, one.Err)
			continue
		}
		bytes += uint64(one.N)
		messages++
	}
	l.counters.bytesWritten.Add(bytes)
	l.counters.written.Add(messages)
	l.fan.reset()
}
