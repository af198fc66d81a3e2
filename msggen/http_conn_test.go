package msggen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/server/tlsclient"
	"example.org/comet/server/tlsclient/tlstest"
)

// counted answers that n messages were sent.
func counted(n int) string {
	body := fmt.Sprintf(`{"sent":%d,"reached":%d,"unaddressed":0}`, n, n)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// nextLines reads a request, and returns how many lines it had.
func (c *call) nextLines() (n int, ok bool) {
	text, ok := readBody(c.reader)
	return bytes.Count(text, []byte("\n")), ok
}

// TestAWriteThatWasCutShortGoesOn: a run ends while the server does not read; it
// reads on before the sender is closed for good, and all that it was given counts.
func TestAWriteThatWasCutShortGoesOn(t *testing.T) {
	pair := tlstest.New(t, nil)
	trusting, err := tlsclient.Options{CAFile: pair.CertFile}.Config()
	if err != nil {
		t.Fatal(err)
	}
	for scheme, config := range map[string]*tls.Config{"http": nil, "https": trusting} {
		t.Run(scheme, func(t *testing.T) {
			ended := make(chan struct{})
			var read atomic.Int64
			p := newPeer(t, func(c *call) {
				if config != nil {
					c.Conn = tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{pair.Certificate}, MinVersion: tls.VersionTLS12})
					c.reader = bufio.NewReader(c.Conn)
				}
				for {
					text, ok := readBody(c.reader)
					read.Add(int64(len(text)))
					if !ok || !c.say(counted(bytes.Count(text, []byte("\n")))) {
						return
					}
					<-ended // the first request was empty
				}
			})
			s := openSender(t, HTTPConfig{URL: scheme + "://" + p.Addr().String(), TLS: config})
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			message, given := []byte(strings.Repeat("x", 300_000)), uint64(0)
			var err error
			for err == nil {
				given++
				err = errors.Join(s.Send(1, message), s.Flush(ctx))
			}
			if !errors.Is(err, context.DeadlineExceeded) || s.Receipt().Unanswered != given {
				t.Fatalf("Flush: %v with %+v, want the end of its context", err, s.Receipt())
			}
			if err := s.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Settle: %v, want the end of its context", err)
			}
			close(ended)
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if got, want := s.Receipt(), (Receipt{Sent: given, Reached: given}); got != want {
				t.Errorf("the receipt is %+v, want %+v", got, want)
			}
			if want := int64(given) * int64(len("1 \n")+len(message)); read.Load() != want {
				t.Errorf("the server read %d bytes of lines, want %d", read.Load(), want)
			}
		})
	}
}

// TestWritesThatWereCutShortKeepTheirOrder, and none is lost.
func TestWritesThatWereCutShortKeepTheirOrder(t *testing.T) {
	here, there := net.Pipe()
	out := &outlet{Conn: here}
	c := newHTTPConn(out, out)
	defer c.close()
	c.interrupt()
	for _, text := range []string{"one, ", "two, ", "", "three"} {
		if err := c.write([]byte(text)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing %q: %v, want that it takes too long", text, err)
		}
	}
	c.allow(time.Time{})
	got := make(chan string)
	go func() {
		text := make([]byte, len("one, two, three."))
		_, _ = io.ReadFull(there, text)
		got <- string(text)
	}()
	if err := c.write([]byte(".")); err != nil {
		t.Error(err)
	}
	if text := <-got; text != "one, two, three." {
		t.Errorf("%q was written", text)
	}
}

// TestAnAnswerEndsAWrite: a server that refuses in mid-request, and reads no
// more, holds nobody up.
func TestAnAnswerEndsAWrite(t *testing.T) {
	release := make(chan struct{})
	p := newPeer(t, func(c *call) {
		c.nextLines()
		c.say(counted(0))
		_, _ = c.reader.ReadByte()
		c.say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\ndraining")
		<-release
	})
	defer close(release)
	s := openSender(t, HTTPConfig{URL: "http://" + p.Addr().String(), AnswerTimeout: time.Hour})
	message, given := []byte(strings.Repeat("x", 1<<20)), uint64(0)
	var err error
	for err == nil {
		given++
		err = errors.Join(s.Send(1, message), s.Flush(t.Context()))
	}
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "503 Service Unavailable (draining)") {
		t.Errorf("Flush: %v, want what the server answered", err)
	}
	if r := s.Receipt(); r.Unknown+r.Refused != given || r.Unknown == 0 || r.Unanswered != 0 {
		t.Errorf("of %d messages the receipt is %+v", given, r)
	}
}

// TestAnAnswerBeforeTheEndCounts: the server says why it closes the connection,
// with which the write fails.
func TestAnAnswerBeforeTheEndCounts(t *testing.T) {
	p := newPeer(t, func(c *call) {
		c.nextLines()
		c.say(counted(0))
		_, _ = c.reader.ReadByte()
		c.say("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		_ = c.tcp().CloseWrite()
		_, _ = io.Copy(io.Discard, io.LimitReader(c.reader, 1<<20))
	})
	s := openSender(t, HTTPConfig{URL: "http://" + p.Addr().String()})
	var err error
	for err == nil {
		err = errors.Join(s.Send(1, []byte("m")), s.Flush(t.Context()))
	}
	if errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "401 Unauthorized: give the server's admin token") {
		t.Errorf("Flush: %v, want what the server answered", err)
	}
}

// TestAConnectionThatWasLeftIsReplaced between two requests, whether the server
// had said so or not.
func TestAConnectionThatWasLeftIsReplaced(t *testing.T) {
	for name, header := range map[string]string{"said": "Connection: close\r\n", "unsaid": ""} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, func(c *call) {
				if n, ok := c.nextLines(); ok {
					c.say(strings.Replace(counted(n), "\r\n", "\r\n"+header, 1))
				}
			})
			s := openSender(t, HTTPConfig{URL: "http://" + p.Addr().String()})
			for range 3 {
				if s.conn != nil {
					for len(s.conn.replies) == 0 {
						time.Sleep(time.Millisecond)
					}
				}
				send(t, s, 1, "a", "b")
				if err := s.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := s.Receipt(), (Receipt{Sent: 6, Reached: 6}); got != want {
				t.Errorf("the receipt is %+v, want %+v", got, want)
			}
		})
	}
}

// TestAServerThatIsGoneBetweenRequests: its messages were not sent.
func TestAServerThatIsGoneBetweenRequests(t *testing.T) {
	p := newPeer(t, func(c *call) {
		c.nextLines()
		c.say(strings.Replace(counted(0), "\r\n", "\r\nConnection: close\r\n", 1))
	})
	s := openSender(t, HTTPConfig{URL: "http://" + p.Addr().String()})
	p.Close()
	err := errors.Join(s.Send(1, []byte("a")), s.Flush(t.Context()))
	if got, want := s.Receipt(), (Receipt{Refused: 1}); !errors.Is(err, ErrAway) || got != want {
		t.Errorf("Flush: %v with %+v, want an ErrAway and one refused", err, got)
	}
}

// TestRequestsAreWrittenAsByNetHTTP: their heads say whom they are for, and what
// they may.
func TestRequestsAreWrittenAsByNetHTTP(t *testing.T) {
	for _, test := range []struct {
		config        HTTPConfig
		address, says string
	}{
		{HTTPConfig{URL: "http://h"}, "h:80", "POST /send HTTP/1.1\r\nHost: h\r\n"},
		{HTTPConfig{URL: "https://h:8/a/send?x=1", Token: "t"}, "h:8", "Authorization: Bearer t\r\n"},
		{HTTPConfig{URL: "http://u:p@h", Token: ""}, "h:80", "Authorization: Basic dTpw\r\n"},
		{HTTPConfig{URL: "http://u:p@h", Token: "t"}, "h:80", "Authorization: Bearer t\r\n"},
		{HTTPConfig{URL: "http://[fe80::1%25eth0]"}, "[fe80::1%eth0]:80", "Host: [fe80::1]\r\n"},
		{HTTPConfig{URL: "https://bücher.example:9"}, "xn--bcher-kva.example:9", "Host: xn--bcher-kva.example:9\r\n"},
		{HTTPConfig{URL: "http://h", NDJSON: true}, "h:80", "Content-Type: application/x-ndjson\r\n"},
	} {
		s, err := NewHTTPSender(test.config)
		if err != nil {
			t.Error(err)
			continue
		}
		head, empty := string(s.poster.head), string(s.poster.empty)
		if s.poster.address != test.address || !strings.Contains(head, test.says) || !strings.Contains(empty, test.says) {
			t.Errorf("%+v: to %s, want %s, and %q in\n%s\n%s", test.config, s.poster.address, test.address, test.says, head, empty)
		}
		if !strings.HasSuffix(head, "\r\n\r\n") || !strings.Contains(head, "Transfer-Encoding: chunked\r\n") || !strings.Contains(empty, "Content-Length: 0\r\n") {
			t.Errorf("%+v: the heads are\n%s\n%s", test.config, head, empty)
		}
	}
}

// TestInterimAnswersArePassedOver, and what speaks no HTTP is named.
func TestInterimAnswersArePassedOver(t *testing.T) {
	p := newPeer(t, func(c *call) {
		c.nextLines()
		c.say("HTTP/1.1 103 Early Hints\r\n\r\n" + counted(0))
	})
	openSender(t, HTTPConfig{URL: "http://" + p.Addr().String()})
	for answer, says := range map[string]string{
		"220 mail.example.org ESMTP\r\n":                                             "what a mail",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n":                     "changes to another protocol",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxReply):                     "has no end",
		"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + strings.Repeat(" ", 999): "unexpected EOF",
		"HTTP/1.1 200 OK\r\nConte":                                                   "in the middle of its answer",
		"":                                                                           "it closed the connection",
	} {
		p := newPeer(t, once(answer))
		s, err := NewHTTPSender(HTTPConfig{URL: "http://" + p.Addr().String()})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: Open: %v\nwant %q in it", answer, err, says)
		}
		_ = s.Close(t.Context())
	}
}

// BenchmarkPaced measures what a message costs that is sent alone, when it is due:
// processor time of a whole generator and a server that throws it away.
func BenchmarkPaced(b *testing.B) {
	for name, alone := range map[string]bool{"shared": false, "alone": true} {
		b.Run("processors="+name, func(b *testing.B) {
			var got atomic.Int64
			p := newPeer(b, func(c *call) {
				for {
					n, ok := c.nextLines()
					if !ok || !c.say(counted(n)) {
						return
					}
					got.Add(int64(n))
				}
			})
			g, err := New(Config{To: "http://" + p.Addr().String(), Alone: alone, Rate: 1000, MaxID: 10_000, Count: uint64(b.N)})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			result, err := g.Run(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			spent := cpuTime(b) - before
			if got.Load() != int64(b.N) {
				b.Errorf("the server got %d messages of %d", got.Load(), b.N)
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/msg")
			b.ReportMetric(100*float64(result.LateCount)/float64(b.N), "%late")
		})
	}
}
