package flood

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.org/comet/server/neterr"
	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// phase is how far a connection had come when it failed.
type phase uint8

const (
	dialing     phase = iota // the request was not sent
	handshaking              // a TLS handshake was under way
	asked                    // it was
	inHead                   // a part of the answer's head came
	greeted                  // all of it came, and not what makes the connection ready
	streamed                 // it was established
)

// failureCase is a kind of failure in all that its explanation depends on.
type failureCase struct {
	kind   Failure
	phase  phase
	closed bool // in order, by the server, and not by a reset
	status int
	socket bool // a WebSocket was asked for
}

// example is the first failure of its case.
type example struct {
	n     uint64
	err   error
	start []byte // how the answer begins, or the part of it that cannot be read
}

// What is kept of examples, whatever peers send.
const (
	maxExamples = 32
	maxStart    = 2 << 10
)

// add counts a failure, and keeps the first of its case. start is copied.
func (f *Failures) add(c failureCase, err error, start []byte) {
	f.Count[c.kind]++
	e := f.cases[c]
	if e == nil {
		if f.cases == nil {
			f.cases = make(map[failureCase]*example)
		}
		if len(f.cases) >= maxExamples {
			return
		}
		e = &example{err: err, start: bytes.Clone(start[:min(len(start), maxStart)])}
		f.cases[c] = e
	}
	e.n++
}

// commonest returns the commonest case of a kind.
func (f *Failures) commonest(kind Failure) (failureCase, *example) {
	var which failureCase
	most := &example{}
	for c, e := range f.cases {
		if c.kind == kind && (e.n > most.n || e.n == most.n && before(c, which)) {
			which, most = c, e
		}
	}
	return which, most
}

// before orders cases that are equally common, so that a run explains itself in
// the same way each time.
func before(a, b failureCase) bool {
	return a.phase < b.phase || a.phase == b.phase && a.status < b.status
}

// Explain returns a sentence with the commonest failure and what to do about it,
// nothing where nothing failed.
func (f *Failures) Explain() string {
	worst := Other
	for kind, n := range f.Count {
		if n > f.Count[worst] {
			worst = Failure(kind)
		}
	}
	n := f.Count[worst]
	if n == 0 {
		return ""
	}
	which, e := f.commonest(worst)
	advice := f.advice(which, worst, e)
	if f.repeated {
		return fmt.Sprintf("connections failed %d times, %d of them with %q: %s", f.Total(), n, worst, advice)
	}
	if n == f.Total() {
		return fmt.Sprintf("%d connections failed with %q: %s", n, worst, advice)
	}
	return fmt.Sprintf("%d connections failed, most of them (%d) with %q: %s", f.Total(), n, worst, advice)
}

// advice returns what a kind of failure means and what to do about it.
func (f *Failures) advice(c failureCase, kind Failure, e *example) string {
	switch kind {
	case Refused:
		return "nothing listens at that address: is the server running, and is this its port?"
	case Timeout:
		return timeoutAdvice(c, e)
	case Reset:
		return resetAdvice(c, e)
	case NoFreePort:
		return "every port to connect from is taken: add source addresses (--source-ip 127.0.0.2-127.0.0.18), or widen net.ipv4.ip_local_port_range"
	case TooManyFiles:
		return "this process may not open more files: raise the limit (ulimit -n), or open fewer connections"
	case Unreachable:
		return unreachableAdvice(e)
	case Status:
		return f.statusAdvice(c, e)
	case Malformed:
		return malformedAdvice(c, e)
	case Mismatch:
		return mismatchAdvice(e)
	case TLS:
		return tlsclient.Explain(e.err, "https").Error()
	case ClosedByCode:
		return closeAdvice(c, e)
	}
	if e.err == nil {
		return "the cause is not known"
	}
	return "the first was: " + wire.Printable(e.err.Error(), maxStart)
}

func unreachableAdvice(e *example) string {
	switch {
	case neterr.IsAddrNotAvail(e.err):
		return "the source addresses to connect from (--source-ip) are not addresses of this machine: see `ip addr`"
	case neterr.IsForbidden(e.err):
		return fmt.Sprintf("a route or a firewall rule of this machine forbids connections to that address (%s): see `ip route get` and the rules for output", wire.Printable(e.err.Error(), maxStart))
	case e.err == nil:
		return "there is no route to that address: see `ip route get`"
	}
	return fmt.Sprintf("there is no route to that address, or its host is down (%s): see whether the address is right, and `ip route get`", wire.Printable(e.err.Error(), maxStart))
}

func timeoutAdvice(c failureCase, e *example) string {
	switch c.phase {
	case handshaking:
		return "the server took the connection, and the TLS handshake did not end in time: see that this port speaks TLS (https:// or wss://), or lower --in-flight, since handshakes cost both ends much processor time"
	case asked:
		return "the server took the connection and the request, and sent no head of an answer in time: a stream's head has to come before its first message; this may be a long poll (give --protocol poll), or a proxy that buffers (for nginx: proxy_buffering off)"
	case inHead:
		return "the server began to answer and the head did not end in time" + began(e) + ": a head ends with an empty line, and a final answer must follow an interim one (1xx); see what the server does for this URL"
	}
	if c.phase == greeted {
		return "the connections were taken, and what --ready waits for did not come in time" + lastCame(e) + ": see what the server sends first, and whether it waits for a --first-message"
	}
	if c.phase == streamed {
		return "established streams went silent until the kernel gave them up: see the network between here and the server"
	}
	return "no answer to the connect in time: the server's accept queue may overflow (lower --connect-rate or --in-flight, or raise net.core.somaxconn), or a firewall drops the packets"
}

func resetAdvice(c failureCase, e *example) string {
	how := "reset"
	if c.closed {
		how = "closed"
	}
	const seeLog = ": see the log of the server, or of the proxy before it; it may be out of files or workers"
	switch c.phase {
	case handshaking:
		return "the server, or something before it, " + how + " the connection in the TLS handshake: see that this port speaks TLS, and its log"
	case asked:
		return "the server, or something before it, cut the connection: it took the request and " + how + " the connection without an answer" + seeLog + ", or speak TLS on this port: then write https:// or wss://"
	case inHead:
		return "the server, or something before it, cut the connection: it " + how + " it in the middle of the head of its answer" + began(e) + seeLog
	case greeted:
		return "the server, or something before it, " + how + " the connection before what --ready waits for came" + lastCame(e) + seeLog
	case streamed:
		return "established streams were cut off: the server, or something before it, " + how + " the connection in the middle of the body" + seeLog + ", or limit how long a stream lasts"
	}
	return "the server, or something before it, cut the connection before the request was sent" + seeLog
}

func (f *Failures) statusAdvice(c failureCase, e *example) string {
	status := fmt.Sprint(c.status)
	advice := "see its log, and whether the URL is right"
	if resp, body := wire.ReadStart(e.start); resp != nil {
		status = wire.Said(resp, body)
		if known := wire.Advise(resp, body, false, wire.Streaming); known != "" {
			advice = known
		}
		if c.socket && resp.StatusCode < 300 {
			advice = "the URL is not that of a WebSocket: name one, or write http:// (https://) for a stream"
		}
	}
	if len(f.Statuses) > 1 {
		status = f.statusList() + ", mostly " + status
	}
	what := "stream"
	if c.socket {
		what = "WebSocket"
	}
	return "the server answered with status " + status + " and no " + what + ": " + advice
}

// statusList lists the codes that came.
func (f *Failures) statusList() string {
	const shown = 8
	var list []string
	for i, code := range slices.Sorted(maps.Keys(f.Statuses)) {
		if i == shown {
			list = append(list, "…")
			break
		}
		list = append(list, strconv.Itoa(code))
	}
	return strings.Join(list, ", ")
}

// lastCame returns what came last, in parentheses.
func lastCame(e *example) string {
	if len(e.start) == 0 {
		return ""
	}
	return " (the last that came begins \"" + wire.Printable(string(e.start), maxShown) + "\")"
}

// mismatchAdvice explains an answer that is not to what was asked for.
func mismatchAdvice(e *example) string {
	status := ""
	if resp, body := wire.ReadStart(e.start); resp != nil {
		status = " (" + wire.Said(resp, body) + ")"
	}
	return "the answer" + status + " is not to what was asked for: " + wire.Printable(e.err.Error(), maxStart)
}

// closeAdvice explains a close frame with the code of a fault (RFC 6455, section
// 7.4.1).
func closeAdvice(c failureCase, e *example) string {
	when := "after it was established"
	if c.phase != streamed {
		when = "before it was ready"
	}
	said := "the server closed its WebSocket " + when + " with " + wire.Printable(e.err.Error(), maxStart)
	g, _ := errors.AsType[goodbye](e.err)
	switch g.code {
	case 1002, 1003, 1007, 4400, 4406, 4408:
		return said + ": it does not take what it was sent; see --first-message and --subprotocol"
	case 1008, 3000, 3500, 4001, 4003, 4009, 4401, 4403:
		return said + ": it does not let this client in; give it a token, as a header (-H) or a --first-message"
	case 3012, 4201:
		return said + ": it did not hear from this client in time; see --reply and --send-every"
	case 1009:
		return said + ": a message was too long for it"
	case 1011, 1012, 1013, 1014:
		return said + ": it failed or is overloaded; its log should say why"
	}
	return said + ": its documentation and its log should say what that means"
}

func malformedAdvice(c failureCase, e *example) string {
	if fault, ok := errors.AsType[*wire.ProtocolError](e.err); ok {
		return "the server, or a proxy before it, breaks the WebSocket protocol: it sent " + fault.Reason
	}
	if c.phase == streamed || c.phase == greeted {
		line, _, _ := bytes.Cut(e.start, []byte{'\n'})
		return fmt.Sprintf("established streams broke their framing: where the size of a chunk was due came \"%s\"; the server, or a proxy before it, miscounts its chunks or writes into the stream past them", wire.Printable(string(bytes.TrimRight(line, "\r")), maxShown))
	}
	if resp, _ := wire.ReadStart(e.start); resp != nil && resp.StatusCode < 200 {
		return "the server sends interim answers (" + wire.Said(resp, nil) + ") without end and no final one, which is not HTTP/1: see what it does for this URL"
	}
	if bytes.HasPrefix(e.start, []byte("HTTP/1.")) && !bytes.Contains(e.start, []byte("\n\r\n")) && len(e.start) == maxStart {
		return fmt.Sprintf("the head of the answer has no end within %d KiB, which is not HTTP/1 as anybody speaks it%s: see what the server does for this URL", wire.MaxKept>>10, began(e))
	}
	return "what came back is not HTTP/1: " + wire.NotHTTP1(e.start, nil, wire.Streaming)
}

// maxShown is how much of a line is shown, in bytes.
const maxShown = 64

// began returns how an answer begins, in parentheses.
func began(e *example) string {
	line, _, _ := bytes.Cut(e.start, []byte{'\n'})
	if len(line) == 0 {
		return ""
	}
	return " (it begins \"" + wire.Printable(string(bytes.TrimRight(line, "\r")), maxShown) + "\")"
}
