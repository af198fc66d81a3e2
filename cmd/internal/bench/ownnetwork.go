package bench

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"time"

	"example.org/comet/cmd/internal/fleet"
)

// OwnNetwork runs comet again in a network namespace of its own, with the given
// arguments: its ports, counters and settings are then shared with nothing else,
// and what it leaves behind goes with it. The kernel's table of sockets there has
// a bucket for each end of the connections. It takes root, and Linux 6.1 for the
// table.
//
// The program's standard input is a pipe that gets a line when ctx ends, and ends
// when this process does or atExit has it end at once. OwnNetwork returns its exit
// code, or an error if it could not be started.
func OwnNetwork(ctx context.Context, executable string, args []string, connections int, stdout, stderr io.Writer, atExit func(func() error) func()) (code int, err error) {
	code, err = fleet.Namespace{
		Executable: executable, Args: args, Buckets: tableSize(connections), Stdout: stdout, Stderr: stderr,
		Grace:  5 * time.Minute, // two million connections take their time to close
		AtExit: atExit,
	}.Run(ctx)
	return code, ownNetworkError(err)
}

// LoopbackUp brings up the loopback interface of a new network namespace.
func LoopbackUp() error { return ownNetworkError(fleet.LoopbackUp()) }

func ownNetworkError(err error) error {
	if err != nil {
		return fmt.Errorf("bench: --own-network: %w", err)
	}
	return nil
}

// tableSize returns the power of two from which each socket, of two for a
// connection, has a bucket, within what the kernel takes.
func tableSize(connections int) int {
	const most = 16 << 20
	return min(max(1<<bits.Len(uint(2*connections-1)), 1<<16), most)
}
