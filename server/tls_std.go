package server

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// shake runs the TLS handshake of a new connection, if the listener speaks TLS.
// It reports false when the connection is over.
func (c *stdConn) shake() bool {
	if c.engine.core.tls == nil {
		return true
	}
	secure := c.Conn.(*tls.Conn)
	err := secure.Handshake() //nolint:noctx // the deadline of the head bounds it
	if err == nil {
		c.engine.counters.tlsHandshakes.Add(1)
		return true
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil && isPlainHTTP(record.RecordHeader[:]) {
		c.setConn(record.Conn)
		c.engine.counters.refusedOther.Add(1)
		c.refuse(record.RecordHeader[:], c.engine.core.notePlain())
		return false
	}
	c.engine.counters.tlsFailed.Add(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.Close()
		err = errHandshakeTimeout
	}
	c.engine.core.noteHandshake(err)
	c.endSocket()
	c.dropAll(nil)
	return false
}

// setConn replaces what c reads and writes through. Other goroutines may end c
// meanwhile.
func (c *stdConn) setConn(nc net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Conn = nc
}

// socket returns the connection below TLS.
func (c *stdConn) socket() net.Conn {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return c.Conn
}

// Close closes the socket at once. That of a tls.Conn would wait for room to send
// a close_notify.
func (c *stdConn) Close() error { return c.socket().Close() }

// halfClose ends the sending side, and gives the client lingerTime to close by
// itself, so that a reset does not discard what it has not read.
func (c *stdConn) halfClose() {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		_ = secure.CloseWrite() // sends a close_notify, or fails as below
	}
	c.endSocket()
}

func (c *stdConn) endSocket() {
	if tcp, ok := c.socket().(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // fails when the client is gone, which the read finds
	}
	c.SetReadDeadline(time.Now().Add(c.engine.core.lingerTime))
}
