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
	s := &stdFlood{flood: f, obs: newObserver(&f.cfg)}
	stopReport := s.obs.report()
	defer stopReport()
	var ticker sync.WaitGroup
	ended, end := context.WithCancel(ctx)
	ticker.Go(func() { s.tick(ended) })
	s.openAll(ctx)
	<-ctx.Done()
	s.open.Wait()
	end()
	ticker.Wait()
	return s.obs.end(), nil
}

type stdFlood struct {
	flood *Flood
	mu    sync.Mutex // guards obs, and the flood's sources and hosts
	obs   *observer
	open  sync.WaitGroup
}

func (s *stdFlood) locked(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *stdFlood) tick(ctx context.Context) {
	t := time.NewTicker(s.flood.cfg.SampleInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			s.locked(func() { s.obs.emit(s.obs.sample(time.Now(), false)) })
			return
		case now := <-t.C:
			s.locked(func() { s.obs.emit(s.obs.sample(now, false)) })
		}
	}
}

// openAll begins every connection at its time, and returns when all have been
// tried.
func (s *stdFlood) openAll(ctx context.Context) {
	cfg := &s.flood.cfg
	places := make(chan struct{}, cfg.InFlight)
	s.locked(func() { s.obs.firstConnect = time.Now() })
	for i := range cfg.Connections {
		due := s.obs.begun.Add(cfg.Pace.Due(uint64(i)))
		if pace.SleepUntil(ctx, due) != nil {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if cfg.Pace.Unpaced() {
			due = time.Now()
		}
		s.locked(func() { s.obs.counts.InFlight++ })
		s.open.Go(func() {
			c := &stdConn{flood: s, index: i, due: due}
			c.run(ctx, func() {
				s.locked(func() { s.obs.counts.InFlight-- })
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
	s.locked(func() {
		s.obs.allTried()
		s.obs.emit(s.obs.sample(time.Now(), false))
	})
}

// dial connects to the first address of a host that does not refuse it. Once all
// were tried, the error is that of the first.
func (s *stdFlood) dial(ctx context.Context, host *host, deadline time.Time) (net.Conn, error) {
	var done tried
	var why error
	for {
		var index uint8
		more := false
		s.locked(func() { index, more = host.next(done) })
		if !more {
			return nil, why
		}
		nc, err := s.dialFrom(ctx, host.addrs[index], deadline)
		if err == nil {
			s.locked(func() { host.first = index })
			return nc, nil
		}
		if why == nil {
			why = err
		}
		if done |= 1 << index; !passes(failureOf(err)) {
			return nil, why
		}
	}
}

// dialFrom connects from the next free source address.
func (s *stdFlood) dialFrom(ctx context.Context, to netip.AddrPort, deadline time.Time) (nc net.Conn, err error) {
	for {
		d := net.Dialer{Deadline: deadline, KeepAlive: -1}
		s.locked(func() {
			if from, ok := s.flood.sources.take(); ok {
				d.LocalAddr = net.TCPAddrFromAddrPort(from)
			}
		})
		nc, err = d.DialContext(ctx, "tcp", to.String())
		more := false
		s.locked(func() {
			switch {
			case err == nil:
				s.flood.sources.works()
			case failureOf(err) == NoFreePort:
				more = s.flood.sources.taken()
			}
		})
		if !more {
			return nc, err
		}
	}
}

type stdConn struct {
	flood *stdFlood
	index int
	due   time.Time
	// Guarded by the flood's lock, as the rows that it has in there are.
	reading reading
	// established is when the head of a stream came, or zero.
	established time.Time
}

// run takes one connection from its connect to its end. It calls answered when
// its place among those in flight is free again.
func (c *stdConn) run(ctx context.Context, answered func()) {
	s := c.flood
	answered = sync.OnceFunc(answered)
	defer answered()
	request := s.flood.targets.append(nil, c.index)
	deadline := time.Now().Add(s.flood.cfg.ConnectTimeout)
	nc, err := s.dial(ctx, s.flood.targets.host(c.index), deadline)
	if err != nil {
		if ctx.Err() == nil {
			s.locked(func() { s.obs.failed(failureOf(err), err) })
		}
		return
	}
	defer nc.Close()
	connected := time.Now()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	nc.SetDeadline(deadline)
	if _, err = nc.Write(request); err == nil {
		err = c.readAll(nc, func(now time.Time) {
			nc.SetDeadline(time.Time{})
			s.locked(func() { s.obs.established(&c.reading, c.due, connected, now) })
			answered()
		})
	}
	s.locked(func() {
		if ctx.Err() == nil {
			c.over(err)
		}
		s.obs.spares.drop(&c.reading)
	})
}

// errStatus is an answer that is not a stream.
var errStatus = errors.New("not a stream")

// over counts the end of the connection: nil is that of a whole answer.
func (c *stdConn) over(err error) {
	obs := c.flood.obs
	kind := failureOf(err)
	switch {
	case errors.Is(err, errStatus):
		obs.fail.Statuses[c.reading.parser.Status()]++
		kind = Status
	case errors.Is(err, errNotHTTP):
		kind = Malformed
	}
	switch {
	case c.established.IsZero():
		obs.unanswered(&c.reading, kind, err)
	case err == nil:
		obs.ended(&c.reading, c.established)
	default:
		obs.cutOff(kind, err)
	}
}

// readAll takes the answer apart until its end, for which it returns nil, or
// until an error.
func (c *stdConn) readAll(r io.Reader, established func(now time.Time)) error {
	s := c.flood
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		now := time.Now()
		s.locked(func() { s.obs.counts.Bytes += uint64(n) })
		part, b := wire.Head, buf[:n]
		for part != wire.More {
			s.locked(func() { part, b = s.obs.feed(&c.reading, b, now) })
			switch part {
			case wire.Head:
				if c.reading.parser.Status() != 200 {
					return errStatus
				}
				c.established = now
				established(now)
			case wire.End:
				return nil
			case wire.Malformed:
				return errNotHTTP
			}
		}
		if errors.Is(err, io.EOF) && !c.established.IsZero() && c.reading.parser.Complete() {
			s.locked(func() { s.obs.bodyEnded(&c.reading, now) })
			return nil
		}
		if err != nil {
			return err
		}
	}
}
