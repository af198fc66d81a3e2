package flood

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFailureOf(t *testing.T) {
	d := net.Dialer{Deadline: time.Now().Add(-time.Second)}
	_, late := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	if late == nil {
		t.Fatal("a connect whose time was over worked")
	}
	call := func(name string, err error) error {
		return fmt.Errorf("x: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError(name, err)})
	}
	for _, c := range []struct {
		err  error
		want Failure
	}{
		{call("connect", syscall.ECONNREFUSED), Refused},
		{call("connect", syscall.ETIMEDOUT), Timeout},
		{os.ErrDeadlineExceeded, Timeout},
		{late, Timeout},
		{call("read", syscall.ECONNRESET), Reset},
		{call("write", syscall.EPIPE), Reset},
		{io.EOF, Reset},
		{io.ErrUnexpectedEOF, Reset},
		{call("connect", syscall.EADDRNOTAVAIL), NoFreePort},
		{call("bind", syscall.EADDRINUSE), NoFreePort},
		{call("bind", syscall.EADDRNOTAVAIL), Unreachable},
		{call("socket", syscall.EMFILE), TooManyFiles},
		{call("socket", syscall.ENFILE), TooManyFiles},
		{call("connect", syscall.ENETUNREACH), Unreachable},
		{call("connect", syscall.EHOSTUNREACH), Unreachable},
		{call("connect", syscall.EHOSTDOWN), Unreachable},
		{call("connect", syscall.EACCES), Unreachable},
		{call("connect", syscall.EPERM), Unreachable},
		{call("connect", syscall.EINVAL), Unreachable},
		{call("socket", syscall.EACCES), Other},
		{call("connectex", syscall.Errno(10061)), Refused}, // these are of Windows
		{call("connectex", syscall.Errno(10060)), Timeout},
		{call("wsarecv", syscall.Errno(10054)), Reset},
		{call("bind", syscall.Errno(10049)), Unreachable},
		{call("connectex", syscall.Errno(10048)), NoFreePort},
		{call("connectex", syscall.Errno(10065)), Unreachable},
		{call("connectex", syscall.Errno(10013)), Unreachable},
		{errors.New("x"), Other},
		{nil, Other},
	} {
		if got := failureOf(c.err); got != c.want {
			t.Errorf("%v is %v, want %v", c.err, got, c.want)
		}
	}
}

func TestFailureNames(t *testing.T) {
	seen := make(map[string]bool)
	for f := range failureCount {
		name := f.String()
		if name == "" || seen[name] {
			t.Errorf("failure %d is named %q", f, name)
		}
		seen[name] = true
	}
}

func TestExplain(t *testing.T) {
	head := func(text string) []byte { return []byte("HTTP/1.1 " + text + "\r\n\r\n") }
	for _, c := range []struct {
		which failureCase
		start []byte
		want  string
	}{
		{failureCase{kind: Refused}, nil, `3 connections failed, most of them (2) with "refused": nothing listens at that address: is the server running`},
		{failureCase{kind: Timeout}, nil, "lower --connect-rate or --in-flight"},
		{failureCase{kind: Timeout, phase: asked}, nil, "took the connection and the request"},
		{failureCase{kind: Timeout, phase: inHead}, []byte("HTTP/1.1 200 OK\r\nX"), `the head did not end in time (it begins "HTTP/1.1 200 OK")`},
		{failureCase{kind: Reset}, nil, "cut the connection before the request was sent"},
		{failureCase{kind: Reset, phase: asked, closed: true}, nil, "closed the connection without an answer"},
		{failureCase{kind: Reset, phase: asked}, nil, "reset the connection without an answer"},
		{failureCase{kind: Reset, phase: inHead, closed: true}, []byte("HTTP/1.1 2"), `in the middle of the head of its answer (it begins "HTTP/1.1 2")`},
		{failureCase{kind: Reset, phase: streamed}, nil, "established streams were cut off"},
		{failureCase{kind: NoFreePort}, nil, "add source addresses (--source-ip"},
		{failureCase{kind: TooManyFiles}, nil, "raise the limit (ulimit -n)"},
		{failureCase{kind: Unreachable}, nil, "ip route get"},
		{failureCase{kind: Status, phase: asked, status: 404}, head("404 Not Found"), "the server answered with status 404, 503, mostly 404 Not Found and no stream: see that the path"},
		{failureCase{kind: Status, phase: asked, status: 101}, head("101 Switching Protocols"), "for a WebSocket write ws://"},
		{failureCase{kind: Malformed, phase: asked}, []byte("SSH-2.0-x\r\n"), `"SSH-2.0-x", which is not HTTP/1.1 but SSH`},
		{failureCase{kind: Malformed, phase: streamed}, []byte("zz\x1b\r\n"), `where the size of a chunk was due came "zz\x1b"`},
		{failureCase{kind: Other}, nil, `the first was: the \x1bmoon`},
	} {
		f := Failures{Statuses: map[int]uint64{503: 1, c.which.status: 1}}
		for range 2 {
			f.add(c.which, errors.New("the \x1bmoon"), c.start)
		}
		f.add(failureCase{kind: (c.which.kind + 1) % failureCount}, nil, nil)
		if got := f.Explain(); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q in it", c.which, got, c.want)
		}
		if f.Total() != 3 || len(f.ByName()) != 2 || f.ByName()[c.which.kind.String()] != 2 {
			t.Errorf("%v: %d in all, %v", c.which, f.Total(), f.ByName())
		}
	}
	var alike Failures
	for range 2 {
		alike.add(failureCase{kind: Refused}, nil, nil)
	}
	if got, want := alike.Explain(), `2 connections failed with "refused": nothing listens`; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want it to begin with %q", got, want)
	}
	if got := new(Failures).Explain(); got != "" {
		t.Errorf("nothing failed: %q", got)
	}
}

// TestUnreachableIsExplained by the call that says so.
func TestUnreachableIsExplained(t *testing.T) {
	for _, c := range []struct {
		call string
		err  error
		want string
	}{
		{"bind", syscall.EADDRNOTAVAIL, "(--source-ip) are not addresses of this machine"},
		{"connect", syscall.EHOSTUNREACH, "no route to that address, or its host is down (connect: "},
		{"connect", syscall.ENETUNREACH, "no route to that address, or its host is down (connect: "},
		{"bind", syscall.Errno(10049), "(--source-ip) are not addresses of this machine"},
		{"connect", syscall.EPERM, "a firewall rule of this machine forbids connections to that address (connect: "},
	} {
		var f Failures
		err := os.NewSyscallError(c.call, c.err)
		f.add(failureCase{kind: failureOf(err)}, err, nil)
		if got := f.Explain(); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q in it", err, got, c.want)
		}
	}
}

// TestExamplesAreBounded whatever peers answer.
func TestExamplesAreBounded(t *testing.T) {
	var f Failures
	for status := range 900 {
		f.add(failureCase{kind: Status, status: status}, nil, make([]byte, 64<<10))
	}
	if len(f.cases) > maxExamples || f.Count[Status] != 900 {
		t.Errorf("%d examples of %d failures", len(f.cases), f.Count[Status])
	}
	for _, e := range f.cases {
		if cap(e.start) > 2*maxStart {
			t.Fatalf("an example keeps %d bytes", cap(e.start))
		}
	}
}
