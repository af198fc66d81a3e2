package server

import (
	"crypto/tls"
	"io"
	"testing"
	"time"
)

// TestResets: a reset is noticed at every stage of a connection, in clear and over TLS,
// though no time is up, and leaves nothing.
func TestResets(t *testing.T) {
	const closing = "\x88\x82\x00\x00\x00\x00\x03\xe8"
	stages := []struct{ name, sent, read string }{
		{"at once", "", ""},
		{"half a head", "GET /test/1 HTTP/1.1\r\nHost", ""},
		{"a refusal", getWith("/x"), ""},
		{"a refusal that was read", getWith("/x"), answer404},
		{"a stream", getWith("/test/1"), ""},
		{"a stream that was read", getWith("/test/1"), html11},
		{"more than a request", getWith("/events/1") + "more", sse11},
		{"a poll", getWith("/poll/1"), ""},
		{"a head alone", "HEAD /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
		{"a WebSocket", wsStart + "\r\n", ""},
		{"half a frame", wsStart + "\r\n\x81\x85\x00", wsHead + "\r\n"},
		{"half a message", wsStart + "\r\n\x01\x81\x00\x00\x00\x00x", wsHead + "\r\n"},
		{"a ping", wsStart + "\r\n\x89\x80\x00\x00\x00\x00", wsHead + "\r\n"},
		{"half a close", wsStart + "\r\n" + closing[:5], wsHead + "\r\n"},
		{"a close", wsStart + "\r\n" + closing, wsHead + "\r\n"},
		{"a close that was answered", wsStart + "\r\n" + closing, wsHead + "\r\n\x88\x02\x03\xe8"},
		{"a frame that is not masked", wsStart + "\r\n\x81\x01x", wsHead + "\r\n\x88\x02\x03\xea"},
	}
	cert, key, trust := testCert(t)
	bothEngines(t, func(t engineT) {
		for where, cfg := range map[string]Config{"in clear": {}, "over TLS": {TLSCertFile: cert, TLSKeyFile: key}} {
			cfg.Engine, cfg.HeadTimeout, cfg.PollTimeout = t.engine, time.Hour, time.Hour
			r := open(t, cfg)
			r.core.lingerTime, r.core.lastBytesTime = time.Hour, time.Hour
			r.run()
			for _, stage := range stages {
				c := r.dial()
				var conn io.ReadWriter = c
				if cfg.TLSCertFile != "" && stage.sent != "" {
					conn = tls.Client(c, trust)
				}
				if _, err := io.WriteString(conn, stage.sent); err != nil {
					t.Fatalf("%s, %s: %v", where, stage.name, err)
				}
				got := make([]byte, len(stage.read))
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != stage.read {
					t.Fatalf("%s, %s: read %q, error %v", where, stage.name, got, err)
				}
				c.reset()
				r.waitFor(where+", the end of "+stage.name, func(s Stats) bool {
					return s.Connections == 0 && s.Logins == 0 && r.core.sockets.Load() == 0
				})
			}
			r.stop()
			if e, ok := r.engine.(*stdEngine); ok && e.table.Len() > 0 {
				t.Errorf("%s, %d connections are left in the table", where, e.table.Len())
			}
		}
	})
}
