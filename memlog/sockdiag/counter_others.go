//go:build !linux

package sockdiag

import (
	"errors"
	"fmt"
	"runtime"
)

// Counter counts sockets; on this system it cannot be had.
type Counter struct{}

var errUnsupported = fmt.Errorf("sockdiag: sockets can be counted on Linux only, this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Open returns an error that wraps errors.ErrUnsupported.
func Open() (*Counter, error) { return nil, errUnsupported }

// OpenProcess returns an error that wraps errors.ErrUnsupported.
func OpenProcess(int32) (*Counter, error) { return nil, errUnsupported }

// Count returns an error that wraps errors.ErrUnsupported.
func (*Counter) Count([]Filter, ...State) (Counts, error) { return Counts{}, errUnsupported }

// Backlog fails.
func (*Counter) Backlog([]Filter) (int64, error) { return 0, errUnsupported }

// Fallback returns nil.
func (*Counter) Fallback() error { return nil }

// Close does nothing.
func (*Counter) Close() error { return nil }
