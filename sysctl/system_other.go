//go:build !linux && !darwin

package sysctl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

func read() (System, error) {
	s := UnknownSystem()
	s.OS = runtime.GOOS
	s.PageSize = Value(os.Getpagesize())
	return s, fmt.Errorf("sysctl: %s has no limits that comet knows how to read, so none is checked: %w",
		runtime.GOOS, errors.ErrUnsupported)
}

func describe(*Environment) {}

// RaiseOpenFiles does nothing here: both limits are reported as unlimited (0
// would read as none left).
func RaiseOpenFiles() (soft, hard uint64, err error) {
	return uint64(Unlimited), uint64(Unlimited), nil
}
