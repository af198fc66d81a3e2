// Package tlsfd runs crypto/tls under an event loop. A [Conn] does no input and
// output of its own: the loop that owns the socket feeds it what it has read
// and writes what it has to send, so that a connection at rest costs neither a
// goroutine nor a buffer of ours.
//
// Only the handshake needs a goroutine, because crypto/tls makes an error in
// its midst permanent. After it, crypto/tls goes on after a read error that is
// temporary, which is how Read says that more must be fed. A write error would
// be permanent there too, so Write always takes everything: what the socket
// does not take yet waits in the Conn (crypto/tls, conn.go: readRecordOrCCS and
// halfConn.setErrorLocked).
package tlsfd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// ErrAgain is the error of Read when all that was fed has been read.
var ErrAgain error = againError{}

// againError is temporary in the sense of net.Error, which keeps crypto/tls from
// taking it for the end.
type againError struct{}

func (againError) Error() string   { return "tlsfd: more input is needed" }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// Conn is one end of a TLS connection. While Handshake runs, Feed, EOF, Output
// and Sent may be called by another goroutine. At all other times a Conn belongs
// to one goroutine at a time.
type Conn struct {
	tls  *tls.Conn
	wire transport
}

// Client returns the client's end. cfg needs a ServerName, unless it is not to
// verify the server.
func Client(cfg *tls.Config) *Conn {
	c := new(Conn)
	c.tls = tls.Client(&c.wire, cfg)
	return c
}

// Server returns the server's end.
func Server(cfg *tls.Config) *Conn {
	c := new(Conn)
	c.tls = tls.Server(&c.wire, cfg)
	return c
}

// Handshake runs the handshake to its end, while another goroutine feeds c and
// sends its output; it calls wake, which must not block, when there is some to
// send. Its error is why no connection came about. There may be output after an
// error too: the alert that tells the peer.
func (c *Conn) Handshake(ctx context.Context, wake func()) error {
	c.wire.mu.Lock()
	c.wire.fed, c.wire.wake = make(chan struct{}, 1), wake
	c.wire.ctx = ctx
	c.wire.mu.Unlock()
	// crypto/tls would start a goroutine for a context that can end, to close the
	// transport; ours looks at ctx itself.
	err := c.tls.HandshakeContext(context.WithoutCancel(ctx))
	c.wire.mu.Lock()
	c.wire.fed, c.wire.wake, c.wire.ctx = nil, nil, nil
	c.wire.mu.Unlock()
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("tlsfd: handshake: %w", err)
	}
	return nil
}

// State returns what the handshake agreed on.
func (c *Conn) State() tls.ConnectionState { return c.tls.ConnectionState() }

// Feed gives c bytes from the socket. From the first Read on c borrows them until
// Read returns ErrAgain; before it c makes a copy.
func (c *Conn) Feed(b []byte) {
	t := &c.wire
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.read && len(t.in) == 0 {
		t.in = slices.Clip(b)
		return
	}
	t.in = append(t.in, b...)
	t.signal()
}

// EOF tells c that the peer has ended its side of the socket.
func (c *Conn) EOF() {
	t := &c.wire
	t.mu.Lock()
	defer t.mu.Unlock()
	t.eof = true
	t.signal()
}

// Read reads what the peer has sent: ErrAgain once more must be fed, io.EOF
// after the peer's close_notify (RFC 8446, section 6.1), io.ErrUnexpectedEOF if
// its socket ended without one. A read may leave output to send.
func (c *Conn) Read(p []byte) (int, error) {
	c.wire.read = true
	n, err := c.tls.Read(p)
	if n > 0 {
		return n, nil
	}
	switch {
	case errors.Is(err, ErrAgain):
		return 0, ErrAgain
	case errors.Is(err, io.EOF) && c.wire.ended:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// Write encrypts p into the output and takes all of it, unless c has failed.
func (c *Conn) Write(p []byte) (int, error) { return c.tls.Write(p) }

// CloseWrite adds a close_notify to the output. No Write may follow.
func (c *Conn) CloseWrite() error { return c.tls.CloseWrite() }

// Output returns what is to be sent, which Sent takes away. The bytes hold until
// the next call of a method of c, and during Handshake until that of Sent.
func (c *Conn) Output() []byte {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	return c.wire.out
}

// Sent tells c that the first n bytes of Output are on their way.
func (c *Conn) Sent(n int) {
	t := &c.wire
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out = t.out[n:]; len(t.out) == 0 {
		t.out = nil // a connection at rest holds no buffer
	}
}

// transport is what crypto/tls takes for the network.
type transport struct {
	mu  sync.Mutex
	in  []byte // fed, and not read yet
	out []byte
	eof bool
	// read is set by the first Read of the Conn: the handshake is over, and Feed
	// and Read belong to one goroutine.
	read bool
	// ended is set once a read has met eof.
	ended bool
	// The rest is set while a handshake runs, which waits for input.
	fed  chan struct{}
	wake func()
	ctx  context.Context //nolint:containedctx // net.Conn's Read is given none
}

// signal wakes the handshake. t.mu must be held.
func (t *transport) signal() {
	if t.fed == nil {
		return
	}
	select {
	case t.fed <- struct{}{}:
	default: // it will wake up anyway
	}
}

// Read implements net.Conn.
func (t *transport) Read(p []byte) (int, error) {
	for {
		t.mu.Lock()
		if len(t.in) > 0 {
			n := copy(p, t.in)
			if t.in = t.in[n:]; len(t.in) == 0 {
				t.in = nil
			}
			t.mu.Unlock()
			return n, nil
		}
		fed, ctx := t.fed, t.ctx
		t.ended = t.eof
		ended := t.ended
		t.mu.Unlock()
		switch {
		case ended:
			return 0, io.EOF
		case fed == nil:
			return 0, ErrAgain
		}
		select {
		case <-fed:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Write implements net.Conn.
func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.out = append(t.out, p...)
	wake := t.wake
	t.mu.Unlock()
	if wake != nil {
		wake()
	}
	return len(p), nil
}

// Close implements net.Conn. The socket is the loop's.
func (t *transport) Close() error { return nil }

// LocalAddr implements net.Conn.
func (t *transport) LocalAddr() net.Addr { return noAddr{} }

// RemoteAddr implements net.Conn.
func (t *transport) RemoteAddr() net.Addr { return noAddr{} }

// noAddr is an address that nobody asks for, except where a session is cached
// for a server without a name.
type noAddr struct{}

func (noAddr) Network() string { return "tlsfd" }
func (noAddr) String() string  { return "" }

// SetDeadline implements net.Conn. The loop has deadlines of its own.
func (t *transport) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (t *transport) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (t *transport) SetWriteDeadline(time.Time) error { return nil }
