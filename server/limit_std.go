package server

import (
	"net"
	"net/netip"
	"time"

	"example.org/comet/server/wire"
)

// admit counts a stream in, or returns the answer that refuses it.
func (c *stdConn) admit(req wire.Request, head []byte) (refusal *wire.Answer) {
	core := c.engine.core
	if refusal := core.refuseAll(&c.engine.counters); refusal != nil {
		return refusal
	}
	p, ok := core.addresses.take(c.remote().Addr())
	if !ok {
		c.engine.counters.refusedAddress.Add(1)
		return wire.AddressFull
	}
	if !core.admit() {
		core.addresses.leave(p)
		c.engine.counters.refusedFull.Add(1)
		return wire.Full
	}
	c.place = p
	if core.access.choose() {
		c.sampled = true
		c.engine.keepVisit(c, beginVisit(time.Now(), c.remote(), head, req.Answer))
	}
	return nil
}

func (c *stdConn) remote() netip.AddrPort {
	addr, _ := c.RemoteAddr().(*net.TCPAddr) // a nil one has the zero address
	return addr.AddrPort()
}
