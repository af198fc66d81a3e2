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
	return s, fmt.Errorf("sysctl: comet cannot read the limits of %s, so none is checked: %w",
		runtime.GOOS, errors.ErrUnsupported)
}

func describe(*Environment) {}

// RaiseOpenFiles does nothing here and returns that both limits are unlimited.
func RaiseOpenFiles() (soft, hard uint64, err error) {
	return uint64(Unlimited), uint64(Unlimited), nil
}
