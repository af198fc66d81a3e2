package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"example.org/comet/server/wire"
)

// accessLog writes a line of JSON for one stream of several at its end, and for
// each request that got no stream:
//
//	{"time":"2026-01-02T15:04:05.678Z","msg":"stream","remote":"192.0.2.7:51234",
//	 "request":"GET /test/123 HTTP/1.1","status":200,"messages":3,"bytes":220,"duration_ms":61500}
//
// msg is stream or refused. request is the first line that came, without an access
// token, cut at 256 bytes. messages and bytes are what the kernel took for it; duration_ms is
// from the complete request head to the logout. status is 0 for a poll whose
// client left before its answer.
//
// Logging never blocks: lines go through a queue of fixed length. Lines that find
// no room, or cannot be written, are counted as dropped. A nil accessLog logs
// nothing.
type accessLog struct {
	to     io.Writer // takes whole lines
	every  uint64
	logger *slog.Logger

	seen    atomic.Uint64 // streams, to choose from
	lines   chan visit
	dropped atomic.Uint64
}

const (
	// accessQueue is how many lines wait for the writer: some 100 kB.
	accessQueue = 1024
	// accessRequest is the most that is kept of a request line, in bytes.
	accessRequest = 256
)

// visit is a stream that will have a line, or a refused request.
type visit struct {
	began, ended    time.Time
	remote          netip.AddrPort
	request         string
	status          int // of the stream's head; 0 for a poll, which has none
	messages, bytes uint64
	refused         bool
}

func newAccessLog(c *Config) *accessLog {
	if c.AccessLog == nil {
		return nil
	}
	return &accessLog{
		to:     &lineWriter{to: c.AccessLog},
		every:  uint64(c.AccessLogSample),
		logger: c.Logger,
		lines:  make(chan visit, accessQueue),
	}
}

// choose reports whether to log a stream: the first, and each every-th after it.
func (a *accessLog) choose() bool {
	return a != nil && (a.seen.Add(1)-1)%a.every == 0
}

// beginVisit makes the visit of a stream that was chosen.
func beginVisit(now time.Time, remote netip.AddrPort, head, answer []byte) *visit {
	return &visit{began: now, remote: remote, request: requestLine(head), status: statusOf(answer)}
}

// refused logs a request that was answered without a stream.
func (a *accessLog) refused(now time.Time, remote netip.AddrPort, head, answer []byte) {
	a.log(visit{
		began: now, ended: now, remote: remote, request: requestLine(head),
		status: statusOf(answer), bytes: uint64(len(answer)), refused: true,
	})
}

// log queues a line. It never blocks.
func (a *accessLog) log(v visit) {
	select {
	case a.lines <- v:
	default:
		a.dropped.Add(1)
	}
}

// start writes what is logged until stop, which is called after the last log.
func (a *accessLog) start() (stop func()) {
	if a == nil {
		return func() {}
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		a.writeAll()
	}()
	return func() {
		close(a.lines)
		select {
		case <-written:
			return
		case <-time.After(lastPatience):
		}
		// Nobody reads the pipe. A write with a deadline can be ended; any other
		// keeps its goroutine until it ends by itself.
		a.logger.Warn("the reader of the access log does not take it; the rest is lost", "lines", len(a.lines))
		if f, ok := a.to.(deadliner); ok && f.SetWriteDeadline(time.Unix(1, 0)) == nil {
			<-written
		}
	}
}

func (a *accessLog) writeAll() {
	handler := slog.NewJSONHandler(a.to, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return attr
		},
	})
	reported := false
	for v := range a.lines {
		err := handler.Handle(context.Background(), v.record())
		if err == nil {
			continue
		}
		a.dropped.Add(1)
		if !reported {
			reported = true
			a.logger.Error("the access log cannot be written; lines are dropped, and counted as access_log_dropped, until it can", "error", err)
		}
	}
}

func (v *visit) record() slog.Record {
	what := "stream"
	if v.refused {
		what = "refused"
	}
	remote := ""
	if v.remote.IsValid() {
		remote = netip.AddrPortFrom(v.remote.Addr().Unmap(), v.remote.Port()).String()
	}
	r := slog.NewRecord(v.ended, slog.LevelInfo, what, 0)
	r.AddAttrs(
		slog.String("remote", remote),
		slog.String("request", v.request),
		slog.Int("status", v.finalStatus()),
		slog.Uint64("messages", v.messages),
		slog.Uint64("bytes", v.bytes),
		slog.Float64("duration_ms", float64(v.ended.Sub(v.began).Microseconds())/1000),
	)
	return r
}

// finalStatus returns the status that the client saw. That of a poll comes with its
// message, or with the answer that there was none.
func (v *visit) finalStatus() int {
	switch {
	case v.status != 0 || v.bytes == 0:
		return v.status
	case v.messages == 0:
		return 204
	}
	return 200
}

// requestLine returns the first line of a head, or as much as there is of it.
// JSON escapes the control characters of ASCII. Others that a terminal obeys
// are replaced: DEL, C1 and those that turn the direction of text. So are access
// tokens in the query.
func requestLine(head []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte{'\n'})
	line = wire.HideToken(bytes.TrimSuffix(line, []byte{'\r'}))
	return strings.Map(func(r rune) rune {
		if r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, string(line[:min(len(line), accessRequest)]))
}

// statusOf returns the status of an answer, and 0 if there is none.
func statusOf(answer []byte) int {
	const at = len("HTTP/1.1 ")
	if len(answer) < at+3 {
		return 0
	}
	status, _ := strconv.Atoi(string(answer[at : at+3])) // our own answers
	return status
}
