//go:build !linux

package fleet

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

func startInNetwork(*exec.Cmd, int) error {
	return fmt.Errorf("%s has no network namespaces: %w", runtime.GOOS, errors.ErrUnsupported)
}

// LoopbackUp brings up the loopback interface of a new network namespace.
func LoopbackUp() error { return startInNetwork(nil, 0) }
