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
	// AtExit, if set, has a function called should this process have to end at
	// once, unless forget is called before.
	AtExit func(end func() error) (forget func())
}

// hasty is how long a program may take to end when it must at once.
const hasty = 4 * time.Second

// Run runs the program and returns its exit code, or an error if it could not be
// started, which takes root. The program's standard input is a pipe that gets a
// line when ctx ends. It ends when the program must end at once, or with this
// process.
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
	ended := make(chan struct{})
	go func() {
		err = cmd.Wait()
		close(ended)
	}()
	if n.AtExit != nil {
		defer n.AtExit(func() error {
			stdin.Close()
			return endWithin(cmd, ended, hasty)
		})()
	}
	select {
	case <-ended:
	case <-ctx.Done():
		_, _ = io.WriteString(stdin, "end\n") // it may have ended
		_ = endWithin(cmd, ended, n.Grace)
	}
	<-ended
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// endWithin waits for a program to end, and kills it after d.
func endWithin(cmd *exec.Cmd, ended <-chan struct{}, d time.Duration) error {
	if within(ended, d, nil) {
		return nil
	}
	_ = cmd.Process.Kill() // it may have ended just now
	return fmt.Errorf("fleet: what ran in the network namespace did not end within %v and was killed", d)
}
