package flood

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"example.org/comet/memlog/series"
	"example.org/comet/server/wire"
)

// TestStreamsThatCannotBeRead are explained, though nothing failed.
func TestStreamsThatCannotBeRead(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	gzipped := chunk("\x1f\x8b\x08\x00")
	encoded := func(fields string) answer {
		return stream(ok + fields + "Transfer-Encoding: chunked\r\n\r\n" + gzipped)
	}
	long := messages(asIs, 1)
	for name, c := range map[string]struct {
		answer answer
		want   string // in the explanation; "" for none
		closed bool
	}{
		"gzip":                          {encoded("Content-Encoding: gzip\r\n"), "2 streams are compressed (Content-Encoding: gzip)", false},
		"GZIP, folded":                  {encoded("CONTENT-ENCODING :\r\n GZIP\r\n"), "Content-Encoding: gzip", false},
		"br":                            {encoded("Content-Encoding: br\r\n"), "Content-Encoding: br", false},
		"zstd":                          {encoded("Content-Encoding: zstd\r\n"), "Content-Encoding: zstd", false},
		"deflate":                       {encoded("Content-Encoding: deflate\r\n"), "Content-Encoding: deflate", false},
		"one in a list":                 {encoded("Content-Encoding: identity, gzip\r\n"), "-H 'Accept-Encoding: identity'", false},
		"a transfer coding":             {encoded("Transfer-Encoding: gzip\r\n"), "Content-Encoding: gzip", false},
		"without chunks":                {stream(ok + "Content-Encoding: br\r\n\r\n\x0b\x02"), "Content-Encoding: br", false},
		"identity":                      {encoded("Content-Encoding: identity\r\n"), "", false},
		"of length 0":                   {once(ok + "Content-Length: 0\r\n\r\n"), "2 streams ended with an empty body", true},
		"no chunk but the last":         {once(chunkedHead + "0\r\n\r\n"), "ended with an empty body", true},
		"closed behind the head":        {once(rawHead), "ended with an empty body", true},
		"a long poll":                   {once(ok + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(long), long)), "2 streams ended after one answer with a Content-Length: this is a long poll", true},
		"a long poll that is kept open": {stream(ok + "Content-Length: 5\r\n\r\nhello"), "ended after one answer", true},
		"a compressed page":             {once(ok + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), "are compressed (Content-Encoding: gzip)", true},
		"a stream that ended":           {once(chunkedHead + messages(chunk, 1) + "0\r\n\r\n"), "", true},
		"a stream without chunks":       {once(rawHead + messages(asIs, 1)), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, c.answer)
				r := flooded(t, e, Config{URL: srv.url("/"), Connections: 2, atOnce: patience}, func(got Counts) bool {
					return got.Established() == 2 && (got.Closed == 2 || !c.closed)
				})
				if !strings.Contains(r.Explanation, c.want) || c.want == "" && r.Explanation != "" {
					t.Errorf("%s: %q, want %q in it", e.name, r.Explanation, c.want)
				}
				if r.Failed != 0 || len(r.Failures) != 0 {
					t.Errorf("%s: %+v: nothing failed", e.name, r)
				}
			}
		})
	}
}

// TestWhatIsNotOdd: a stream that had nothing to bring for a while, and one whose
// server says that it is compressed and has stamps in clear.
func TestWhatIsNotOdd(t *testing.T) {
	var o oddities
	var p wire.ResponseParser
	b := []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
	if part, _, _ := p.Next(b); part != wire.Head {
		t.Fatal(part)
	}
	o.answered(&p)
	o.ended(&p, false)
	if got := o.explain(true); len(got) != 0 {
		t.Errorf("%q", got)
	}
	o.ended(&p, true)
	if got := o.explain(false); len(got) != 2 {
		t.Errorf("%q, want both", got)
	}
}

// TestAnswersThatAreNoStreams are failures of their kind.
func TestAnswersThatAreNoStreams(t *testing.T) {
	for name, c := range map[string]struct {
		answer     answer
		kind, want string
	}{
		"a WebSocket":              {stream("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "status", "for a WebSocket write ws://"},
		"interim answers for ever": {stream(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 10_000)), "malformed", "not HTTP/1"},
		"a head for ever":          {stream("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 30_000)), "malformed", "not HTTP/1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, c.answer)
				r := flooded(t, e, Config{URL: srv.url("/"), Connections: 2}, func(got Counts) bool { return got.Failed == 2 })
				if r.Failures[c.kind] != 2 || !strings.Contains(r.Explanation, c.want) {
					t.Errorf("%s: %v: %q, want %q in it", e.name, r.Failures, r.Explanation, c.want)
				}
			}
		})
	}
}

// TestTheNextAddressIsTried where one of a name refuses, by all connections, and
// first by those that come later.
func TestTheNextAddressIsTried(t *testing.T) {
	refuses := refusing(t)
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, stream(chunkedHead))
			const conns = 20
			run := func(enough func(Counts) bool, hosts ...host) (Result, *Flood) {
				f, ctx, cancel := prepared(t, Config{URL: srv.url("/"), Connections: conns, InFlight: 3}, enough)
				defer cancel()
				f.targets.hosts = hosts
				return ran(ctx, t, e, f), f
			}
			open := addrPort(srv)
			for first, addrs := range [][]addrPorts{{{open, refuses}}, {{refuses, open}, {refuses, refuses, open}}} {
				for _, a := range addrs {
					r, f := run(func(c Counts) bool { return c.Connected == conns }, host{addrs: a})
					if r.Failed != 0 || a[f.targets.hosts[0].first] != open {
						t.Errorf("%d: of %v, %d is tried first now: %+v", first, a, f.targets.hosts[0].first, r)
					}
				}
			}
			r, _ := run(func(c Counts) bool { return c.Failed == conns }, host{addrs: addrPorts{refuses, refuses}})
			if r.Failures["refused"] != conns {
				t.Errorf("both refuse: %v", r.Failures)
			}
		})
	}
}

type addrPorts = []netip.AddrPort

func addrPort(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// TestLocalhostThatIsIPv6Only is what curl reaches too.
func TestLocalhostThatIsIPv6Only(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: ", err)
	}
	l.Close()
	ips, err := net.LookupIP("localhost")
	if err != nil || len(ips) < 2 {
		t.Skipf("localhost is %v, %v: not both IPv4 and IPv6", ips, err)
	}
	for _, e := range engines() {
		srv := listen(t, "[::1]:0", func(c *net.TCPConn) { say(c, chunkedHead); hold(c) })
		url := fmt.Sprintf("http://localhost:%d/", srv.Addr().(*net.TCPAddr).Port)
		r := flooded(t, e, Config{URL: url, Connections: 3}, func(c Counts) bool { return c.Connected == 3 })
		if r.Failed != 0 {
			t.Errorf("%s: %+v", e.name, r)
		}
	}
}

func TestLogLine(t *testing.T) {
	at := time.Unix(1_225_297_800, 0)
	counts := Counts{Connected: 3, Closed: 2, Chunks: 7}
	for want, s := range map[string]Sample{
		"- 3 connected=3 closed=2 chunks=7 p50_ms=- p99_ms=-":         {Time: at, Counts: counts},
		"- 3 connected=3 closed=2 chunks=7 p50_ms=1.500 p99_ms=0.001": {Time: at, Counts: counts, Latency: &Quantiles{P50: 1.5, P99: 0.0012}},
	} {
		line := s.LogLine()
		got := fmt.Sprintf("- %d", line.Connections)
		for _, f := range line.Fields {
			got += " " + f.Key + "=" + f.Value
		}
		if got != want || line.RSSKB != series.Unknown || !line.Time.Equal(at) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
