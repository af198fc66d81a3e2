package adminhttp

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Divert gives take the connections before net/http reads them, and reports
// whether it will: over TLS it does not. take may keep a connection with
// [Conn.Detach], and returns false to leave it to net/http. It is called before
// Serve.
func (s *Server) Divert(take func(*Conn) bool) bool {
	if s.secure != net.Listener(s.listener) {
		return false
	}
	s.divert = &diversion{
		Listener: s.listener, take: take,
		back: make(chan *Conn, s.listener.most), failed: make(chan error),
	}
	return true
}

// diversion is what net/http accepts from: the connections that take left, and
// those that were given back.
type diversion struct {
	*Listener
	take   func(*Conn) bool
	back   chan *Conn // has room for all that there are
	failed chan error
}

// run offers the connections until the listener is closed. Errors, such as too few
// files, are net/http's to wait over.
func (d *diversion) run() {
	for {
		accepted, err := d.Listener.Accept()
		if err == nil {
			if c := accepted.(*Conn); !d.take(c) {
				d.leave(c)
			}
			continue
		}
		select {
		case d.failed <- err:
		case <-d.closed:
			return
		}
	}
}

// Accept returns the next connection for net/http.
func (d *diversion) Accept() (net.Conn, error) {
	select {
	case c := <-d.back:
		select {
		case <-d.closed: // net/http might not hear of its end
			c.Close()
			return nil, net.ErrClosed
		default:
			return c, nil
		}
	case err := <-d.failed:
		return nil, err
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept, and the connections that nobody has accepted.
func (d *diversion) Close() error {
	err := d.Listener.Close()
	d.clear()
	return err
}

func (d *diversion) clear() {
	for {
		select {
		case c := <-d.back:
			c.Close()
		default:
			return
		}
	}
}

// detached stands for the socket of a connection that somebody else reads and
// closes. To close it here ends the connection, which its owner sees.
type detached struct {
	net.Conn // nil
	mu       sync.Mutex
	fd       int // -1 once the owner has closed it
}

// Close implements net.Conn.
func (d *detached) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd >= 0 {
		shutDown(d.fd)
	}
	return nil
}

// forget keeps Close from the descriptor, whose number will soon be another's.
func (d *detached) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fd = -1
}

// Detach takes the socket out of the connection, for a caller that reads, writes
// and closes fd by itself from now on. The connection keeps its place among those
// of the listener; the caller ends it with [Conn.Done] before it closes fd. A
// connection that has to make room is shut down, which the caller sees as its end.
func (c *Conn) Detach() (fd int, err error) {
	if fd, err = takeSocket(c.Conn); err != nil {
		return -1, err
	}
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Conn = &detached{fd: fd}
	if c.gone { // it was closed meanwhile
		shutDown(fd)
	}
	return fd, nil
}

// Serving notes that a request is taken, whose answer the connection waits for from
// now on. It reports false if the connection had to make room for another: then the
// request must not be taken, since its answer would reach nobody.
func (c *Conn) Serving() bool { return c.enter(answer) }

// Served notes that a request has been answered: the connection waits for the next
// one from now on.
func (c *Conn) Served() { c.enter(waiting) }

// Hold is [Hold] for a detached connection. It reports false when as many are held
// as may be.
func (c *Conn) Hold() bool { return c.enter(held) }

// Done counts a detached connection out, whose owner closes the socket.
func (c *Conn) Done() {
	if d, ok := c.Conn.(*detached); ok {
		d.forget()
	}
	c.Close()
}

// attach makes the connection a net.Conn again, that reads what came first.
func (c *Conn) attach(fd int, came []byte) error {
	c.Conn.(*detached).forget()
	file := os.NewFile(uintptr(fd), "admin")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return fmt.Errorf("adminhttp: %w", err)
	}
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Conn = &begun{Conn: conn, came: came}
	if c.gone { // it had to make room
		conn.Close()
	}
	return nil
}

// GiveBack leaves a detached connection to net/http: came has been read of it, and
// unsent is still to be written. It does not block. Neither fd nor the bytes are the
// caller's any more.
func (s *Server) GiveBack(c *Conn, fd int, came, unsent []byte) {
	if err := c.attach(fd, came); err != nil {
		c.Close()
		return
	}
	c.Served()
	if len(unsent) == 0 {
		s.divert.leave(c)
		return
	}
	s.hangingUp.Go(func() {
		if _, err := c.Write(unsent); err != nil {
			c.Close()
			return
		}
		s.divert.leave(c)
	})
}

// leave has net/http accept c, unless the listener is closed.
func (d *diversion) leave(c *Conn) {
	select {
	case d.back <- c:
	default: // it was counted out, and others have its place
		c.Close()
	}
	select {
	case <-d.closed:
		d.clear()
	default:
	}
}

// Farewell writes the last answer of a detached connection, whose client may
// still be sending, and then reads on until linger is over: the reset that the
// client would get for what it sends would eat the answer. It does not block, and
// Shutdown waits for it. fd is not the caller's any more.
func (s *Server) Farewell(c *Conn, fd int, answer []byte, linger time.Duration) {
	if err := c.attach(fd, nil); err != nil {
		c.Close()
		return
	}
	s.hangingUp.Go(func() {
		defer c.Close()
		if _, err := c.Write(answer); err == nil {
			s.linger(c, linger)
		}
	})
}

// linger half-closes a connection and reads on for a while.
func (s *Server) linger(conn net.Conn, atMost time.Duration) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(atMost))
	_, _ = io.Copy(io.Discard, conn)
}

// begun is a connection of which something has been read already.
type begun struct {
	net.Conn
	came []byte
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.came) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.came)
	if b.came = b.came[n:]; len(b.came) == 0 {
		b.came = nil
	}
	return n, nil
}

// CloseWrite ends what is written, and leaves what is read.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Pass returns why a request may not pass, nil if it may.
func (s *Server) Pass(r Request) *Refusal { return s.guard.Check(r) }
