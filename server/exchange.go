package server

import (
	"context"
	"time"

	"example.org/comet/server/router"
)

// RouterPolicy is what to do with new streams while the router is away. Those
// that are open stay open.
type RouterPolicy string

// The policies.
const (
	// AcceptAway lets them in: messages come when the router is back.
	AcceptAway RouterPolicy = "accept"
	// RefuseAway answers them 503, so that they go to another server.
	RefuseAway RouterPolicy = "refuse"
)

// gate is what becomes of a stream that is to be logged in.
type gate uint8

const (
	gateOpen   gate = iota // its messages come in from now on
	gateClosed             // not yet: it has to wait
	gateAway               // it is refused, since the router is away
)

// pass tells of a stream with a ticket of the exchange.
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

// want asks the exchange for the messages to ids.
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

// startExchange joins the server to the others, if there are any.
func (s *Server) startExchange() {
	if s.core.Exchange == nil {
		return
	}
	s.core.Exchange.Start(router.Home{
		Local:   &s.core.router,
		Settled: s.engine.settled,
		Counts:  s.counts,
	})
}

func (s *Server) closeExchange() {
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
}

// retire waits until ctx ends, or serving does for a failure, and takes the
// server out of use: it says that it is not ready, goes on for DrainDelay, and
// leaves the exchange. What was under way to it is in its own hands then.
func (s *Server) retire(ctx, serving context.Context) {
	select {
	case <-ctx.Done():
	case <-serving.Done():
	}
	s.core.draining.Store(true)
	if s.core.DrainDelay > 0 {
		select {
		case <-time.After(s.core.DrainDelay):
		case <-serving.Done():
		}
	}
	if s.core.Exchange != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.core.DrainTimeout)
		defer cancel()
		s.core.Exchange.Leave(ctx)
	}
}

// counts are what the other servers may know of this one.
func (s *Server) counts() router.Counts {
	st := s.Stats()
	return router.Counts{
		Connections: st.Connections, Logins: st.Logins, Routed: st.Routed, Drops: st.Drops,
	}
}
