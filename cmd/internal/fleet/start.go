package fleet

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// Spec says what to start.
type Spec struct {
	// Name is the command, and Args are its arguments.
	Name string
	Args []string
	// Env is added to the environment, as NAME=value.
	Env []string
	// OnSample, if set, is called with each line of type "sample", in one
	// goroutine. It must not keep the line.
	OnSample func(line []byte)
	// Pin says how the process is scheduled.
	Pin Pin
	// Finite says that the process ends by itself when its work is done: Watch
	// leaves it to Await.
	Finite bool
}

// Pin says how a process is scheduled. What the system does not support or allow
// is left out. The zero value is the default schedule.
type Pin struct {
	// Batch keeps its threads from pushing aside what runs (SCHED_BATCH).
	Batch bool
	// Processor, unless 0, keeps it on one processor: the first for 1, and again
	// the first after the last.
	Processor int
	// Nice lets all others run first.
	Nice bool
}

// Start starts a process of a program in a group of its own, so that Ctrl-C reaches
// this program alone. The environment nil stands for this process's own.
func Start(executable string, environ []string, spec Spec) (Peer, error) {
	cmd := exec.Command(executable, append([]string{spec.Name}, spec.Args...)...) //nolint:noctx // ended by its standard input
	cmd.SysProcAttr = ownGroup()
	if cmd.Env = environ; len(spec.Env) > 0 {
		cmd.Env = append(slices.Clip(cmd.Environ()), spec.Env...)
	}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return Peer{}, fmt.Errorf("fleet: cannot start comet %s: %w", spec.Name, err)
	}
	if err := spec.Pin.start(cmd); err != nil {
		return Peer{}, fmt.Errorf("fleet: cannot start comet %s: %w", spec.Name, err)
	}
	return Peer{
		PID: int32(cmd.Process.Pid), Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Wait: func() (time.Duration, error) {
			err := cmd.Wait()
			return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
		},
		Kill: func() { _ = cmd.Process.Kill() }, // it may have ended just now
	}, nil
}

// start starts cmd with the schedule of p, which a process inherits.
func (p Pin) start(cmd *exec.Cmd) error {
	run := cmd.Start
	if p.Batch {
		run = func() error { return asBatch(cmd.Start) }
	}
	err := onProcessor(p.Processor, run)
	if err == nil && p.Nice {
		giveWay(cmd.Process.Pid)
	}
	return err
}
