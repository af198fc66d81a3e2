package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Fleet is a set of processes that work together. Its methods are safe for
// concurrent use.
type Fleet struct {
	// Executable is the program that all of them run.
	Executable string
	// Environ returns the environment of all of them, NAME=value; nil stands for
	// this process's own.
	Environ func() []string
	// Say gets each line that a process writes to its standard error, behind the
	// name of its command. It is called by several goroutines.
	Say func(line string)
	// OnLoss decides what the unexpected end of a process means for the others:
	// an error ends what Watch does. It is called once for each process that is
	// lost. nil means that no process may end.
	OnLoss func(*Process) error

	mu      sync.Mutex
	running []*Process // those started and not lost, in order
	lost    []*Process // those lost, in order
	started []*Process // all of them
	killed  bool       // by Kill
}

// Start starts a process and adds it to the fleet.
func (f *Fleet) Start(ctx context.Context, spec Spec) (*Process, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var environ []string
	if f.Environ != nil {
		environ = f.Environ()
	}
	peer, err := Start(f.Executable, environ, spec)
	if err != nil {
		return nil, err
	}
	return f.Attach(spec, peer)
}

// Attach adds a process that has been started, perhaps on another host.
func (f *Fleet) Attach(spec Spec, peer Peer) (*Process, error) {
	say := f.Say
	if say == nil {
		say = func(string) {}
	}
	p := attend(peer, spec, say)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = append(f.running, p)
	f.started = append(f.started, p)
	if f.killed {
		peer.Kill()
		return nil, errKilled
	}
	return p, nil
}

// Watch runs do while no process of the fleet may end. One that does is lost: its
// error, if OnLoss returns one, ends the context of do. So does the error of a
// guard, which watches something else until its context ends. Watch returns once
// do and everything that watched have returned: the error of do, or else that of a
// loss which do did not see.
func (f *Fleet) Watch(ctx context.Context, do func(context.Context) error, guards ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watchers sync.WaitGroup
	running := f.Running()
	losses := make(chan error, len(running))
	for _, p := range running {
		if p.finite {
			continue
		}
		watchers.Go(func() {
			select {
			case <-p.done:
				if ctx.Err() == nil {
					if err := f.Lose(p); err != nil {
						losses <- err
						cancel(err)
					}
				}
			case <-ctx.Done():
			}
		})
	}
	for _, guard := range guards {
		watchers.Go(func() {
			if err := guard(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	err := do(ctx)
	cancel(nil)
	watchers.Wait()
	if err != nil || len(losses) == 0 {
		return err
	}
	return <-losses
}

// Lose takes a process off the fleet and returns what OnLoss says of it. A
// second call for the same process does nothing.
func (f *Fleet) Lose(p *Process) error {
	f.mu.Lock()
	i := slices.Index(f.running, p)
	if i >= 0 {
		f.running = slices.Delete(f.running, i, i+1)
		f.lost = append(f.lost, p)
	}
	f.mu.Unlock()
	switch {
	case i < 0:
		return nil
	case f.OnLoss == nil:
		return p.Lost()
	}
	return f.OnLoss(p)
}

// Lost reports whether a process was lost.
func (f *Fleet) Lost(p *Process) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.lost, p)
}

// errKilled refuses a process that would outlive Kill.
var errKilled = errors.New("fleet: all processes were killed")

// Kill kills all processes, also those that are about to end, without waiting
// for that. None can be started any more.
func (f *Fleet) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.killed = true
	for _, p := range f.started {
		p.peer.Kill()
	}
}

// Running returns the processes that were started and neither lost nor stopped,
// in the order of their start.
func (f *Fleet) Running() []*Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.running)
}

// Retire takes a process off the fleet that is about to end as it should.
func (f *Fleet) Retire(p *Process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = slices.DeleteFunc(f.running, func(q *Process) bool { return q == p })
}

// Grace is how long processes may take to end before they are killed: each of
// them, and in a hurry all of them together.
type Grace struct{ Each, Hurry time.Duration }

// StopAll ends the processes of one group after the other, those of a group at
// the same time, and then whatever is left. It leaves out those that were lost.
// Once ctx has ended it is in a hurry. It returns the errors of those that did not
// end well.
func (f *Fleet) StopAll(ctx context.Context, grace Grace, groups ...[]*Process) error {
	var errs []error
	hurry, ended := make(chan struct{}), make(chan struct{})
	var clock sync.WaitGroup
	defer clock.Wait()
	defer close(ended)
	clock.Go(func() {
		select {
		case <-ctx.Done():
			if !within(ended, grace.Hurry, nil) {
				close(hurry)
			}
		case <-ended:
		}
	})
	stop := func(parts []*Process) {
		running := f.Running()
		failed := make([]error, len(parts))
		var stopping sync.WaitGroup
		for i, p := range parts {
			if !slices.Contains(running, p) {
				continue
			}
			f.Retire(p)
			stopping.Go(func() { failed[i] = p.stop(grace.Each, hurry) })
		}
		stopping.Wait()
		errs = append(errs, failed...)
	}
	for _, group := range groups {
		stop(group)
	}
	stop(f.Running())
	return errors.Join(errs...)
}

// Each calls do for every i below n, a few at a time, until one fails, and
// returns that error.
func Each(n, atOnce int, do func(i int) error) error {
	var (
		mu      sync.Mutex
		next    int
		failed  error
		workers sync.WaitGroup
	)
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, failed == nil && next <= n
	}
	for range min(n, atOnce) {
		workers.Go(func() {
			for {
				i, ok := take()
				if !ok {
					return
				}
				if err := do(i); err != nil {
					mu.Lock()
					if failed == nil {
						failed = err
					}
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return failed
}

// Wait waits for d, unless ctx ends first: then it returns its cause.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Hung returns an error that names a running process that used to give samples
// and has given none for limit, as when it is stopped or stuck on a full disk;
// nil if there is none.
func (f *Fleet) Hung(limit time.Duration) error {
	for _, p := range f.Running() {
		if silent := p.Silent(); silent > limit {
			return Hung(p, fmt.Sprintf("has reported nothing for %v: is it stopped, or is its disk full?", silent.Round(time.Second)))
		}
	}
	return nil
}
