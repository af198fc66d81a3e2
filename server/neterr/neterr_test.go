package neterr

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
)

var conditions = map[string]func(error) bool{
	"refused": IsRefused, "timeout": IsTimeout, "reset": IsReset, "broken pipe": IsBrokenPipe,
	"in use": IsAddrInUse, "not available": IsAddrNotAvail, "unreachable": IsUnreachable,
	"forbidden": IsForbidden, "files": IsTooManyFiles, "memory": IsOutOfMemory,
}

// TestConditions: each error has the conditions that are named, on every system, and
// no other.
func TestConditions(t *testing.T) {
	onWindows := func(condition string) []string {
		if runtime.GOOS == "windows" {
			return []string{condition}
		}
		return nil
	}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{syscall.ECONNREFUSED, []string{"refused"}},
		{syscall.ETIMEDOUT, []string{"timeout"}},
		{syscall.ECONNRESET, []string{"reset"}},
		{syscall.EPIPE, []string{"broken pipe", "reset"}},
		{syscall.EADDRINUSE, []string{"in use"}},
		{syscall.EADDRNOTAVAIL, []string{"not available"}},
		{syscall.ENETUNREACH, []string{"unreachable"}},
		{syscall.EHOSTUNREACH, []string{"unreachable"}},
		{syscall.ENETDOWN, []string{"unreachable"}},
		{syscall.EHOSTDOWN, []string{"unreachable"}},
		{syscall.EACCES, []string{"forbidden"}},
		{syscall.EPERM, []string{"forbidden"}},
		{syscall.EINVAL, []string{"forbidden"}},
		{syscall.EMFILE, []string{"files"}},
		{syscall.ENFILE, []string{"files"}},
		{syscall.ENOBUFS, []string{"memory"}},
		{syscall.ENOMEM, []string{"memory"}},
		{syscall.Errno(10061), []string{"refused"}},
		{syscall.Errno(10060), []string{"timeout"}},
		{syscall.Errno(10054), []string{"reset"}},
		{syscall.Errno(10053), []string{"reset"}},
		{syscall.Errno(109), onWindows("broken pipe")},
		{syscall.Errno(232), onWindows("broken pipe")},
		{syscall.Errno(233), onWindows("broken pipe")},
		{syscall.Errno(10048), []string{"in use"}},
		{syscall.Errno(10049), []string{"not available"}},
		{syscall.Errno(10051), []string{"unreachable"}},
		{syscall.Errno(10065), []string{"unreachable"}},
		{syscall.Errno(10050), []string{"unreachable"}},
		{syscall.Errno(10064), []string{"unreachable"}},
		{syscall.Errno(10013), []string{"forbidden"}},
		{syscall.Errno(10024), []string{"files"}},
		{syscall.Errno(10055), []string{"memory"}},
		{syscall.EAGAIN, nil},
		{errors.New("connection refused"), nil},
		{nil, nil},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("x: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
		}
		for name, holds := range conditions {
			if got, want := holds(err), slices.Contains(c.want, name); got != want {
				t.Errorf("%v is %s: %v, want %v", err, name, got, want)
			}
		}
	}
}

// TestOfThisSystem: what the system itself returns is known.
func TestOfThisSystem(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := net.Listen("tcp", ln.Addr().String()); err == nil {
		second.Close()
		t.Error("two listen on one address")
	} else if !IsAddrInUse(err) {
		t.Errorf("%v is not of an address in use", err)
	}
	ln.Close()
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		conn.Close()
		t.Error("somebody listens on a port that was closed")
	} else if !IsRefused(err) {
		t.Errorf("%v is no refusal", err)
	}
	if other, err := net.Listen("tcp", "192.0.2.1:0"); err == nil { // of nobody (RFC 5737)
		other.Close()
		t.Error("this machine listens on 192.0.2.1")
	} else if !IsAddrNotAvail(err) {
		t.Errorf("%v is not of an address that this machine lacks", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if _, err := w.Write([]byte("x")); !IsBrokenPipe(err) {
		t.Errorf("%v is of no broken pipe", err)
	}
}

func Example() {
	_, err := net.Dial("tcp", "127.0.0.1:1")
	switch {
	case IsRefused(err):
		fmt.Println("nothing listens there")
	case IsUnreachable(err):
		fmt.Println("there is no route to that address")
	}
	// Output: nothing listens there
}
