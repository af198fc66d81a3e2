package server

import "time"

// keepVisit stores the visit of c apart from the connections, since few have one.
func (e *stdEngine) keepVisit(c *stdConn, v *visit) {
	e.visitMu.Lock()
	defer e.visitMu.Unlock()
	if e.visits == nil {
		e.visits = make(map[uint32]*visit)
	}
	e.visits[c.name.Slot] = v
}

// visit returns what keepVisit has kept. It belongs to the goroutine of c that
// writes.
func (c *stdConn) visit() *visit {
	c.engine.visitMu.Lock()
	defer c.engine.visitMu.Unlock()
	return c.engine.visits[c.name.Slot]
}

// endVisit logs a stream that is over.
func (c *stdConn) endVisit() {
	if !c.sampled {
		return
	}
	v := c.visit()
	c.engine.core.access.log(*v)
	c.engine.visitMu.Lock()
	defer c.engine.visitMu.Unlock()
	delete(c.engine.visits, c.name.Slot)
}

// logRefusal logs a request that gets this answer and no stream.
func (c *stdConn) logRefusal(head, answer []byte) {
	if access := c.engine.core.access; access != nil {
		access.refused(time.Now(), c.remote(), head, answer)
	}
}
