package flood

import (
	"fmt"
	"net"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figures are what a flood must have seen in the end.
type figures struct {
	established                               int
	closed, failed                            uint64
	stamped, delivered, duplicated, reordered uint64
	missing                                   int64
	failures                                  string // as a printed map
	odd                                       bool   // there is something to explain though nothing failed
}

func figuresOf(r Result) figures {
	return figures{
		r.Established(), r.Closed, r.Failed, r.Stamped, r.Delivered, r.Duplicated, r.Reordered, r.Missing,
		strings.TrimPrefix(fmt.Sprint(r.Failures), "map"), len(r.Failures) == 0 && r.Explanation != "",
	}
}

// reached reports that c shows all that f expects; more would be too much.
func (f figures) reached(c Counts) bool {
	return c.Established() >= f.established && c.Closed >= f.closed && c.Failed >= f.failed && c.Stamped >= f.stamped && c.InFlight == 0
}

type answer func(c *net.TCPConn, r *http.Request)

// stream answers with these bytes, and then keeps the connection.
func stream(text string) answer {
	return func(c *net.TCPConn, _ *http.Request) { say(c, text); hold(c) }
}

// once answers with these bytes and closes.
func once(text string) answer {
	return func(c *net.TCPConn, _ *http.Request) { say(c, text) }
}

// reset answers with these bytes and a reset.
func reset(text string) answer {
	return func(c *net.TCPConn, _ *http.Request) {
		say(c, text)
		c.SetLinger(0)
	}
}

// trickle answers byte by byte.
func trickle(text string) answer {
	return func(c *net.TCPConn, _ *http.Request) {
		for i := range len(text) {
			say(c, text[i:i+1])
			time.Sleep(50 * time.Microsecond)
		}
		hold(c)
	}
}

// idOf returns the id at the end of the path.
func idOf(r *http.Request) int {
	id, err := strconv.Atoi(path.Base(r.URL.Path))
	if err != nil {
		return -1
	}
	return id
}

// split answers connection i with the first i bytes, and the others after a
// while, so that every place has a connection that is cut there.
func split(text string, then func(net.Conn)) answer {
	return func(c *net.TCPConn, r *http.Request) {
		at := idOf(r)
		say(c, text[:at])
		time.Sleep(5 * time.Millisecond)
		say(c, text[at:])
		if then != nil {
			then(c)
		}
	}
}

const huge = 8 << 20

// filled returns a text of size bytes with a stamp in each thousand.
func filled(size int) (text string, stamps uint64) {
	var b strings.Builder
	for b.Len()+1000 <= size {
		stamps++
		m := message(7, stamps, time.Now())
		b.WriteString(m)
		b.WriteString(strings.Repeat("s", 1000-len(m)))
	}
	b.WriteString(strings.Repeat("s", size-b.Len()))
	return b.String(), stamps
}

func TestFlood(t *testing.T) {
	var (
		three    = messages(asIs, 1, 2, 3)
		toTheEnd = strings.TrimSuffix(three, "'<br/>") // the last stamp's digits end it
		length   = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(toTheEnd), toTheEnd)
		chunks   = messages(chunk, 1, 2, 3)
		event    = func(s string) string { return "id: 1\ndata: " + s + "\n\n" }
		frames   = chunkedHead + "5;x=y\r\nhello\r\n" + chunks + "0\r\nX: y\r\n\r\n"
		all      = func(text string) int { return len(text) + 1 } // a connection for each place to cut
		each     = func(n int, f figures) figures {
			f.established, f.closed = n, uint64(n)
			f.stamped = 3 * uint64(n)
			f.delivered = f.stamped
			return f
		}
		now         = time.Now()
		wide, nWide = filled(huge)
		over, nOver = filled(huge + 1<<20)
	)
	for _, s := range []struct {
		name   string
		conns  int
		answer answer
		want   figures
	}{
		{"held", 3, stream(chunkedHead), figures{established: 3, failures: "[]"}},
		{"chunked", 3, stream(chunkedHead + chunks), figures{established: 3, stamped: 9, delivered: 9, failures: "[]"}},
		{"chunked, split at every byte", all(frames), split(frames, hold), each(all(frames), figures{failures: "[]"})},
		{"chunked, byte by byte", 2, trickle(frames), each(2, figures{failures: "[]"})},
		{"unframed, split at every byte", all(rawHead + toTheEnd), split(rawHead+toTheEnd, nil), each(all(rawHead+toTheEnd), figures{failures: "[]"})},
		{"unframed, byte by byte", 2, trickle(rawHead + three), figures{established: 2, stamped: 6, delivered: 6, failures: "[]"}},
		{"of known length, split at every byte", all(length), split(length, hold), each(all(length), figures{failures: "[]", odd: true})},
		{"of known length, byte by byte", 2, trickle(length), each(2, figures{failures: "[]", odd: true})},
		{"of length 0", 2, stream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), figures{established: 2, closed: 2, failures: "[]", odd: true}},
		{"events", 1, stream(eventsHead + ": heartbeat\n\n" + messages(event, 1, 2, 3)), figures{established: 1, stamped: 3, delivered: 3, failures: "[]"}},
		{"events in chunks", 1, stream(chunkedHead + chunk(messages(event, 1, 2, 3))), figures{established: 1, stamped: 3, delivered: 3, failures: "[]"}},
		{"after interim answers", 1, stream("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + chunkedHead + chunks), figures{established: 1, stamped: 3, delivered: 3, failures: "[]"}},
		{"large chunks", 2, stream(chunkedHead + chunk(wide)), figures{established: 2, stamped: 2 * nWide, delivered: 2 * nWide, failures: "[]"}},
		{"larger chunks", 2, stream(chunkedHead + chunk(over)), figures{established: 2, stamped: 2 * nOver, delivered: 2 * nOver, failures: "[]"}},

		{"ended with the last chunk", 1, once(chunkedHead + chunks + "0\r\n\r\n"), figures{established: 1, closed: 1, stamped: 3, delivered: 3, failures: "[]"}},
		{"file descriptors used again", 400, once(chunkedHead + messages(chunk, 1) + "0\r\n\r\n"), figures{established: 400, closed: 400, stamped: 400, delivered: 400, failures: "[]"}},
		{"ended with the connection", 1, once(rawHead + three), figures{established: 1, closed: 1, stamped: 3, delivered: 3, failures: "[]"}},
		{"cut off between chunks", 1, once(chunkedHead + chunks), figures{established: 1, closed: 1, stamped: 3, delivered: 3, failures: "[reset:1]"}},
		{"cut off in a chunk", 1, once(chunkedHead + chunks + "5\r\nhel"), figures{established: 1, closed: 1, stamped: 3, delivered: 3, failures: "[reset:1]"}},
		{"cut off in a body of known length", 1, once(length[:len(length)-1]), figures{established: 1, closed: 1, stamped: 2, delivered: 2, failures: "[reset:1]"}},
		{"cut off in the head", 1, once(chunkedHead[:len(chunkedHead)-2]), figures{failed: 1, failures: "[reset:1]"}},
		{"closed without a word", 1, once(""), figures{failed: 1, failures: "[reset:1]"}},
		{"reset without a word", 1, reset(""), figures{failed: 1, failures: "[reset:1]"}},

		{"refusals", 3, func(c *net.TCPConn, r *http.Request) {
			say(c, []string{"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nfull", "HTTP/1.0 404 Not Found\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"}[idOf(r)-1])
		}, figures{failed: 3, failures: "[status:3]"}},
		{"not HTTP", 1, stream("SSH-2.0-OpenSSH_9.9\r\n"), figures{failed: 1, failures: "[malformed:1]"}},
		{"HTTP/2", 1, stream("\x00\x00\x12\x04\x00\x00\x00\x00\x00"), figures{failed: 1, failures: "[malformed:1]"}},
		{"a chunk that is none", 1, stream(chunkedHead + chunks + "zz\r\n"), figures{established: 1, closed: 1, stamped: 3, delivered: 3, failures: "[malformed:1]"}},

		{"duplicates", 1, stream(chunkedHead + messages(chunk, 1, 2, 2, 3, 1)), figures{established: 1, stamped: 5, delivered: 3, duplicated: 2, failures: "[]"}},
		{"out of order", 1, stream(chunkedHead + messages(chunk, 1, 3, 2, 5, 4)), figures{established: 1, stamped: 5, delivered: 5, reordered: 2, failures: "[]"}},
		{"out of order by 63", 1, stream(chunkedHead + messages(chunk, 1, 64, 2)), figures{established: 1, stamped: 3, delivered: 3, reordered: 1, missing: 61, failures: "[]"}},
		{"out of order from the first", 1, stream(chunkedHead + messages(chunk, 12, 10)), figures{established: 1, stamped: 2, delivered: 2, reordered: 1, missing: 1, failures: "[]"}},
		{"lost", 1, stream(chunkedHead + messages(chunk, 1, 5, 6)), figures{established: 1, stamped: 3, delivered: 3, missing: 3, failures: "[]"}},
		{"65 places late", 1, stream(chunkedHead + messages(chunk, 1, 66, 2)), figures{established: 1, stamped: 3, delivered: 3, reordered: 1, missing: 63, failures: "[]"}},
		{"of a second run", 1, stream(chunkedHead + messages(chunk, 1, 2) + chunk(message(8, 1, now)) + chunk(message(8, 3, now))), figures{established: 1, stamped: 4, delivered: 4, missing: 1, failures: "[]"}},
		{"of two generators", 1, stream(chunkedHead + chunk(message(7, 1, now)) + chunk(message(8, 1, now)) + chunk(message(7, 3, now)) + chunk(message(8, 2, now)) + chunk(message(7, 2, now)) + chunk(message(8, 2, now))), figures{established: 1, stamped: 6, delivered: 5, reordered: 1, duplicated: 1, failures: "[]"}},
		{"of three ids", 1, stream(chunkedHead + chunk(messageOf(7, 1, 1, now)) + chunk(messageOf(7, 2, 1, now)+messageOf(7, 3, 1, now)) + chunk(messageOf(7, 1, 2, now)) + chunk(messageOf(7, 3, 3, now))), figures{established: 1, stamped: 5, delivered: 5, missing: 1, failures: "[]"}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					srv := serve(t, s.answer)
					cfg := Config{URL: srv.url("/{id}"), Connections: s.conns, LastID: int64(s.conns) - 1, InFlight: 64, ConnectTimeout: patience, atOnce: patience}
					if strings.Contains(s.name, "refusals") {
						cfg.FirstID, cfg.LastID = 1, 3
					}
					r := flooded(t, e, cfg, s.want.reached)
					if got := figuresOf(r); got != s.want {
						t.Errorf("\n got %+v\nwant %+v\n%s", got, s.want, r.Explanation)
					}
					if r.Asked != s.conns || r.InFlight != 0 || (r.Explanation == "") != (s.want.failures == "[]" && !s.want.odd) {
						t.Errorf("%+v", r)
					}
				})
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				say(c, fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n", idOf(r)))
			})
			r := flooded(t, e, Config{URLs: []string{srv.url("/404"), srv.url("/503"), srv.url("/503")}}, func(c Counts) bool { return c.Failed == 3 })
			if fmt.Sprint(r.Statuses) != "map[404:1 503:2]" || !strings.Contains(r.Explanation, "status 404, 503") {
				t.Errorf("%v: %s", r.Statuses, r.Explanation)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := flooded(t, e, Config{URL: "http://" + refusing(t).String() + "/", Connections: 5}, func(c Counts) bool { return c.Failed == 5 })
			if r.Failures["refused"] != 5 || !strings.Contains(r.Explanation, "nothing listens") {
				t.Errorf("%v: %s", r.Failures, r.Explanation)
			}
		})
	}
}

// TestTimeout: also where part of a head has come.
func TestTimeout(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				if idOf(r) == 2 {
					say(c, "HTTP/1.1 200 OK\r\n")
				}
				if idOf(r) == 3 {
					say(c, chunkedHead)
				}
				hold(c)
			})
			var r Result
			for timeout := 60 * time.Millisecond; r.Connected == 0 && timeout < patience; timeout *= 2 { // until one is answered in time
				r = flooded(t, e, Config{URL: srv.url("/{id}"), Connections: 3, ConnectTimeout: timeout}, func(c Counts) bool { return c.Failed+uint64(c.Connected) == 3 })
			}
			if r.Failures["timeout"] != 2 || r.Connected != 1 || !strings.Contains(r.Explanation, "sent no head of an answer in time") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestResetWhileStreaming(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			connected := make(chan struct{})
			srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
				say(c, chunkedHead)
				<-connected
				c.SetLinger(0)
			})
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 3, OnSample: func(s Sample) {
				if s.Connected != nil {
					close(connected)
				}
			}}, func(c Counts) bool { return c.Closed == 3 })
			if r.Failures["reset"] != 3 || r.Failed != 0 || r.Connected != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestStampsThatAreCutOffDoNotCount: half the digits of a time are another
// time.
func TestStampsThatAreCutOffDoNotCount(t *testing.T) {
	half := rawHead + message(7, 1, time.Now())
	half = half[:len(half)-len("'<br/>")-5]
	for name, then := range map[string]func(*net.TCPConn){
		"by the end of the run": func(c *net.TCPConn) { hold(c) },
		"by a reset":            func(c *net.TCPConn) { c.SetLinger(0) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range engines() {
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					come := make(chan struct{})
					srv := serve(t, func(c *net.TCPConn, _ *http.Request) { say(c, half); <-come; then(c) })
					byReset := name == "by a reset"
					once := false
					r := flooded(t, e, Config{URL: srv.url("/"), OnSample: func(s Sample) {
						if s.Bytes == uint64(len(half)) && !once {
							once = true
							close(come)
						}
					}}, func(c Counts) bool { return c.Bytes == uint64(len(half)) && (c.Closed == 1 || !byReset) })
					if r.Stamped != 0 || r.Established() != 1 || byReset != (r.Failures["reset"] == 1) {
						t.Errorf("%+v", r)
					}
				})
			}
		})
	}
}

// TestAFirehoseDoesNotKeepTheRest: one connection on which more comes than can
// be read.
func TestAFirehoseDoesNotKeepTheRest(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			flowing := make(chan struct{})
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				if idOf(r) > 1 {
					<-flowing
					stream(chunkedHead+messages(chunk, 1))(c, r)
					return
				}
				c.SetWriteDeadline(time.Now().Add(patience))
				say(c, rawHead)
				water := make([]byte, 1<<20)
				for i := 0; ; i++ {
					if i == 64 {
						close(flowing)
					}
					if _, err := c.Write(water); err != nil {
						return
					}
				}
			})
			r := flooded(t, e, Config{URL: srv.url("/{id}"), Connections: 3}, func(c Counts) bool { return c.Stamped == 2 })
			if r.Connected != 3 || r.Bytes < 32<<20 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestIPv6(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
				t.Skip("this machine has no IPv6: ", err)
			} else {
				l.Close()
			}
			srv := listen(t, "[::1]:0", func(c *net.TCPConn) { say(c, chunkedHead); hold(c) })
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 2, Sources: addrs("::1")}, func(c Counts) bool { return c.Connected == 2 })
			if r.Failed != 0 {
				t.Error(r.Explanation)
			}
		})
	}
}

func TestASourceThatIsNotOfThisMachine(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has its own error numbers")
	}
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, stream(chunkedHead))
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 3, Sources: addrs("192.0.2.1")}, func(c Counts) bool { return c.Failed == 3 })
			if r.Failures["unreachable"] != 3 || !strings.Contains(r.Explanation, "not addresses of this machine") {
				t.Errorf("%v: %s", r.Failures, r.Explanation)
			}
		})
	}
}
