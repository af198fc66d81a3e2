package flood

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

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
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN):
		return Unreachable
	case isCall && call.Syscall == "connect" && forbidden(err):
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

// forbidden reports whether a rule of this machine keeps packets from an address:
// a route that prohibits it (EACCES) or throws away what goes there (EINVAL), or a
// firewall (EPERM).
func forbidden(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL)
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
