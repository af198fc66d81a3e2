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
		{call("connect", syscall.EACCES), Other},
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
	for _, c := range []struct {
		kind Failure
		want string
	}{
		{Refused, `3 connections failed, most of them (2) with "refused": nothing listens at that address: is the server running`},
		{Timeout, "lower --connect-rate or --in-flight"},
		{Reset, "cut the connection: see its log"},
		{NoFreePort, "add source addresses (--source-ip"},
		{TooManyFiles, "raise the limit (ulimit -n)"},
		{Unreachable, "ip route get"},
		{Status, "the server answered with status 404, 503 and no stream"},
		{Malformed, "is this a TLS or HTTP/2 port?"},
		{Other, "the first was: the moon"},
	} {
		f := Failures{Statuses: map[int]uint64{503: 1, 404: 1}, example: errors.New("the moon")}
		f.Count[c.kind] = 2
		f.Count[(c.kind+1)%failureCount] = 1
		if got := f.Explain(); !strings.Contains(got, c.want) {
			t.Errorf("%v: %q, want %q in it", c.kind, got, c.want)
		}
		if f.Total() != 3 || len(f.ByName()) != 2 || f.ByName()[c.kind.String()] != 2 {
			t.Errorf("%v: %d in all, %v", c.kind, f.Total(), f.ByName())
		}
	}
	f := Failures{Silent: 2}
	f.Count[Timeout] = 3
	if got := f.Explain(); !strings.Contains(got, "took the connection and the request") {
		t.Errorf("accepted and silent: %q", got)
	}
	f = Failures{Statuses: map[int]uint64{101: 3}}
	f.Count[Status] = 3
	if got := f.Explain(); !strings.Contains(got, "the URL of a WebSocket") {
		t.Errorf("101: %q", got)
	}
	if got := new(Failures).Explain(); got != "" {
		t.Errorf("nothing failed: %q", got)
	}
}
