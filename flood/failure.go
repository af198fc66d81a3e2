package flood

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Failure is why a connection was not established, or was cut off.
type Failure uint8

// The failures.
const (
	Refused      Failure = iota // nothing listens
	Timeout                     // no head of an answer in time
	Reset                       // cut off, by a reset or in the middle of an answer
	NoFreePort                  // every port to connect from is taken
	TooManyFiles                // the open-file limit of this process or machine
	Unreachable                 // no route, or no such source address
	Status                      // answered, but not with a stream
	Malformed                   // the answer is not HTTP/1
	Other
	failureCount
)

var failureNames = [failureCount]string{
	"refused", "timeout", "reset", "no_free_port", "too_many_files", "unreachable", "status", "malformed", "other",
}

func (f Failure) String() string { return failureNames[f] }

var errNotHTTP = errors.New("the stream is not HTTP/1")

// failureOf returns the kind of an error of a system call.
func failureOf(err error) Failure {
	call, isCall := errors.AsType[*os.SyscallError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Reset
	case isCall && call.Syscall == "bind" && errors.Is(err, syscall.EADDRNOTAVAIL):
		return Unreachable // bind says so of an address, connect of a port
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EADDRINUSE):
		return NoFreePort
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return TooManyFiles
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return Unreachable
	}
	return Other
}

// Failures counts them by kind.
type Failures struct {
	Count [failureCount]uint64
	// Silent counts those of kind Timeout whose request was sent: the server took
	// the connection and did not answer.
	Silent uint64
	// Statuses counts answers that were not streams, by code.
	Statuses map[int]uint64
	// example is the first error of kind Other.
	example error
}

// Total returns how many there were.
func (f *Failures) Total() (n uint64) {
	for _, c := range f.Count {
		n += c
	}
	return n
}

// ByName returns the counts that are not zero, by the name of their kind.
func (f *Failures) ByName() map[string]uint64 {
	m := make(map[string]uint64)
	for kind, n := range f.Count {
		if n > 0 {
			m[Failure(kind).String()] = n
		}
	}
	return m
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
	return fmt.Sprintf("%d connections failed, most of them (%d) with %q: %s", f.Total(), n, worst, f.advice(worst))
}

// advice returns what a kind of failure means and what to do about it.
func (f *Failures) advice(kind Failure) string {
	switch kind {
	case Refused:
		return "nothing listens at that address: is the server running, and is this its port?"
	case Timeout:
		if 2*f.Silent > f.Count[Timeout] {
			return "the server took the connection and the request, and sent no head of an answer in time: a stream's head has to come before its first message; this may be a long poll, or a proxy that buffers (for nginx: proxy_buffering off)"
		}
		return "no answer in time: the server's accept queue may overflow (lower --connect-rate or --in-flight, or raise net.core.somaxconn), or a firewall drops the packets"
	case Reset:
		return "the server, or something before it, cut the connection: see its log; it may be out of files or workers"
	case NoFreePort:
		return "every port to connect from is taken: add source addresses (--source-ip 127.0.0.2-127.0.0.18), or widen net.ipv4.ip_local_port_range"
	case TooManyFiles:
		return "this process may not open more files: raise the limit (ulimit -n), or open fewer connections"
	case Unreachable:
		return "there is no way to that address from the source addresses given, or they are not addresses of this machine: see `ip route get` and `ip addr`"
	case Status:
		return f.statusAdvice()
	case Malformed:
		return "what came back is not HTTP/1: is this a TLS or HTTP/2 port?"
	}
	return fmt.Sprintf("the first was: %v", f.example)
}

func (f *Failures) statusAdvice() string {
	if f.Statuses[switchingProtocols] > 0 && len(f.Statuses) == 1 {
		return "the server answered with status 101 and switched to another protocol, which was not asked for: this is the URL of a WebSocket and not of a stream over HTTP/1"
	}
	return "the server answered with " + f.statusList() + " and no stream: see its log, and whether the URL is right"
}

const switchingProtocols = 101

func (f *Failures) statusList() string {
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(f.Statuses)) {
		codes = append(codes, strconv.Itoa(code))
	}
	return "status " + strings.Join(codes, ", ")
}
