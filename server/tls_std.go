package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// shake runs the TLS handshake of a new connection, if the listener speaks TLS. It
// returns what a client that speaks none has begun with, and reports false when the
// connection is over.
func (c *stdConn) shake() (plain []byte, ok bool) {
	core := c.engine.core
	if core.tls == nil {
		return nil, true
	}
	first := make([]byte, 1)
	if _, err := c.Conn.Read(first); err != nil {
		c.unshaken(err)
		return nil, false
	}
	if isPlainHTTP(first) {
		return first, true
	}
	// A client that takes nothing of our certificates has no longer than one that
	// says nothing.
	if core.HeadTimeout > 0 {
		c.SetWriteDeadline(time.Now().Add(core.HeadTimeout))
	}
	secure := tls.Server(&unreadConn{c.Conn, first}, core.tls)
	if err := secure.Handshake(); err != nil { //nolint:noctx // the deadline of the head bounds it
		c.unshaken(err)
		return nil, false
	}
	c.SetWriteDeadline(time.Time{})
	c.secure = secure
	c.engine.counters.tlsHandshakes.Add(1)
	return nil, true
}

// unshaken ends a connection whose handshake has failed. Its alert is not lost in a
// reset by what the client still sends.
func (c *stdConn) unshaken(err error) {
	c.engine.counters.tlsFailed.Add(1)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.engine.core.noteHandshake(errHandshakeTimeout)
		return
	case !errors.Is(err, io.EOF):
		c.engine.core.noteHandshake(err)
	}
	c.endSocket()
	_, _ = io.Copy(io.Discard, c.Conn) // until the client has gone, or lingerTime is over
}

// unreadConn is a connection of which the first bytes were read.
type unreadConn struct {
	net.Conn
	first []byte
}

func (u *unreadConn) Read(b []byte) (int, error) {
	if len(u.first) == 0 {
		return u.Conn.Read(b)
	}
	n := copy(b, u.first)
	u.first = u.first[n:]
	return n, nil
}

// isPlain reports whether the client speaks no TLS to a listener that does.
func (c *stdConn) isPlain() bool { return c.engine.core.tls != nil && c.secure == nil }

// Read reads what the client has sent, out of TLS if there is any.
func (c *stdConn) Read(b []byte) (int, error) {
	if c.secure != nil {
		return c.secure.Read(b)
	}
	return c.Conn.Read(b)
}

// Write sends to the client, through TLS if there is any.
func (c *stdConn) Write(b []byte) (int, error) {
	if c.secure != nil {
		return c.secure.Write(b)
	}
	return c.Conn.Write(b)
}

// halfClose ends the sending side, and gives the client lingerTime to close by
// itself, so that a reset does not discard what it has not read.
func (c *stdConn) halfClose() {
	if c.secure != nil {
		_ = c.secure.CloseWrite() // sends a close_notify, or fails as below
	}
	c.endSocket()
}

func (c *stdConn) endSocket() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // fails when the client is gone, which the read finds
	}
	c.SetReadDeadline(time.Now().Add(c.engine.core.lingerTime))
}
