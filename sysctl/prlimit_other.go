//go:build !linux

package sysctl

import (
	"errors"
	"fmt"
	"runtime"
)

func setOpenFiles(int, Value, Value) error {
	return fmt.Errorf("the limits of another process cannot be set on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
