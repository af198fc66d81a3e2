package msggen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// peer is an HTTP server that does with its connections as a test says.
type peer struct {
	net.Listener
	mu   sync.Mutex
	read int // requests that came whole
	open int // connections under way
	all  int // connections so far
}

// call is one connection to a peer.
type call struct {
	*peer
	net.Conn
	reader *bufio.Reader
	// nth counts the connections from 0.
	nth int
}

// next reads a request whole, and reports whether there was one.
func (c *call) next() bool {
	request, err := http.ReadRequest(c.reader)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return false
	}
	c.mu.Lock()
	c.read++
	c.mu.Unlock()
	return true
}

func (c *call) say(text string) bool {
	_, err := io.WriteString(c.Conn, text)
	return err == nil
}

func (c *call) tcp() *net.TCPConn { return c.Conn.(*net.TCPConn) }

// reset ends the connection with a RST.
func (c *call) reset() { _ = c.tcp().SetLinger(0) }

// newPeer serves each connection by serve, and closes it then.
func newPeer(tb testing.TB, serve func(c *call)) *peer {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &peer{Listener: listener}
	var serving sync.WaitGroup
	serving.Go(func() {
		for nth := 0; ; nth++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.count(1)
			serving.Go(func() {
				defer p.count(-1)
				defer conn.Close()
				serve(&call{p, conn, bufio.NewReader(conn), nth})
			})
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return p
}

func (p *peer) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open += n
	p.all += max(0, n)
}

// awaitClosed waits until the peer has had a connection and closed all.
func (p *peer) awaitClosed(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		open, all := p.open, p.all
		p.mu.Unlock()
		if open == 0 && all > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still open", open)
		}
	}
}

func (p *peer) whole() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return uint64(p.read)
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// each answers every request by one text.
func each(text string) func(c *call) {
	return func(c *call) {
		for more := true; more; {
			more = c.next() && c.say(text)
		}
	}
}

// once answers one request on each connection by text, and closes it.
func once(text string) func(c *call) {
	return func(c *call) {
		if c.next() {
			c.say(text)
		}
	}
}

// TestPublishOverAnyUseOfConnections: whatever RFC 9112 lets a server do with its
// connections costs no message, and the counts stay exact.
func TestPublishOverAnyUseOfConnections(t *testing.T) {
	const messages = 12
	head := "HTTP/1.1 200 OK\r\n"
	for name, test := range map[string]struct {
		serve   func(c *call)
		want    Receipt // of 12 messages, ReachUnknown aside
		settled bool    // each is answered, and the connection closed, before the next
	}{
		"keeps it":                           {serve: each(ok), want: Receipt{Sent: 12}},
		"Connection: close":                  {serve: once(head + "Connection: close\r\nContent-Length: 0\r\n\r\n"), want: Receipt{Sent: 12}},
		"close among other options":          {serve: once(head + "Connection: foo, Close\r\nContent-Length: 0\r\n\r\n"), want: Receipt{Sent: 12}},
		"closes after each unannounced":      {serve: once(ok), want: Receipt{Sent: 12}, settled: true},
		"resets after each unannounced":      {serve: func(c *call) { once(ok)(c); c.reset() }, want: Receipt{Sent: 12}, settled: true},
		"body until the end":                 {serve: once(head + "\r\nhello"), want: Receipt{Sent: 12}},
		"HTTP/1.0":                           {serve: once("HTTP/1.0 200 OK\r\n\r\nhello"), want: Receipt{Sent: 12}},
		"HTTP/1.0 with a length":             {serve: once("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), want: Receipt{Sent: 12}},
		"HTTP/1.0 that keeps it":             {serve: each("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"), want: Receipt{Sent: 12}},
		"chunks, extensions and trailers":    {serve: each(head + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n"), want: Receipt{Sent: 12}},
		"204":                                {serve: each("HTTP/1.1 204 No Content\r\n\r\n"), want: Receipt{Sent: 12}},
		"no reason phrase":                   {serve: each("HTTP/1.1 202 \r\nContent-Length: 0\r\n\r\n"), want: Receipt{Sent: 12}},
		"interim answers":                    {serve: each("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok), want: Receipt{Sent: 12}},
		"cut in the body":                    {serve: once(head + "Content-Length: 200\r\n\r\nok"), want: Receipt{Sent: 12}},
		"cut in a chunk":                     {serve: once(head + "Transfer-Encoding: chunked\r\n\r\n20\r\nok"), want: Receipt{Sent: 12}},
		"cut in the head":                    {serve: once(head + "Content-Le"), want: Receipt{Unknown: 12}},
		"reads and closes":                   {serve: func(c *call) { c.next() }, want: Receipt{Unknown: 12}},
		"304, which has no body":             {serve: each("HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n"), want: Receipt{Refused: 12}},
		"a redirect":                         {serve: each("HTTP/1.1 307 Temporary Redirect\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), want: Receipt{Refused: 12}},
		"101":                                {serve: once("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01"), want: Receipt{Refused: 12}},
		"a farewell, 408, while idle":        {serve: func(c *call) { once(ok)(c); c.say("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n") }, want: Receipt{Sent: 12}, settled: true},
		"half-closes after an answer":        {serve: halfClose, want: Receipt{Sent: 12}, settled: true},
		"closes after three":                 {serve: func(c *call) { _ = c.next() && c.say(ok) && c.next() && c.say(ok) && c.next() && c.say(ok) }, want: Receipt{Sent: 12}, settled: true},
		"every third connection is cut":      {serve: func(c *call) { _ = c.next() && c.nth%3 != 2 && c.say(ok) }, want: Receipt{Sent: 8, Unknown: 4}, settled: true},
		"a new connection closed at once":    {serve: func(c *call) { _ = c.nth == 0 || c.next() && c.say(ok) }, want: Receipt{Sent: 12}, settled: true},
		"a stray line behind the body":       {serve: func(c *call) { once(ok + "\r\n")(c) }, want: Receipt{Sent: 12}, settled: true},
		"another 100 behind the last answer": {serve: func(c *call) { once(ok + "HTTP/1.1 100 Continue\r\n\r\n")(c) }, want: Receipt{Sent: 12}, settled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, test.serve)
			s := newPublish(t, PublishConfig{URL: "http://" + p.Addr().String() + "/{id}", Connections: 1})
			if err := s.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if name == "a new connection closed at once" {
				p.awaitClosed(t)
			}
			for i := range messages {
				if err := s.Send(int64(i), []byte("m")); err != nil {
					t.Fatal(err)
				}
				if !test.settled {
					continue
				}
				if err := s.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(name, "after three") || i%3 == 2 {
					p.awaitClosed(t)
				}
			}
			err := s.Close(t.Context())
			if (err != nil) != (test.want.Refused > 0) {
				t.Errorf("Close: %v", err)
			}
			got := s.Receipt()
			if got.ReachUnknown = false; got != test.want {
				t.Errorf("the receipt is %+v, want %+v", got, test.want)
			}
			if whole := p.whole(); whole < got.Sent || whole != messages {
				t.Errorf("the server read %d messages, want %d: each once", whole, messages)
			}
		})
	}
}

// halfClose answers once and says no more, but reads on.
func halfClose(c *call) {
	once(ok)(c)
	_ = c.tcp().CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	c.next()
}

// TestPublishToWhoClosesWhenever: a server that closes after each answer without
// a word, with the next message waiting. What came of a message that met its end
// may be unknown, but none is given up, and none comes twice.
func TestPublishToWhoClosesWhenever(t *testing.T) {
	for name, test := range map[string]struct {
		serve func(c *call)
		least uint64 // that are sent: the first of each connection, whose answer a reset may eat
	}{
		"closes": {once(ok), 250},
		"resets": {func(c *call) { once(ok)(c); c.reset() }, 1},
	} {
		p := newPeer(t, test.serve)
		s := newPublish(t, PublishConfig{URL: "http://" + p.Addr().String() + "/{id}", Connections: 4})
		result := mustRun(t.Context(), t, Config{Sender: s, Rate: 5000, Count: 500, MaxID: 100})
		if got := p.whole(); result.Refused > 0 || got < result.Sent || got > result.Sent+result.Unknown || result.Sent < test.least {
			t.Errorf("%s: the server read %d messages, the result is %+v", name, got, result.Receipt)
		}
	}
}

// TestPublishRepeatsByMethod: a request without any answer on a used connection
// is repeated if its method is idempotent.
func TestPublishRepeatsByMethod(t *testing.T) {
	for method, want := range map[string]Receipt{
		http.MethodPut:  {Sent: 2, ReachUnknown: true},
		http.MethodPost: {Sent: 1, Unknown: 1, ReachUnknown: true},
	} {
		p := newPeer(t, func(c *call) { _ = c.next() && c.say(ok) && c.next() && c.nth > 0 && c.say(ok) })
		s := newPublish(t, PublishConfig{URL: "http://" + p.Addr().String() + "/{id}", Method: method, Connections: 1})
		err := s.Open(t.Context())
		for range 2 {
			err = errors.Join(err, s.Send(1, []byte("m")), s.Settle(t.Context()))
		}
		if err := errors.Join(err, s.Close(t.Context())); err != nil || s.Receipt() != want {
			t.Errorf("%s: the receipt is %+v (%v), want %+v", method, s.Receipt(), err, want)
		}
	}
}

// TestPublishIsAnsweredEarly: a server may answer before it has read a request,
// and close or not.
func TestPublishIsAnsweredEarly(t *testing.T) {
	for name, after := range map[string]func(c *call){
		"and closes":       func(*call) {},
		"and resets":       (*call).reset,
		"and half-closes":  func(c *call) { _ = c.tcp().CloseWrite(); time.Sleep(200 * time.Millisecond) },
		"and reads on not": func(*call) { time.Sleep(200 * time.Millisecond) },
		"and reads on":     func(c *call) { _, _ = io.CopyN(io.Discard, c.reader, 4<<20) },
	} {
		for _, status := range []string{"413 Content Too Large", "400 Bad Request"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := newPeer(t, func(c *call) {
					_, _ = c.reader.Peek(1)
					c.say("HTTP/1.1 " + status + "\r\nContent-Length: 8\r\n\r\ntoo long")
					after(c)
				})
				s := newPublish(t, PublishConfig{URL: "http://" + p.Addr().String() + "/{id}", Connections: 1})
				err := s.Open(t.Context())
				for range 2 {
					err = errors.Join(err, s.Send(1, make([]byte, 8<<20)))
				}
				if err != nil {
					t.Fatal(err)
				}
				// A reset may eat the answer: then the request was not read whole, and is
				// tried again, and refused in the end.
				err = s.Close(t.Context())
				if got := s.Receipt(); got.Refused != 2 || got.Sent+got.Unknown+got.Unanswered != 0 {
					t.Errorf("the receipt is %+v, want 2 refused", got)
				}
				if name != "and resets" && (err == nil || !strings.Contains(err.Error(), status+" (too long)")) {
					t.Errorf("Close: %v, want what it answered", err)
				}
			})
		}
	}
}

// TestPublishLeavesAnswersWithoutEnd after the head, which says all.
func TestPublishLeavesAnswersWithoutEnd(t *testing.T) {
	for name, test := range map[string]struct {
		serve func(c *call)
		want  Receipt
	}{
		"a body that stays open": {func(c *call) {
			once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")(c)
			c.next() // until the connection is left
		}, Receipt{Sent: 1, ReachUnknown: true}},
		"a body that never ends": {func(c *call) {
			once("HTTP/1.1 200 OK\r\n\r\n")(c)
			for more := true; more; {
				more = c.say(strings.Repeat("x", 1<<16))
			}
		}, Receipt{Sent: 1, ReachUnknown: true}},
		"a head that never ends": {func(c *call) {
			once("HTTP/1.1 200 OK\r\n")(c)
			for n, more := 0, true; more; n++ {
				more = c.say("X-" + strconv.Itoa(n) + ": " + strings.Repeat("x", 1<<12) + "\r\n")
			}
		}, Receipt{Unknown: 1, ReachUnknown: true}},
		"interim answers without end": {func(c *call) {
			for more := c.next(); more; {
				more = c.say(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000))
			}
		}, Receipt{Unknown: 1, ReachUnknown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, test.serve)
			s := newPublish(t, PublishConfig{URL: "http://" + p.Addr().String() + "/{id}", Connections: 1})
			if err := errors.Join(s.Open(t.Context()), s.Send(1, []byte("m"))); err != nil {
				t.Fatal(err)
			}
			err := s.Close(t.Context())
			if got := s.Receipt(); got != test.want {
				t.Errorf("the receipt is %+v, want %+v", got, test.want)
			}
			if test.want.Unknown > 0 && (err == nil || !strings.Contains(err.Error(), "has no end")) {
				t.Errorf("Close: %v, want that the head has no end", err)
			}
		})
	}
}

// TestPublishToASlowAccept: a server that is slow to accept is not unreachable.
func TestPublishToASlowAccept(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })}
	var serving sync.WaitGroup
	serving.Go(func() {
		time.Sleep(200 * time.Millisecond)
		_ = server.Serve(listener)
	})
	defer serving.Wait()
	defer server.Close()
	s := newPublish(t, PublishConfig{URL: "http://" + listener.Addr().String() + "/{id}"})
	result := mustRun(t.Context(), t, Config{Sender: s, Rate: 1000, Count: 50, MaxID: 10})
	if result.Sent != 50 {
		t.Errorf("the result is %+v", result.Receipt)
	}
}

// TestPublishToANameWithSeveralAddresses of which not all listen.
func TestPublishToANameWithSeveralAddresses(t *testing.T) {
	addresses, err := net.DefaultResolver.LookupHost(t.Context(), "localhost")
	if err != nil || len(addresses) < 2 {
		t.Skipf("localhost has the addresses %v (%v) here", addresses, err)
	}
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			continue
		}
		server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(listener) })
		s := newPublish(t, PublishConfig{URL: fmt.Sprintf("http://localhost:%d/{id}", listener.Addr().(*net.TCPAddr).Port)})
		if result := mustRun(t.Context(), t, Config{Sender: s, Rate: 1000, Count: 20, MaxID: 10}); result.Sent != 20 {
			t.Errorf("listening on %s: the result is %+v", address, result.Receipt)
		}
		server.Close()
		serving.Wait()
	}
}
