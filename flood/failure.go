package flood

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"example.org/comet/server/neterr"
	"example.org/comet/server/tlsclient"
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
	Unreachable                 // no route, a rule against it, or no such source address
	Status                      // answered, but not with a stream
	Malformed                   // the answer is not HTTP/1, or what follows no WebSocket
	Mismatch                    // the answer is not to what was asked for
	TLS                         // no TLS came about
	ClosedByCode                // a WebSocket's server closed it with the code of a fault
	Other
	failureCount
)

var failureNames = [failureCount]string{
	"refused", "timeout", "reset", "no_free_port", "too_many_files", "unreachable", "status", "malformed", "mismatch", "tls", "close_code", "other",
}

func (f Failure) String() string { return failureNames[f] }

var errNotHTTP = errors.New("the stream is not HTTP/1")

// failureOf returns the kind of an error of a system call.
func failureOf(err error) Failure {
	call, isCall := errors.AsType[*os.SyscallError](err)
	switch {
	case neterr.IsRefused(err):
		return Refused
	case neterr.IsTimeout(err), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case neterr.IsReset(err), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Reset
	case isCall && call.Syscall == "bind" && neterr.IsAddrNotAvail(err):
		return Unreachable // bind says so of an address, connect of a port
	case neterr.IsAddrNotAvail(err), neterr.IsAddrInUse(err):
		return NoFreePort
	case neterr.IsTooManyFiles(err):
		return TooManyFiles
	case neterr.IsUnreachable(err):
		return Unreachable
	case isCall && strings.HasPrefix(call.Syscall, "connect") && neterr.IsForbidden(err): // Windows has connectex
		return Unreachable
	}
	return Other
}

// failureOfTLS returns the kind of an error of TLS, or of the socket below it.
func failureOfTLS(err error) Failure {
	if tlsclient.Explain(err, "https") != nil {
		return TLS
	}
	return failureOf(err)
}

// Failures counts them by kind.
type Failures struct {
	Count [failureCount]uint64
	// Statuses counts answers that were not streams, by code.
	Statuses map[int]uint64
	cases    map[failureCase]*example
	// repeated: one connection may fail several times.
	repeated bool
}

func newFailures(cfg *Config) Failures {
	return Failures{Statuses: make(map[int]uint64), repeated: cfg.Returns()}
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
