package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Namespace says what runs in a network namespace of its own.
type Namespace struct {
	Executable string
	Args       []string
	// Buckets is the size of the kernel's table of sockets in there
	// (net.ipv4.tcp_child_ehash_entries, Linux 6.1). The machine's own table has
	// 524,288 buckets at most unless it was booted with thash_entries, so that
	// with millions of sockets each packet walks past many
	// (Documentation/networking/ip-sysctl.rst).
	Buckets        int
	Stdout, Stderr io.Writer
	// Grace is how long it may take to end once ctx has.
	Grace time.Duration
}

// Run runs the program and returns its exit code, or an error if it could not be
// started, which takes root. The program's standard input is a pipe that ends
// with ctx, or with this process.
func (n Namespace) Run(ctx context.Context) (code int, err error) {
	cmd := exec.Command(n.Executable, n.Args...) //nolint:noctx // ended by its standard input
	cmd.Stdout, cmd.Stderr = n.Stdout, n.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, fmt.Errorf("fleet: %w", err)
	}
	if err := startInNetwork(cmd, n.Buckets); err != nil {
		return 0, fmt.Errorf("fleet: a network namespace of its own takes root, or CAP_SYS_ADMIN: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		stdin.Close()
		t := time.NewTimer(n.Grace)
		defer t.Stop()
		select {
		case err = <-ended:
		case <-t.C:
			_ = cmd.Process.Kill()
			err = <-ended
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
