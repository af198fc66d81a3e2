package fleet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// lastWords is how many lines of a process's standard error are kept.
const lastWords = 8

// Process is a copy of this program. Its methods are safe for concurrent use.
type Process struct {
	// Name is its command, PID its number on the host that it runs on: Host, "" for
	// this one.
	Name string
	PID  int32
	Host string

	finite bool
	peer   Peer
	done   chan struct{} // closed when the process has ended and was read out
	cpu    time.Duration // what it used; set before done is closed, as err is
	err    error         // how it ended

	mu      sync.Mutex
	lines   map[string][]byte // the last line of each type but "sample"
	changed chan struct{}     // closed and replaced when lines changes
	words   []string          // the last lines of its standard error
	sample  time.Time         // when the last sample came
}

// Peer is a process that has been started, here or on another host, as those who speak
// with it see it.
type Peer struct {
	// PID is its number on Host, "" for this host.
	Host string
	PID  int32
	// Stdin takes what it reads, Stdout and Stderr have what it writes. A write
	// returns an error once the process has ended, or reads nothing any more.
	Stdin          io.WriteCloser
	Stdout, Stderr io.Reader
	// Wait waits for its end, and is called once both outputs have ended. It returns
	// the processor time that was used, and how the process ended.
	Wait func() (cpu time.Duration, err error)
	// Kill has it end at once, if it has not.
	Kill func()
}

// attend hears a process that has been started. say gets each line of its standard
// error.
func attend(peer Peer, spec Spec, say func(string)) *Process {
	p := &Process{
		Name: spec.Name, PID: peer.PID, Host: peer.Host,
		finite:  spec.Finite,
		peer:    peer,
		done:    make(chan struct{}),
		lines:   make(map[string][]byte),
		changed: make(chan struct{}),
	}
	go func() {
		var readers sync.WaitGroup
		readers.Go(func() { p.listen(peer.Stdout, spec.OnSample) })
		readers.Go(func() { p.hear(peer.Stderr, say) })
		readers.Wait()
		p.cpu, p.err = peer.Wait()
		close(p.done)
	}()
	return p
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
		say(p.speaker() + ": " + lines.Text())
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
	if pipe, ok := p.peer.Stdin.(interface{ SetWriteDeadline(time.Time) error }); ok {
		_ = pipe.SetWriteDeadline(time.Now().Add(tellPatience)) // not every system can
	}
	_, err := io.WriteString(p.peer.Stdin, line+"\n")
	return err
}

// tellPatience bounds the wait for a process that is stopped: its pipe gets full.
const tellPatience = time.Second

// End closes the standard input of the process, which asks it to end.
func (p *Process) End() { p.peer.Stdin.Close() }

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

// String returns "comet NAME (pid N)", with the host if that is another one.
func (p *Process) String() string {
	if p.Host != "" {
		return fmt.Sprintf("comet %s (pid %d on %s)", p.Name, p.PID, p.Host)
	}
	return fmt.Sprintf("comet %s (pid %d)", p.Name, p.PID)
}

// speaker returns what its complaints begin with.
func (p *Process) speaker() string {
	if p.Host != "" {
		return p.Host + ": " + p.Name
	}
	return p.Name
}

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
	return p.cpu
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
	p.peer.Kill()
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
