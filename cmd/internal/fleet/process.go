package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
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

// lastWords is how many lines of a process's standard error are kept.
const lastWords = 8

// Process is a copy of this program. Its methods are safe for concurrent use.
type Process struct {
	// Name is its command, PID its number.
	Name string
	PID  int32

	finite bool
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	done   chan struct{} // closed when the process has ended and was read out
	err    error         // how it ended; set before done is closed

	mu      sync.Mutex
	lines   map[string][]byte // the last line of each type but "sample"
	changed chan struct{}     // closed and replaced when lines changes
	words   []string          // the last lines of its standard error
	sample  time.Time         // when the last sample came
}

// start starts a process in a group of its own, so that Ctrl-C reaches this
// program alone. say gets each line of its standard error.
func start(executable string, environ []string, spec Spec, say func(string)) (*Process, error) {
	p := &Process{
		Name:    spec.Name,
		finite:  spec.Finite,
		cmd:     exec.Command(executable, append([]string{spec.Name}, spec.Args...)...), //nolint:noctx // ended by its standard input
		done:    make(chan struct{}),
		lines:   make(map[string][]byte),
		changed: make(chan struct{}),
	}
	p.cmd.SysProcAttr = ownGroup()
	if p.cmd.Env = environ; len(spec.Env) > 0 {
		p.cmd.Env = append(slices.Clip(p.cmd.Environ()), spec.Env...)
	}
	stdin, err1 := p.cmd.StdinPipe()
	stdout, err2 := p.cmd.StdoutPipe()
	stderr, err3 := p.cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("fleet: cannot start comet %s: %w", spec.Name, err)
	}
	if err := spec.Pin.start(p.cmd); err != nil {
		return nil, fmt.Errorf("fleet: cannot start comet %s: %w", spec.Name, err)
	}
	p.PID, p.stdin = int32(p.cmd.Process.Pid), stdin
	go func() {
		var readers sync.WaitGroup
		readers.Go(func() { p.listen(stdout, spec.OnSample) })
		readers.Go(func() { p.hear(stderr, say) })
		readers.Wait()
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
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

// listen sorts the JSON lines of standard output.
func (p *Process) listen(stdout io.Reader, onSample func([]byte)) {
	lines := newLines(stdout)
	for lines.Scan() {
		line := lines.Bytes()
		var head struct{ Type string }
		if json.Unmarshal(line, &head) != nil {
			continue // not for us
		}
		if head.Type != "sample" {
			p.keep(head.Type, line)
			continue
		}
		p.mu.Lock()
		p.sample = time.Now()
		p.mu.Unlock()
		if onSample != nil {
			onSample(line)
		}
	}
	_, _ = io.Copy(io.Discard, stdout) // after a line too long to be ours
}

// newLines reads lines of up to a MiB, which a result with its histograms has.
func newLines(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	return lines
}

// keep stores the last line of a type and wakes those who wait for one.
func (p *Process) keep(kind string, line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines[kind] = bytes.Clone(line)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Forget forgets the last line of a type, so that Await waits for the next one.
func (p *Process) Forget(kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, kind)
}

// hear passes on what the process complains of, and keeps the end of it.
func (p *Process) hear(stderr io.Reader, say func(string)) {
	lines := newLines(stderr)
	for lines.Scan() {
		p.mu.Lock()
		p.words = append(p.words, lines.Text())
		if len(p.words) > lastWords {
			p.words = slices.Delete(p.words, 0, 1)
		}
		p.mu.Unlock()
		say(p.Name + ": " + lines.Text())
	}
	_, _ = io.Copy(io.Discard, stderr)
}

// Await waits for a line of the given type and decodes it into v, unless that is
// nil. It returns [Process.Lost] if the process ends without one, the cause of
// ctx, or, unless limit is 0, an error that names the process after limit.
func (p *Process) Await(ctx context.Context, kind string, limit time.Duration, v any) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = WithPatience(ctx, limit, &HungError{p, fmt.Sprintf("did not report %q within %v", kind, limit)})
		defer cancel()
	}
	for {
		line, changed := p.line(kind)
		if line == nil {
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-p.done:
			}
			if line, _ = p.line(kind); line == nil { // it may have been its last
				return p.Lost()
			}
		}
		if v == nil {
			return nil
		}
		if err := json.Unmarshal(line, v); err != nil {
			return fmt.Errorf("fleet: what %v reports as %q cannot be read: %w", p, kind, err)
		}
		return nil
	}
}

// line returns the last line of a type, and what is closed when another comes.
func (p *Process) line(kind string) (line []byte, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[kind], p.changed
}

// Tell writes a line to the standard input of the process. An error means that
// the process has ended, or reads nothing any more.
func (p *Process) Tell(line string) error {
	if pipe, ok := p.stdin.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = pipe.SetWriteDeadline(time.Now().Add(tellPatience)) // not every system can
	}
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// tellPatience bounds the wait for a process that is stopped: its pipe gets full.
const tellPatience = time.Second

// End closes the standard input of the process, which asks it to end.
func (p *Process) End() { p.stdin.Close() }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Expect has Silent count from now, for a process that is to give samples and may
// be stopped before the first one.
func (p *Process) Expect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sample = time.Now()
}

// Silent returns for how long a process that gives samples has given none: 0
// before the first one, unless Expect was called, and after its end.
func (p *Process) Silent() time.Duration {
	if p.Ended() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sample.IsZero() {
		return 0
	}
	return time.Since(p.sample)
}

// String returns "comet NAME (pid N)".
func (p *Process) String() string { return fmt.Sprintf("comet %s (pid %d)", p.Name, p.PID) }

// Lost returns the error that the process ended when it should not have.
func (p *Process) Lost() error {
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	how := "without an error"
	if p.err != nil {
		how = p.err.Error()
	}
	if how == "signal: killed" {
		how += ", as by the kernel when memory is short (see dmesg)"
	}
	if len(p.words) == 0 {
		return fmt.Errorf("fleet: %v ended (%s) and said nothing", p, how)
	}
	return fmt.Errorf("fleet: %v ended (%s); its last words:\n  %s", p, how, strings.Join(p.words, "\n  "))
}

// CPU returns the processor time that the process used. It waits for its end.
func (p *Process) CPU() time.Duration {
	<-p.done
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Stop asks the process to end, and kills it if it has not within grace. It
// returns an error if the process had to be killed or ended with one.
func (p *Process) Stop(grace time.Duration) error { return p.stop(grace, nil) }

// stop is Stop with a grace that ends early when hurry is closed.
func (p *Process) stop(grace time.Duration, hurry <-chan struct{}) error {
	p.End()
	begun := time.Now()
	if within(p.done, grace, hurry) {
		if p.err != nil {
			return p.Lost()
		}
		return nil
	}
	had := min(grace, time.Since(begun).Round(time.Millisecond))
	_ = p.cmd.Process.Kill() // it may have ended just now
	if !within(p.done, killPatience, nil) {
		return &HungError{p, fmt.Sprintf("did not end within %v, nor when it was killed", had)}
	}
	return &HungError{p, fmt.Sprintf("did not end within %v and was killed", had)}
}

// killPatience bounds the wait for a process that was killed: one that waits for
// a device cannot die.
const killPatience = 3 * time.Second

// within reports whether done is closed within d, and before hurry is.
func within(done <-chan struct{}, d time.Duration, hurry <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	case <-hurry:
	}
	return false
}

// HungError is the error of a process that runs and does nothing.
type HungError struct {
	Process *Process
	what    string
}

// Hung returns the error that p runs and does not do what it should.
func Hung(p *Process, what string) *HungError { return &HungError{p, what} }

func (e *HungError) Error() string { return fmt.Sprintf("fleet: %v %s", e.Process, e.what) }
