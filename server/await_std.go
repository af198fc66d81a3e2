package server

import (
	"context"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"example.org/comet/server/wire"
)

// beginWhenSettled makes the connection a stream as soon as the exchange brings
// in its messages. While it waits for that, the engine does not end.
func (c *stdConn) beginWhenSettled(req wire.Request, rest []byte) ([]byte, bool) {
	c.engine.awaiting.Add(1)
	defer c.engine.awaiting.Add(-1)
	rest, ok := c.awaitExchange(req, rest)
	return rest, ok && c.begin(req)
}

// allBegun waits until no connection waits for the exchange, which has been
// left, so that each gets its head and its end.
func (e *stdEngine) allBegun() {
	for end := e.core.drainEnd(); e.awaiting.Load() > 0 && time.Now().Before(end); {
		sleep(context.Background(), time.Millisecond)
	}
}

// awaitExchange waits until the exchange brings in the messages of a new stream.
// Meanwhile it reads, to notice when the client goes, and appends to rest. It
// reports false when there will be no stream, and has dropped the ids then.
func (c *stdConn) awaitExchange(req wire.Request, rest []byte) ([]byte, bool) {
	core := c.engine.core
	ticket := core.want(req.IDs)
	for {
		settling := c.engine.nextSettling()
		switch core.pass(ticket) {
		case gateOpen:
			return rest, true
		case gateAway:
			core.drop(req.IDs)
			c.engine.counters.refusedAway.Add(1)
			if c.sampled {
				c.visit().status = http.StatusServiceUnavailable
			}
			c.leave()
			c.answer(core.parser.Share(wire.RouterAway.Bytes(), req.Origin))
			return nil, false
		case gateClosed:
		}
		var ok bool
		if rest, ok = c.readUntil(settling, req.Kind, rest); !ok {
			core.drop(req.IDs)
			return nil, false
		}
	}
}

// readUntil reads until done is closed. It reports false when the connection
// has ended before.
func (c *stdConn) readUntil(done <-chan struct{}, kind wire.Kind, rest []byte) ([]byte, bool) {
	if !c.setReadDeadline(time.Time{}) {
		return nil, false
	}
	var waiter sync.WaitGroup
	stop := make(chan struct{})
	waiter.Go(func() {
		select {
		case <-done:
			c.setReadDeadline(time.Unix(1, 0))
		case <-stop:
		}
	})
	defer waiter.Wait()
	defer close(stop)
	buf := make([]byte, 512)
	for {
		n, err := c.Read(buf)
		if kind.IsWebSocket() {
			rest = append(rest, buf[:n]...)
		}
		switch {
		case len(rest) > c.engine.core.BacklogBytes:
			c.engine.counters.disconnected.Add(1) // it talks on without an answer
			return nil, false
		case errors.Is(err, os.ErrDeadlineExceeded):
			return rest, c.setReadDeadline(time.Time{})
		case err != nil:
			return nil, false
		}
	}
}

// setReadDeadline sets the deadline, and reports false if the connection is to
// end, which has a deadline of its own.
func (c *stdConn) setReadDeadline(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.SetReadDeadline(t)
	}
	return !c.over
}
