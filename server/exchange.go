package server

import (
	"context"

	"example.org/comet/server/router"
)

// RouterPolicy is what to do with new streams while the router is disconnected.
// Open streams stay open.
type RouterPolicy string

// The policies.
const (
	// AcceptAway accepts them: messages come when the router is back.
	AcceptAway RouterPolicy = "accept"
	// RefuseAway answers them 503, so that they go to another server.
	RefuseAway RouterPolicy = "refuse"
)

// gate is what becomes of a stream that is to be logged in.
type gate uint8

const (
	gateOpen   gate = iota // its messages come in from now on
	gateClosed             // not yet: it has to wait
	gateAway               // it is refused: the router is disconnected
)

// pass decides whether a stream that waits for ticket may start, must wait, or is
// refused.
func (c *core) pass(ticket uint64) gate {
	switch {
	case c.Exchange == nil:
		return gateOpen
	case !c.Exchange.Up() && c.WithoutRouter == RefuseAway:
		return gateAway
	case !c.Exchange.Up() || c.Exchange.Settled() >= ticket:
		return gateOpen
	}
	return gateClosed
}

// want subscribes to the messages to ids, and returns the ticket to wait for.
func (c *core) want(ids []int64) (ticket uint64) {
	if c.Exchange == nil {
		return 0
	}
	return c.Exchange.Want(ids)
}

// drop ends a want.
func (c *core) drop(ids []int64) {
	if c.Exchange != nil && len(ids) > 0 {
		c.Exchange.Drop(ids)
	}
}

// startExchange joins the server to the others, if there is an exchange.
func (s *Server) startExchange() {
	if s.core.Exchange == nil {
		return
	}
	home := router.Home{
		Local:   &s.core.router,
		Settled: s.engine.settled,
		Counts:  s.counts,
	}
	if s.core.subscriptions != nil {
		home.Event = s.core.eventFromElsewhere
	}
	if r := s.core.replica; r != nil {
		home.Mail, home.Linked = r.Receive, r.Link
		r.start()
	}
	s.core.Exchange.Start(home)
}

func (s *Server) closeExchange() {
	if s.core.replica != nil {
		s.core.replica.stop() // while it can still say so
	}
	if s.core.Exchange != nil {
		s.core.Exchange.Close()
	}
}

// addExchangeStats adds what the exchange counts.
func (s *Server) addExchangeStats(st *Stats) {
	if s.core.Exchange == nil {
		return
	}
	x := s.core.Exchange.Stats()
	st.Router = &x
	st.Routed += x.Routed
	if s.core.replica != nil {
		shared := s.core.replica.Stats()
		st.Subscriptions = &shared
	}
}

// retire waits until ctx ends, or serving does for a failure, and takes the
// server out of use: it reports that it is not ready, continues for DrainDelay,
// and leaves the exchange. What the exchange has taken until then is up to it.
func (s *Server) retire(ctx, serving context.Context) {
	select {
	case <-ctx.Done():
	case <-serving.Done():
	}
	c := s.core
	c.draining.Store(true)
	sleep(serving, c.DrainDelay)
	left := c.beginDrain()
	if c.Exchange != nil {
		// The rest of the time is for the clients.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left/2)
		defer cancel()
		c.Exchange.Leave(ctx)
	}
}

// counts returns what the other servers may know of this one.
func (s *Server) counts() router.Counts {
	st := s.Stats()
	return router.Counts{
		Connections: st.Connections, Logins: st.Logins, Routed: st.Routed, Drops: st.Drops,
	}
}
