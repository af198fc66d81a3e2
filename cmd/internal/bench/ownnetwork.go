package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os/exec"
	"time"
)

// OwnNetwork runs comet again in a network namespace of its own, with the given
// arguments: its ports, counters and settings are then nobody else's, and what
// it leaves behind goes with it. The kernel's table of connections there has a
// bucket for each socket of so many connections; the machine's own has 524,288
// at the most unless it was booted with thash_entries, so that of millions of
// sockets each packet walks past many (net.ipv4.tcp_child_ehash_entries,
// Documentation/networking/ip-sysctl.rst). It takes root, and Linux 6.1 for the
// table.
//
// The program gets standard input as a pipe that ends when this process does, or
// with ctx. Its exit code is returned; err tells that it could not be started.
func OwnNetwork(ctx context.Context, executable string, args []string, connections int, stdout, stderr io.Writer) (code int, err error) {
	cmd := exec.Command(executable, args...) //nolint:noctx // ended by its standard input
	cmd.Stdout, cmd.Stderr = stdout, stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, fmt.Errorf("bench: --own-network: %w", err)
	}
	if err := startInNetwork(cmd, tableSize(connections)); err != nil {
		return 0, fmt.Errorf("bench: --own-network: a network namespace of its own takes root, or CAP_SYS_ADMIN: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		stdin.Close()
		select {
		case err = <-ended:
		case <-time.After(5 * time.Minute): // two million connections take their time to close
			_ = cmd.Process.Kill()
			err = <-ended
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// tableSize is the power of two from which each socket, of two for a connection,
// has a bucket, within what the kernel takes.
func tableSize(connections int) int {
	const most = 16 << 20
	return min(max(1<<bits.Len(uint(2*connections-1)), 1<<16), most)
}
