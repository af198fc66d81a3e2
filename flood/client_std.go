package flood

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"example.org/comet/flood/pace"
	"example.org/comet/server/wire"
)

// runStd floods with a goroutine per connection, over the standard library's
// sockets. It is for systems without epoll, and costs a hundred times as much.
func (f *Flood) runStd(ctx context.Context) (Result, error) {
	s := &stdFlood{Flood: f, observer: newObserver(&f.cfg)}
	stopReport := s.report()
	defer stopReport()
	var ticker sync.WaitGroup
	ended, end := context.WithCancel(ctx)
	ticker.Go(func() { s.tick(ended) })
	s.openAll(ctx)
	<-ctx.Done()
	s.open.Wait()
	end()
	ticker.Wait()
	return s.end(), nil
}

type stdFlood struct {
	*Flood
	mu sync.Mutex // guards the observer and the sources
	*observer
	open sync.WaitGroup
}

func (s *stdFlood) tick(ctx context.Context) {
	t := time.NewTicker(s.cfg.SampleInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.emit(s.sample(time.Now(), false))
			s.mu.Unlock()
			return
		case now := <-t.C:
			s.mu.Lock()
			s.emit(s.sample(now, false))
			s.mu.Unlock()
		}
	}
}

// openAll begins every connection at its time, and returns when all have been
// tried.
func (s *stdFlood) openAll(ctx context.Context) {
	places := make(chan struct{}, s.cfg.InFlight)
	s.mu.Lock()
	s.firstConnect = time.Now()
	s.mu.Unlock()
	for i := range s.cfg.Connections {
		due := s.begun.Add(s.cfg.Pace.Due(uint64(i)))
		if pace.SleepUntil(ctx, due) != nil {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if s.cfg.Pace.Unpaced() {
			due = time.Now()
		}
		s.locked(func() { s.counts.InFlight++ })
		s.open.Go(func() {
			c := &stdConn{flood: s, index: i, due: due}
			c.run(ctx, func() {
				s.locked(func() { s.counts.InFlight-- })
				<-places
			})
		})
	}
	for range cap(places) { // all have had their first byte, or failed
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
	s.mu.Lock()
	s.allTried()
	s.emit(s.sample(time.Now(), false))
	s.mu.Unlock()
}

// dial connects from the next free source address.
func (s *stdFlood) dial(ctx context.Context, to netip.AddrPort, deadline time.Time) (nc net.Conn, err error) {
	for {
		d := net.Dialer{Deadline: deadline, KeepAlive: -1}
		s.mu.Lock()
		from, ok := s.sources.take()
		s.mu.Unlock()
		if ok {
			d.LocalAddr = net.TCPAddrFromAddrPort(from)
		}
		nc, err = d.DialContext(ctx, "tcp", to.String())
		more := false
		s.locked(func() {
			switch {
			case err == nil:
				s.sources.works()
			case failureOf(err) == NoFreePort:
				more = s.sources.taken()
			}
		})
		if !more {
			return nc, err
		}
	}
}

type stdConn struct {
	flood  *stdFlood
	index  int
	due    time.Time
	stream bool
	track  track
	parser wire.ResponseParser
}

// run is the life of one connection. answered is called when its place among
// those in flight is free again.
func (c *stdConn) run(ctx context.Context, answered func()) {
	s := c.flood
	answered = sync.OnceFunc(answered)
	defer answered()
	request, to := s.targets.append(nil, c.index)
	deadline := time.Now().Add(s.cfg.ConnectTimeout)
	nc, err := s.dial(ctx, to, deadline)
	if err != nil {
		if ctx.Err() == nil {
			s.locked(func() { s.failed(failureOf(err), err) })
		}
		return
	}
	defer nc.Close()
	connected := time.Now()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	nc.SetDeadline(deadline)
	if _, err = nc.Write(request); err == nil {
		err = c.readAll(nc, func() {
			nc.SetDeadline(time.Time{})
			now := time.Now()
			s.locked(func() { s.established(c.due, connected, now) })
			answered()
		})
	}
	if ctx.Err() == nil {
		s.locked(func() { c.over(err) })
	}
}

func (s *stdFlood) locked(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// errStatus is an answer that is not a stream.
var errStatus = errors.New("not a stream")

// over counts the end of the connection.
func (c *stdConn) over(err error) {
	s := c.flood
	kind := failureOf(err)
	switch {
	case errors.Is(err, errStatus):
		s.fail.Statuses[c.parser.Status()]++
		kind = Status
	case errors.Is(err, errNotHTTP):
		kind = Malformed
	}
	if !c.stream {
		s.failed(kind, err)
		return
	}
	s.counts.Connected--
	s.counts.Closed++
	if err != nil && (!errors.Is(err, io.EOF) || !c.parser.Complete()) {
		s.count(kind, err)
	}
}

// readAll takes the answer apart until its end, for which it returns nil, or
// until an error.
func (c *stdConn) readAll(r io.Reader, established func()) error {
	s := c.flood
	buf := make([]byte, 4<<10)
	var have []byte
	for {
		n, err := r.Read(buf)
		have = append(have, buf[:n]...)
		now := time.Now()
		s.locked(func() { s.counts.Bytes += uint64(n) })
		b := have
		for part := wire.Head; part != wire.More; {
			var used int
			s.locked(func() { part, used = s.next(&c.track, &c.parser, b, now) })
			b = b[used:]
			switch part {
			case wire.Head:
				if c.parser.Status() != 200 {
					return errStatus
				}
				c.stream = true
				established()
			case wire.End:
				return nil
			case wire.Malformed:
				return errNotHTTP
			}
		}
		if errors.Is(err, io.EOF) && c.parser.Complete() {
			s.locked(func() { s.scanStamps(&c.track, b, now) })
		}
		if err != nil {
			return err
		}
		switch {
		case len(b) == 0 && cap(have) > len(buf):
			have = nil
		case len(b) < len(have): // else there is nothing to move, as in a large chunk
			have = append(have[:0], b...)
		}
	}
}
