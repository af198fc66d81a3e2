package agent

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
)

// session is an agent's work for one coordinator.
type session struct {
	agent *Agent
	who   string
	link  *link
	// orders is what has come of those that are not complete, by the number of their
	// process. Only take touches it.
	orders map[int][]byte

	over chan struct{} // closed when the coordinator is done, or lost
	once sync.Once

	mu      sync.Mutex
	jobs    map[int]*job
	running sync.WaitGroup
}

// job is a process at work.
type job struct {
	input buffer

	mu     sync.Mutex
	peer   *fleet.Peer // nil before it has started
	killed bool
}

func newSession(a *Agent, by caller) *session {
	s := &session{agent: a, who: by.Name, over: make(chan struct{}), jobs: make(map[int]*job), orders: make(map[int][]byte)}
	s.link = &link{
		conn: a.conn, to: a.cfg.Servers.AgentSubject(upVerb, by.Session), take: s.take, rhythm: a.cfg.rhythm,
		whom: by.Name,
		broken: func(err error) {
			a.cfg.Logger.Warn("its load is stopped", "of", by.Name, "error", err)
			s.end()
		},
	}
	return s
}

// end lets serve stop what still goes on.
func (s *session) end() { s.once.Do(func() { close(s.over) }) }

// endPatience is how long a process may take to end, and to say what it measured, when
// the agent ends.
const endPatience = 3 * time.Second

// serve waits for the end of the session, or of ctx, and stops what still goes on.
func (s *session) serve(ctx context.Context) {
	select {
	case <-s.over:
	case <-ctx.Done():
		s.endJobs()
		s.link.send(frame{Kind: leaveFrame, Error: "was told to end"})
	}
	for _, j := range s.all() {
		j.kill()
	}
	s.running.Wait()
	s.link.close()
}

// endJobs lets the processes end in order.
func (s *session) endJobs() {
	for _, j := range s.all() {
		_ = j.input.Close()
	}
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	t := time.NewTimer(endPatience)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		for _, j := range s.all() {
			j.kill()
		}
		<-ended
	}
}

func (s *session) all() (list []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		list = append(list, j)
	}
	return list
}

// mostJobs bounds the processes of a session.
const mostJobs = 1024

// take does what a frame says.
func (s *session) take(f frame) {
	switch f.Kind {
	case orderFrame:
		s.orders[f.Process] = append(s.orders[f.Process], f.text...)
		if len(s.orders[f.Process]) > mostOrder || len(s.orders) > mostJobs {
			s.link.fail(errors.New("it orders more than an agent takes"))
		}
		return
	case startFrame:
		s.begin(f.Process)
		return
	case askFrame:
		s.link.send(s.measure(f.Deep))
		return
	case releaseFrame:
		s.end()
		return
	}
	s.mu.Lock()
	j := s.jobs[f.Process]
	s.mu.Unlock()
	if j == nil {
		return // a beat, or something for a process that has ended
	}
	switch f.Kind {
	case inputFrame:
		_, _ = j.input.Write(f.text) // it may have ended
	case endFrame:
		_ = j.input.Close()
	case killFrame:
		j.kill()
	}
}

// begin starts a process by the order that has come.
func (s *session) begin(number int) {
	text := s.orders[number]
	delete(s.orders, number)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.over:
		return
	default:
	}
	if s.jobs[number] != nil || len(s.jobs) == mostJobs {
		return // who asks waits in vain
	}
	j := new(job)
	s.jobs[number] = j
	s.running.Go(func() {
		s.run(number, j, text)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.jobs, number)
	})
}

// run runs a process to its end.
func (s *session) run(number int, j *job, text []byte) {
	peer, written, err := s.start(text)
	defer written()
	if err != nil {
		s.link.send(frame{Kind: startedFrame, Process: number, Error: err.Error()})
		return
	}
	s.link.send(frame{Kind: startedFrame, Process: number, PID: peer.PID})
	s.agent.cfg.Logger.Info("flood started", "for", s.who, "pid", peer.PID)
	j.started(&peer)
	var relays, feeding sync.WaitGroup
	feeding.Go(func() {
		_, _ = io.Copy(peer.Stdin, &j.input) // it may have ended
		_ = peer.Stdin.Close()
	})
	relays.Go(func() { s.relay(number, outputFrame, peer.Stdout, written) })
	relays.Go(func() { s.relay(number, errorsFrame, peer.Stderr, func() {}) })
	relays.Wait()
	cpu, err := peer.Wait()
	_ = j.input.Close()
	feeding.Wait()
	f := frame{Kind: endedFrame, Process: number, CPU: cpu}
	if err != nil {
		f.Error = err.Error()
	}
	s.link.send(f)
	ended := s.agent.cfg.Logger.With("pid", peer.PID)
	if f.Error != "" {
		ended = ended.With("how", f.Error)
	}
	ended.Info("flood ended")
}

// start starts a process by an order. The caller calls read once the process has read
// the files of its order, or has ended.
func (s *session) start(text []byte) (peer fleet.Peer, read func(), err error) {
	o, err := readOrder(text)
	if err != nil {
		return peer, func() {}, err
	}
	dir, err := os.MkdirTemp("", "comet-agent-")
	if err != nil {
		return peer, func() {}, err
	}
	read = sync.OnceFunc(func() { _ = os.RemoveAll(dir) })
	cmd, err := o.command(dir)
	if err != nil {
		return peer, read, err
	}
	var environ []string
	if s.agent.cfg.Environ != nil {
		environ = s.agent.cfg.Environ()
	}
	open, secret := flags.Conceal(flags.Args(cmd))
	spec := fleet.Spec{Name: "flood", Args: append([]string{"-q"}, open...), Env: secret}
	peer, err = fleet.Start(s.agent.cfg.Executable, environ, spec)
	return peer, read, err
}

// relay passes on what a process says. began is called when it has said something.
func (s *session) relay(number int, kind kind, from io.Reader, began func()) {
	piece := make([]byte, mostText)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			began()
			s.link.send(frame{Kind: kind, Process: number, text: slices.Clone(piece[:n])})
		}
		if err != nil {
			return
		}
	}
}

// started takes the process, which may be unwanted by now.
func (j *job) started(peer *fleet.Peer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.peer = peer; j.killed {
		peer.Kill()
	}
}

// kill ends the process at once.
func (j *job) kill() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.killed = true; j.peer != nil {
		j.peer.Kill()
	}
}

// beat returns the frame of each second.
func (s *session) beat() frame { return s.measure(false) }

// measure returns a beat with what the processes use.
func (s *session) measure(deep bool) frame {
	f := frame{Kind: beatFrame, Deep: deep, Usage: make(map[int32]probe.Usage)}
	s.mu.Lock()
	var pids []int32
	for _, j := range s.jobs {
		j.mu.Lock()
		if j.peer != nil {
			pids = append(pids, j.peer.PID)
		}
		j.mu.Unlock()
	}
	s.mu.Unlock()
	for _, pid := range pids {
		if u, ok := probe.Process(pid)(deep); ok {
			f.Usage[pid] = u
		}
	}
	return f
}
