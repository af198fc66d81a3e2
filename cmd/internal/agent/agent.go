package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/server/natsrouter"
	"example.org/comet/sysctl"
)

// Config says how a host takes work. Executable and the URLs of Servers must be set.
type Config struct {
	// Executable is the comet binary, copies of which do the work.
	Executable string
	// Servers are those of NATS at which it waits.
	Servers natsrouter.Servers
	// Name is what this host is asked for by; "" is the name of the host.
	Name string
	// Environ returns the environment of the processes that do the work; nil stands
	// for this process's own.
	Environ func() []string
	// Logger takes what happens; nil discards it.
	Logger *slog.Logger

	// rhythm is agentRhythm; only tests set another.
	rhythm rhythm
}

// Agent is a host that waits for work.
type Agent struct {
	cfg  Config
	self Announcement
	conn *nats.Conn

	mu      sync.Mutex
	session *session // nil while there is no work
	ended   bool
	working sync.WaitGroup
}

// New returns an agent, which connects to nothing before Run.
func New(cfg Config) (*Agent, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	name := cmp.Or(cfg.Name, host)
	if err := errors.Join(flags.CheckAgentName(name), cfg.Servers.Validate()); err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	if cfg.rhythm == (rhythm{}) {
		cfg.rhythm = agentRhythm
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Servers.Name = "comet agent " + name
	cfg.Servers.Logger = cfg.Logger
	return &Agent{cfg: cfg, self: Announcement{
		Protocol: Protocol, Version: ours(), Name: name, Instance: rand.Text(), Host: host, Cores: runtime.NumCPU(),
	}}, nil
}

// Name returns what the agent is asked for by.
func (a *Agent) Name() string { return a.self.Name }

// Run waits for work and does it, until ctx ends. It then ends its load and tells whom
// it works for. An error means that it could not begin to wait.
func (a *Agent) Run(ctx context.Context) (err error) {
	if a.conn, err = a.cfg.Servers.Connect(ctx, noteErrors(a.cfg.Logger)); err != nil {
		return err
	}
	defer a.conn.Close()
	for _, on := range []struct {
		subject string
		do      nats.MsgHandler
	}{
		{a.cfg.Servers.AgentSubject(callVerb, everybody), a.called},
		{a.cfg.Servers.AgentSubject(takeVerb, a.self.Instance), func(m *nats.Msg) { a.taken(ctx, m) }},
		{a.cfg.Servers.AgentSubject(clockVerb, a.self.Instance), func(m *nats.Msg) {
			_ = m.Respond(strconv.AppendInt(nil, flood.Now().UnixNano(), 10)) // who asks hears nothing then
		}},
	} {
		if _, err := a.conn.Subscribe(on.subject, on.do); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
	}
	if err := a.conn.FlushTimeout(routerPatience); err != nil {
		return fmt.Errorf("agent: the router does not answer: %w", err)
	}
	a.cfg.Logger.Info("waiting for work", "agent", a.self.Name, "router", a.conn.ConnectedUrlRedacted())
	<-ctx.Done()
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.working.Wait()
	_ = a.conn.FlushTimeout(farewell) // the router may be gone
	return nil
}

// farewell bounds the wait for a router that is to pass on the last words.
const farewell = time.Second

// noteErrors logs what nats.go would print.
func noteErrors(log *slog.Logger) nats.Option {
	return nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		log.Warn("the connection to the router", "error", err)
	})
}

// called announces this agent to somebody who calls.
func (a *Agent) called(m *nats.Msg) {
	a.mu.Lock()
	self := a.self
	if a.session != nil {
		self.Busy = a.session.who
	}
	a.mu.Unlock()
	if _, _, err := sysctl.RaiseOpenFiles(); err != nil {
		a.cfg.Logger.Warn("the limit on open files stays as it is", "error", err)
	}
	self.System, _ = sysctl.Read() // what cannot be read is unknown
	self.Addresses = ownAddresses()
	text, err := json.Marshal(self)
	if err == nil {
		err = m.Respond(text)
	}
	if err != nil {
		a.cfg.Logger.Warn("a call could not be answered", "error", err)
	}
}

// ownAddresses returns those of this host's interfaces.
func ownAddresses() (own []netip.Addr) {
	all, _ := net.InterfaceAddrs() // without them no source address is ours
	for _, one := range all {
		if p, err := netip.ParsePrefix(one.String()); err == nil {
			own = append(own, p.Addr().Unmap())
		}
	}
	return own
}

// taken begins to work for somebody, if it works for nobody else.
func (a *Agent) taken(ctx context.Context, m *nats.Msg) {
	var by caller
	err := json.Unmarshal(m.Data, &by)
	switch {
	case err != nil:
		err = fmt.Errorf("agent %s does not understand who asks: %w", a.self.Name, err)
	case by.Protocol != Protocol:
		err = mismatch(by.Name, by.Protocol, by.Version)
	case !isWord(by.Session):
		err = fmt.Errorf("agent %s was asked for a session without a name", a.self.Name)
	default:
		err = a.work(ctx, by)
	}
	var said answer
	if err != nil {
		said.Error = err.Error()
		a.cfg.Logger.Info("refused to work", "for", by.Name, "error", err)
	}
	text, _ := json.Marshal(said) // it always can be
	_ = m.Respond(text)           // who asks hears nothing then
}

// work opens a session.
func (a *Agent) work(ctx context.Context, by caller) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended:
		return fmt.Errorf("agent %s is about to end", a.self.Name)
	case a.session != nil:
		return busy(a.self, a.session.who)
	}
	s := newSession(a, by)
	if err := s.link.open(a.cfg.Servers.AgentSubject(downVerb, by.Session), s.beat); err != nil {
		return err
	}
	a.session = s
	a.cfg.Logger.Info("working", "for", by.Name)
	a.working.Go(func() {
		s.serve(ctx)
		a.mu.Lock()
		a.session = nil
		a.mu.Unlock()
		a.cfg.Logger.Info("waiting for work again")
	})
	return nil
}

// busy returns the error that an agent works for somebody else.
func busy(a Announcement, with string) error {
	return fmt.Errorf("%v is busy with the load of %s: wait until that has ended, or ask for others", a, with)
}
