package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// accessLine is a line as a reader of the log sees it.
type accessLine struct {
	Time       time.Time
	Msg        string
	Remote     string
	Request    string
	Status     int
	Messages   uint64
	Bytes      uint64
	DurationMS *float64 `json:"duration_ms"`
}

// accessLines parses a log. The order of lines is that of the ends.
func accessLines(tb testing.TB, log string) (lines []accessLine) {
	tb.Helper()
	for text := range strings.Lines(log) {
		var line accessLine
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&line); err != nil {
			tb.Fatalf("%q: %v", text, err)
		}
		if line.Time.IsZero() || line.DurationMS == nil || *line.DurationMS < 0 {
			tb.Errorf("no time or duration: %s", text)
		}
		lines = append(lines, line)
	}
	return lines
}

// TestAccessLog: what both engines write of the same connections is the same.
func TestAccessLog(t *testing.T) {
	bothEngines(t, func(t engineT) {
		var log logBuffer
		r := start(t, Config{Engine: t.engine, AccessLog: &log, AccessLogSample: 1, MaxConnections: 5, HeadTimeout: 400 * time.Millisecond})
		want := map[string]accessLine{} // by remote address
		expect := func(c *client, line accessLine) *client {
			line.Remote = c.LocalAddr().String()
			want[line.Remote] = line
			return c
		}
		stream := expect(r.stream("1?token=x"), accessLine{Msg: "stream", Request: "GET /test/1?token=x HTTP/1.1", Status: 200, Messages: 2, Bytes: uint64(len(html11 + chunk(1, "a") + chunk(2, "b")))})
		r.publish(1, "a")
		r.publish(1, "b")
		stream.expect(chunk(1, "a") + chunk(2, "b"))
		r.waitFor("both to be counted", func(s Stats) bool { return s.Written == 2 })
		stream.reset() // whose address nobody can be asked for any more
		r.waitForLogins(0)
		atEnd := expect(r.stream("2"), accessLine{Msg: "stream", Request: "GET /test/2 HTTP/1.1", Status: 200, Bytes: uint64(len(html11 + lastOne))})
		poll := expect(r.connect("GET /poll/3 HTTP/1.1\r\nHost: h\r\n\r\n"), accessLine{Msg: "stream", Request: "GET /poll/3 HTTP/1.1", Status: 200, Messages: 1})
		r.waitForLogins(2)
		r.publish(3, "x")
		answer := poll.rest()
		poll.Close()
		line := want[poll.LocalAddr().String()]
		line.Bytes = uint64(len(answer))
		want[line.Remote] = line
		gone := expect(r.connect("GET /poll/4 HTTP/1.1\r\nHost: h\r\n\r\n"), accessLine{Msg: "stream", Request: "GET /poll/4 HTTP/1.1"})
		r.waitForLogins(2)
		gone.Close()
		r.waitForLogins(1)
		for _, c := range []struct {
			sent, request, answer string
			status                int
		}{
			{"GET /test/x HTTP/1.1\r\nHost: h\r\n\r\n", "GET /test/x HTTP/1.1", answerID, 400},
			{"\r\nPOST / HTTP/1.1\nHost: h\n\n", "POST / HTTP/1.1", answer404, 404},
			{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x16\x03\x01\x02\x00\x01\x00\x01\ufffd\x03\x03", answer400, 400},
			{"GET /" + strings.Repeat("x", 33_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", "GET /" + strings.Repeat("x", accessRequest-5), answer431, 431},
			{"GET /slow", "GET /slow", answer408, 408},
		} {
			conn := expect(r.connect(c.sent), accessLine{Msg: "refused", Request: c.request, Status: c.status, Bytes: uint64(len(c.answer))})
			if got := conn.rest(); got != c.answer {
				t.Errorf("%.40q is answered %q", c.sent, got)
			}
			conn.Close()
		}
		others := []*client{r.stream("5"), r.stream("6"), r.stream("7"), r.stream("8")}
		for _, c := range others {
			expect(c, accessLine{Msg: "stream", Status: 200, Bytes: uint64(len(html11))})
		}
		over := expect(r.connect("GET /test/9 HTTP/1.1\r\nHost: h\r\n\r\n"), accessLine{Msg: "refused", Request: "GET /test/9 HTTP/1.1", Status: 503, Bytes: uint64(len(answer503))})
		over.rest()
		over.Close()
		for i, c := range others {
			line := want[c.LocalAddr().String()]
			line.Request = fmt.Sprintf("GET /test/%d HTTP/1.1", 5+i)
			want[line.Remote] = line
			c.Close()
		}
		r.waitForLogins(1)
		r.cancel()
		atEnd.rest()
		atEnd.Close()
		r.ended()
		got := accessLines(t, log.String())
		if len(got) != len(want) {
			t.Errorf("%d lines, want %d:\n%s", len(got), len(want), log.String())
		}
		for _, line := range got {
			line.Time, line.DurationMS = time.Time{}, nil
			if line != want[line.Remote] {
				t.Errorf("got  %+v\nwant %+v", line, want[line.Remote])
			}
		}
		if s := r.Stats(); s.AccessLogDropped != 0 {
			t.Errorf("%d lines were dropped", s.AccessLogDropped)
		}
	})
}

// TestAccessLogSample: one of so many streams, but every refusal.
func TestAccessLogSample(t *testing.T) {
	bothEngines(t, func(t engineT) {
		var log logBuffer
		r := start(t, Config{Engine: t.engine, AccessLog: &log, AccessLogSample: 4})
		var clients []*client
		for range 10 {
			clients = append(clients, r.stream("1"))
		}
		for range 3 {
			r.connect("GET / HTTP/1.1\r\nHost: h\r\n\r\n").rest()
		}
		for _, c := range clients {
			c.Close()
		}
		r.waitForLogins(0)
		r.stop()
		kinds := map[string]int{}
		for _, line := range accessLines(t, log.String()) {
			kinds[line.Msg]++
		}
		if kinds["stream"] != 3 || kinds["refused"] != 3 {
			t.Errorf("%v, want the 1st, 5th and 9th of 10 streams, and 3 refusals", kinds)
		}
	})
}

// stuckWriter blocks until it is let go.
type stuckWriter struct {
	logBuffer
	began chan struct{} // closed by the first write
	once  sync.Once
	free  chan struct{}
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.began) })
	<-w.free
	return w.logBuffer.Write(p)
}

// TestAccessLogNeverBlocks: a log that nobody takes costs lines, and no
// connection has to wait for it.
func TestAccessLogNeverBlocks(t *testing.T) {
	bothEngines(t, func(t engineT) {
		w := &stuckWriter{began: make(chan struct{}), free: make(chan struct{})}
		r := start(t, Config{Engine: t.engine, AccessLog: w, Loops: 1})
		var clients []*client
		refuse := func() {
			t.Helper()
			c := r.connect("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if got := c.rest(); got != answer404 {
				t.Fatal(got)
			}
			clients = append(clients, c)
			if len(clients) == 100 {
				for _, c := range clients {
					c.Close()
				}
				clients = nil
			}
		}
		refuse()
		<-w.began
		const over = 20
		for range accessQueue + over {
			refuse()
		}
		if s := r.Stats(); s.AccessLogDropped != over {
			t.Errorf("%d lines were dropped, want %d", s.AccessLogDropped, over)
		}
		close(w.free)
		// Run gives the writer half a second only.
		r.waitFor("the lines to be written", func(Stats) bool { return strings.Count(w.String(), "\n") > accessQueue })
		r.stop()
		if n := len(accessLines(t, w.String())); n != accessQueue+1 {
			t.Errorf("%d lines, want those that had room: %d", n, accessQueue+1)
		}
	})
}

// TestAccessLogReaderGone: Run ends although the other end of the pipe does not
// read.
func TestAccessLogReaderGone(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	before := goleak.IgnoreCurrent()
	r := start(t, Config{AccessLog: writer})
	long := "GET /" + strings.Repeat("x", accessRequest) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	for range 400 { // more than a pipe holds: 64 KiB on Linux
		c := r.connect(long)
		c.rest()
		c.Close()
	}
	r.stop()
	if !strings.Contains(r.log.String(), "does not take it") {
		t.Skip("this system's pipes hold more, or cannot be told to give up")
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// fullDisk takes so many bytes, then none until it is emptied.
type fullDisk struct {
	text bytes.Buffer
	room int
}

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.text.Write(p[:n])
	if d.room -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

// TestAccessLogFullDisk: it is survived, said once, and counted, and what comes
// after is in lines again.
func TestAccessLogFullDisk(t *testing.T) {
	var report bytes.Buffer
	disk := &fullDisk{room: 350} // a line and a half
	a := newAccessLog(&Config{AccessLog: disk, AccessLogSample: 1, Logger: slog.New(slog.NewTextHandler(&report, nil))})
	log := func(n int) {
		for range n {
			a.refused(time.Now(), netip.MustParseAddrPort("192.0.2.7:5"), []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), []byte(answer404))
		}
		close(a.lines)
		a.writeAll()
		a.lines = make(chan visit, accessQueue)
	}
	log(10)
	lost := a.dropped.Load()
	if lost == 0 || strings.Count(report.String(), "\n") != 1 || !strings.Contains(report.String(), errFull.Error()) {
		t.Errorf("%d lines were lost, and the report was %q", lost, report.String())
	}
	disk.room = 1 << 20
	log(3)
	lines := slices.Collect(strings.Lines(disk.text.String()))
	if len(lines) != 10-int(lost)+1+3 {
		t.Fatalf("%d lines:\n%s", len(lines), disk.text.String())
	}
	for i, line := range lines {
		if whole := json.Valid([]byte(line)); whole == (i == 10-int(lost)) {
			t.Errorf("line %d is %q", i, line)
		}
	}
	if a.dropped.Load() != lost {
		t.Errorf("%d more were lost", a.dropped.Load()-lost)
	}
}

func TestLineWriterStaysTorn(t *testing.T) {
	disk := &fullDisk{room: 3}
	w := lineWriter{to: disk}
	io.WriteString(&w, "one two\n")
	io.WriteString(&w, "three\n")
	disk.room = 100
	io.WriteString(&w, "four\n")
	io.WriteString(&w, "five\n")
	if got := disk.text.String(); got != "one\nfour\nfive\n" {
		t.Errorf("%q", got)
	}
}
