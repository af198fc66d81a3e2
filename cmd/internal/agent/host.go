package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/flood"
)

// Host is an agent that works for this process. Its methods are safe for concurrent use.
type Host struct {
	Announcement
	crew *Crew
	link *link

	mu      sync.Mutex
	next    int
	remotes map[int]*remote
	usage   measured      // what its processes used at the last beat
	deep    measured      // at the last one with all of it
	beaten  chan struct{} // closed and replaced by each
	clock   Clock
	lost    error // why it is lost
}

// measured is what processes used, by PID, and when that came.
type measured struct {
	usage map[int32]probe.Usage
	at    time.Time
}

// remote is a process on a host.
type remote struct {
	host   *Host
	number int
	pid    int32 // guarded by the host's mu

	out, errs buffer
	started   chan frame    // has one
	ended     chan struct{} // closed when it has ended
	once      sync.Once
	cpu       time.Duration // set before ended is closed, as err is
	err       error
}

func newHost(c *Crew, a Announcement, session string) *Host {
	h := &Host{Announcement: a, crew: c, remotes: make(map[int]*remote), beaten: make(chan struct{})}
	h.link = &link{
		conn: c.conn, to: c.servers.AgentSubject(downVerb, session), take: h.take, broken: h.lose,
		rhythm: c.rhythm, whom: a.String(),
	}
	return h
}

// String returns the agent's name, and that of its host.
func (h *Host) String() string { return h.Announcement.String() }

// Lost returns why the agent is lost, nil if it is not.
func (h *Host) Lost() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// lose ends all that goes on at the host, as far as is seen from here.
func (h *Host) lose(err error) {
	h.mu.Lock()
	if h.lost == nil {
		h.lost = err
	}
	var left []*remote
	for _, r := range h.remotes {
		left = append(left, r)
	}
	h.mu.Unlock()
	for _, r := range left {
		r.end(0, err)
	}
}

// take takes a frame of the agent's.
func (h *Host) take(f frame) {
	h.mu.Lock()
	r := h.remotes[f.Process]
	if f.Kind == beatFrame {
		h.usage = measured{f.Usage, time.Now()}
		if f.Deep {
			h.deep = h.usage
		}
		close(h.beaten)
		h.beaten = make(chan struct{})
	}
	h.mu.Unlock()
	switch {
	case f.Kind == leaveFrame:
		h.link.fail(fmt.Errorf("%v %s", h, f.Error))
	case r == nil:
	case f.Kind == startedFrame:
		select {
		case r.started <- f:
		default: // it says so once
		}
	case f.Kind == outputFrame:
		_, _ = r.out.Write(f.text) // nobody reads it any more
	case f.Kind == errorsFrame:
		_, _ = r.errs.Write(f.text)
	case f.Kind == endedFrame:
		var err error
		if f.Error != "" {
			err = errors.New(f.Error)
		}
		r.end(f.CPU, err)
	}
}

// startPatience bounds how long a host may take to start a process.
const startPatience = 20 * time.Second

// Start starts a flood on the host, as a process of a fleet that waits to be let go. Its
// Sources must be the host's own.
func (h *Host) Start(ctx context.Context, f *fleet.Fleet, cfg flood.Config, onSample func([]byte)) (*fleet.Process, error) {
	text, err := newOrder(cfg)
	if err != nil {
		return nil, err
	}
	r := &remote{host: h, started: make(chan frame, 1), ended: make(chan struct{})}
	h.mu.Lock()
	if h.lost != nil {
		defer h.mu.Unlock()
		return nil, fmt.Errorf("agent: %w", h.lost)
	}
	h.next++
	r.number = h.next
	h.remotes[r.number] = r
	h.mu.Unlock()
	h.link.sendText(frame{Kind: orderFrame, Process: r.number}, text)
	h.link.send(frame{Kind: startFrame, Process: r.number})
	late := time.NewTimer(startPatience)
	defer late.Stop()
	select {
	case started := <-r.started:
		if started.Error != "" {
			r.forget()
			return nil, fmt.Errorf("agent: %v cannot do it: %s", h, started.Error)
		}
		return f.Attach(fleet.Spec{Name: "flood", OnSample: onSample}, r.peer(started.PID))
	case <-r.ended:
		err = r.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-late.C:
		err = fmt.Errorf("%v did not start a flood within %v", h, startPatience)
	}
	h.link.send(frame{Kind: killFrame, Process: r.number})
	r.forget()
	return nil, fmt.Errorf("agent: %w", err)
}

// Usage returns a reading of a flood that Start has started. Of a host that does not
// answer it is that of the last beat.
func (h *Host) Usage(pid int32) probe.Reading {
	return func(deep bool) (probe.Usage, bool) {
		h.refresh(deep)
		h.mu.Lock()
		defer h.mu.Unlock()
		from := h.usage
		if deep {
			from = h.deep
		}
		u, known := from.usage[pid]
		for _, r := range h.remotes {
			if r.pid == pid {
				u.At = u.At.Add(h.clock.Offset)
				return u, known
			}
		}
		return probe.Usage{}, false
	}
}

// How old a beat may be that stands for now, and how long one that was asked for may
// take. All of the usage takes a host some time, and is asked for where all is at rest.
const (
	freshBeat, freshDeepBeat       = 20 * time.Millisecond, time.Second
	beatPatience, deepBeatPatience = 500 * time.Millisecond, 5 * time.Second
)

// refresh asks for a beat, unless one has come just now, and waits for it.
func (h *Host) refresh(deep bool) {
	fresh, patience := freshBeat, beatPatience
	if deep {
		fresh, patience = freshDeepBeat, deepBeatPatience
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for asked := false; ; asked = true {
		h.mu.Lock()
		came, last, lost := h.beaten, h.usage.at, h.lost
		if deep {
			last = h.deep.at
		}
		h.mu.Unlock()
		if time.Since(last) < fresh || lost != nil {
			return
		}
		if !asked {
			h.link.send(frame{Kind: askFrame, Deep: deep})
		}
		select {
		case <-came:
		case <-late.C:
			return
		}
	}
}

// peer returns the process as a fleet sees it.
func (r *remote) peer(pid int32) fleet.Peer {
	r.host.mu.Lock()
	r.pid = pid
	r.host.mu.Unlock()
	return fleet.Peer{
		Host: r.host.Name, PID: pid, Stdin: &input{r}, Stdout: &r.out, Stderr: &r.errs,
		Wait: func() (time.Duration, error) {
			<-r.ended
			return r.cpu, r.err
		},
		Kill: func() { r.host.link.send(frame{Kind: killFrame, Process: r.number}) },
	}
}

// end notes how the process has ended.
func (r *remote) end(cpu time.Duration, err error) {
	r.once.Do(func() {
		r.cpu, r.err = cpu, err
		close(r.ended)
		_ = r.out.Close()
		_ = r.errs.Close()
		r.forget()
	})
}

// forget lets what the host still says of the process pass.
func (r *remote) forget() {
	r.host.mu.Lock()
	defer r.host.mu.Unlock()
	delete(r.host.remotes, r.number)
}

// input is the standard input of a process on a host.
type input struct{ *remote }

// Write implements [io.Writer].
func (i *input) Write(p []byte) (int, error) {
	select {
	case <-i.ended:
		return 0, io.ErrClosedPipe
	default:
	}
	i.host.link.sendText(frame{Kind: inputFrame, Process: i.number}, p)
	return len(p), nil
}

// Close implements [io.Closer].
func (i *input) Close() error {
	i.host.link.send(frame{Kind: endFrame, Process: i.number})
	return nil
}
