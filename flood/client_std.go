package flood

import (
	"bytes"
	"context"
	"crypto/tls"
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
	s := &stdFlood{flood: f, obs: newObserver(f)}
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

// takeReply returns what is to be sent of what the observer has just done. The lock
// must be held since.
func (s *stdFlood) takeReply() []byte {
	reply := bytes.Clone(s.obs.reply)
	s.obs.reply = s.obs.reply[:0]
	return reply
}

// openAll begins every connection at its time, and returns when all have been
// tried.
func (s *stdFlood) openAll(ctx context.Context) {
	cfg := &s.flood.cfg
	places := make(chan struct{}, cfg.InFlight)
	s.locked(func() { s.obs.firstConnect = time.Now() })
	for i := range cfg.Connections {
		due := s.obs.begun.Add(s.flood.schedule.Due(uint64(i)))
		if pace.SleepUntil(ctx, due) != nil {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if !s.flood.paced {
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
		next := false // whether there is one more after this
		s.locked(func() {
			if index, more = host.next(done); more {
				_, next = host.next(done | 1<<index)
			}
		})
		if !more {
			return nil, why
		}
		until := deadline
		if next {
			until = time.Now().Add(min(tryFor, time.Until(deadline)))
		}
		nc, err := s.dialFrom(ctx, host.addrs[index], until)
		if err == nil {
			s.locked(func() { host.first = index })
			return nc, nil
		}
		if why == nil {
			why = err
		}
		kind := failureOf(err)
		if done |= 1 << index; !passes(kind) && (kind != Timeout || !next) {
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
		if end, ok := ctx.Deadline(); ok && err != nil && !time.Now().Before(end) {
			<-ctx.Done() // the dial may know first, and what the end of the run cuts off is no failure
		}
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
	// placed gives back its place among those in flight, once.
	placed func()
	// Guarded by the flood's lock, as the rows that it has in there are.
	reading reading
	latest  latest
	// connected is when its request was on its way, and established when it was
	// that, or zero.
	connected, established time.Time

	nc      net.Conn
	writing sync.Mutex // guards writes to nc
}

// run takes one connection from its connect to its end. It calls placed when its
// place among those in flight is free again.
func (c *stdConn) run(ctx context.Context, placed func()) {
	s := c.flood
	c.placed = sync.OnceFunc(placed)
	defer c.placed()
	kept := false
	for {
		err := c.once(ctx, &kept)
		if ctx.Err() == nil && errors.Is(err, errPollAgain) {
			continue
		}
		c.locked(func() {
			if ctx.Err() == nil {
				c.over(err)
			}
			s.obs.spares.drop(&c.reading)
		})
		return
	}
}

// errPollAgain is a long poll that is to be asked for on another connection.
var errPollAgain = errors.New("the answer is complete")

// once dials, asks, and reads to the end of the connection. kept reports whether
// the last request was not the first on its connection.
func (c *stdConn) once(ctx context.Context, kept *bool) error {
	s := c.flood
	deadline := time.Now().Add(s.flood.cfg.ConnectTimeout)
	host := s.flood.targets.host(c.index)
	nc, err := s.dial(ctx, host, deadline)
	if err != nil {
		return dialError{err, dialing}
	}
	defer nc.Close()
	if host.tls != nil {
		secured := tls.Client(nc, host.tls)
		nc.SetDeadline(deadline)
		if err := secured.HandshakeContext(ctx); err != nil {
			return dialError{err, handshaking}
		}
		nc = secured
	}
	stop := context.AfterFunc(ctx, func() {
		var goodbye []byte
		s.locked(func() {
			if c.reading.upgraded() {
				goodbye = wire.AppendClientClose(nil, s.obs.mask(), 1001)
			}
		})
		nc.SetWriteDeadline(time.Now().Add(time.Second / 2)) // also of a write under way
		_ = c.write(goodbye)
		nc.Close()
	})
	defer stop()
	c.nc, *kept = nc, false
	nc.SetDeadline(deadline)
	if err := c.ask(); err != nil {
		return err
	}
	err = c.readAll(ctx, kept)
	if s.flood.cfg.Protocol == Poll {
		s.locked(func() {
			if err != nil && c.reading.pollAgain(err, *kept) {
				s.obs.bodyEnded(&c.reading, time.Now())
				err = errPollAgain
			}
			if errors.Is(err, errPollAgain) {
				c.reading.next()
			}
		})
	}
	return err
}

// dialError is why no connection came about.
type dialError struct {
	error
	at phase
}

func (e dialError) Unwrap() error { return e.error }

// ask sends the request.
func (c *stdConn) ask() error {
	s := c.flood
	var request []byte
	s.locked(func() { request = s.flood.targets.append(nil, c.index, s.obs.carried(&c.reading), c.reading.turn) })
	before := time.Now() // the server may answer before the write returns
	if err := c.write(request); err != nil {
		return err
	}
	if c.connected.IsZero() {
		c.connected = before
	}
	s.locked(func() {
		if c.reading.messages == 0 { // else the gap between two polls goes on
			c.reading.moment = momentOf(c.connected.Sub(s.obs.begun))
		}
	})
	if s.flood.cfg.Protocol != Poll {
		return nil
	}
	c.nc.SetDeadline(time.Time{})
	if c.established.IsZero() {
		c.established = c.connected
		s.locked(func() { s.obs.polling(c.due, c.connected) })
		c.placed()
	}
	return nil
}

func (c *stdConn) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.nc.Write(b)
	return err
}

// locked does something under the flood's lock, in which the observer has before it
// what it has taken of this connection, and not of one that had the lock between.
func (c *stdConn) locked(do func()) {
	obs := c.flood.obs
	c.flood.locked(func() {
		obs.latest = c.latest
		do()
		c.latest, obs.latest = obs.latest, latest{}
	})
}

// say does something under the flood's lock, and sends what that leaves to be sent
// before anything else is.
func (c *stdConn) say(do func()) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	var reply []byte
	c.locked(func() {
		do()
		reply = c.flood.takeReply()
	})
	if len(reply) == 0 {
		return nil
	}
	_, err := c.nc.Write(reply)
	return err
}

// over counts the end of the connection: nil is that of a whole answer.
func (c *stdConn) over(err error) {
	obs := c.flood.obs
	kind := kindOf(err)
	isPoll := c.flood.flood.cfg.Protocol == Poll
	unopened, isUnopened := errors.AsType[dialError](err)
	switch {
	case c.established.IsZero() && isUnopened:
		obs.failed(failureOfTLS(unopened.error), unopened.at, unopened.error)
	case c.established.IsZero():
		if kind == Status {
			obs.fail.Statuses[c.reading.parser.Status()]++
		}
		if err == nil {
			kind, err = Reset, io.EOF
		}
		obs.unanswered(&c.reading, kind, err)
	case isPoll && (kind == Status || kind == Mismatch):
		obs.refused(&c.reading, err)
	case err == nil:
		obs.ended(&c.reading, c.connected)
	default:
		obs.cutOff(kind, err)
	}
}

// readAll takes what comes apart until its end, for which it returns nil, or
// until an error.
func (c *stdConn) readAll(ctx context.Context, kept *bool) error {
	s := c.flood
	buf := make([]byte, 4<<10)
	for {
		n, err := c.nc.Read(buf)
		now := time.Now()
		s.locked(func() { s.obs.counts.Bytes += uint64(n) })
		what, b := headed, buf[:n]
		for what != more {
			if err := c.say(func() { what, b = s.obs.feed(&c.reading, c.index, b, now) }); err != nil && what == more {
				return err
			}
			if done, err := c.act(ctx, what, now, kept); done || err != nil {
				return err
			}
		}
		if err == nil {
			continue
		}
		whole := false
		s.locked(func() {
			if whole = !c.established.IsZero() && s.flood.cfg.Protocol != Poll && c.reading.endsWhole(err); whole {
				s.obs.bodyEnded(&c.reading, now)
			}
		})
		if whole {
			return nil
		}
		return err
	}
}

// act does what a step of feed asks for. done: the connection has come to an
// ordinary end.
func (c *stdConn) act(ctx context.Context, what step, now time.Time, kept *bool) (done bool, err error) {
	s := c.flood
	isReady := what == ready
	writeErr := c.say(func() {
		switch what {
		case headed:
			err = s.obs.judge(&c.reading, c.index)
			isReady = err == nil && s.flood.cfg.Protocol != Poll && s.obs.begin(&c.reading, c.index)
		case complete:
			if s.flood.cfg.Protocol == Poll && !c.reading.parser.Persistent() {
				err = errPollAgain
			}
		case closed:
			err = s.obs.parting()
		case broken:
			err = s.obs.brokenError(&c.reading)
		}
	})
	if isReady {
		c.establish(ctx, now)
	}
	if err == nil && what != closed {
		err = writeErr
	}
	if what != complete || err != nil || s.flood.cfg.Protocol != Poll {
		return what == closed || what == complete, err
	}
	s.locked(c.reading.next)
	*kept = true
	return false, c.ask()
}

// establish takes a connection that is established now.
func (c *stdConn) establish(ctx context.Context, now time.Time) {
	s := c.flood
	c.established = now
	c.nc.SetDeadline(time.Time{})
	s.locked(func() { s.obs.established(&c.reading, c.due, c.connected, now) })
	c.placed()
	for _, b := range s.flood.script.every {
		s.open.Go(func() {
			for at := now.Add(b.every); pace.SleepUntil(ctx, at) == nil; at = at.Add(b.every) {
				if c.say(func() { s.obs.send(exchange{text: b.text}, c.index) }) != nil {
					return
				}
			}
		})
	}
}
