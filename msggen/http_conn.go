package msggen

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// httpConn is a connection of an [HTTPSender]. Who has something to send writes it
// to the socket: to hand it to a goroutine of the connection's would cost several
// wake-ups a message. A goroutine reads the answers.
type httpConn struct {
	conn   net.Conn // outlet, or TLS over it
	outlet *outlet
	// replies yields the answers, and last, without a head, how the connection
	// ended. Then it is closed.
	replies chan reply

	mu sync.Mutex
	// untaken counts the replies that were read and are not taken. While there
	// are some, nothing is written; guarded by mu.
	untaken int
}

// newHTTPConn starts to read the answers on conn, which is over the outlet.
func newHTTPConn(conn net.Conn, outlet *outlet) *httpConn {
	c := &httpConn{conn: conn, outlet: outlet, replies: make(chan reply, 1)}
	go c.read()
	return c
}

// read reads answers until the connection ends.
func (c *httpConn) read() {
	defer close(c.replies)
	bounded := &boundedReader{conn: c.conn}
	reader := bufio.NewReader(bounded)
	for more := true; more; {
		bounded.left = maxReply
		r := readHead(reader, http.MethodPost)
		if r.resp == nil {
			r.err = bounded.explain(r)
		} else {
			r.readCounts()
		}
		more = r.reusable
		c.mu.Lock()
		c.untaken++
		c.interrupt()
		c.mu.Unlock()
		c.replies <- r
	}
}

// interrupt ends a write under way, and those to come.
func (c *httpConn) interrupt() { c.outlet.SetWriteDeadline(time.Unix(1, 0)) }

// allow lets writes take until a moment. It returns false if there is a reply to
// be taken first.
func (c *httpConn) allow(until time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.untaken > 0 {
		return false
	}
	c.outlet.SetWriteDeadline(until)
	return true
}

// take returns the next reply, and waits for one that may not be there yet. A
// connection that has ended yields none for ever.
func (c *httpConn) take() reply {
	r, ok := <-c.replies
	return c.took(r, ok)
}

// took counts an answer that was received from replies as taken; without one the
// connection is closed.
func (c *httpConn) took(r reply, ok bool) reply {
	if !ok {
		return reply{err: net.ErrClosed}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.untaken--
	return r
}

// write writes text. After an os.ErrDeadlineExceeded, text is as good as written,
// and the rest of it goes first next time.
func (c *httpConn) write(text []byte) error {
	if err := c.outlet.drain(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if len(text) > 0 {
		if _, err := c.conn.Write(text); err != nil {
			return err
		}
	}
	return c.outlet.late()
}

// last closes the connection, and returns an answer that came before, or how it
// ended.
func (c *httpConn) last() reply {
	c.outlet.Close()
	return c.take()
}

// fallen returns the answer that came before a write failed with err, or is just
// on its way, or err.
func (c *httpConn) fallen(err error) reply {
	timer := time.AfterFunc(earlyPatience, func() { c.outlet.Close() })
	defer timer.Stop()
	r := c.take()
	if errors.Is(r.err, net.ErrClosed) {
		r.err = err
	}
	return r
}

// close closes the connection, and returns when nobody reads it any more.
func (c *httpConn) close() {
	c.conn.Close()
	c.outlet.Close()      // TLS leaves that to its writers
	for range c.replies { // what nobody asked for
	}
}

// outlet is a socket that keeps what it had no time to write, and takes what
// comes behind that: so neither a request nor a record of TLS is broken off, and
// the writing can go on.
type outlet struct {
	net.Conn
	mu   sync.Mutex
	rest []byte // guarded by mu, which is held while writing
}

// Write writes p, and reports all of it written where the deadline cuts it short.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) > 0 {
		o.rest = append(o.rest, p...)
		return len(p), nil
	}
	n, err := o.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		o.rest = append(o.rest, p[n:]...)
		return len(p), nil
	}
	return n, err
}

// drain writes what was left.
func (o *outlet) drain() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) == 0 {
		return nil
	}
	n, err := o.Conn.Write(o.rest)
	o.rest = o.rest[:copy(o.rest, o.rest[n:])]
	return err
}

// late returns os.ErrDeadlineExceeded if something is left.
func (o *outlet) late() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) > 0 {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// readCounts reads the body of an answer, which holds counts or why there are
// none.
func (r *reply) readCounts() {
	defer r.resp.Body.Close()
	if r.resp.StatusCode == http.StatusSwitchingProtocols {
		return
	}
	r.text, r.err = io.ReadAll(io.LimitReader(r.resp.Body, maxAnswer))
	if r.err != nil || r.resp.Close {
		return
	}
	more, err := io.Copy(io.Discard, io.LimitReader(r.resp.Body, maxAnswer))
	r.reusable = err == nil && more < maxAnswer
}
