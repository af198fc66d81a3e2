package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/version"
	"example.org/comet/flood"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/broker"
)

// patience is for what takes no time on a machine with nothing else to do.
const patience = time.Minute

// patient takes no side for lost because the machine is busy, and hasty takes each for
// lost soon.
var (
	patient = rhythm{50 * time.Millisecond, patience}
	hasty   = rhythm{50 * time.Millisecond, time.Second}
)

// startRouter starts one in this process.
func startRouter(t *testing.T) natsrouter.Servers {
	t.Helper()
	r, err := broker.New(broker.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return natsrouter.Servers{URLs: []string{r.URL()}}
}

// startAgent starts one in this process, whose floods play a role. end ends it.
func startAgent(t *testing.T, servers natsrouter.Servers, name, role string) (end func()) {
	t.Helper()
	return startAgentAt(t, servers, name, role, patient)
}

func startAgentAt(t *testing.T, servers natsrouter.Servers, name, role string, r rhythm) (end func()) {
	t.Helper()
	return startAgentOf(t, Config{Servers: servers, Name: name, rhythm: r}, role)
}

func startAgentOf(t *testing.T, cfg Config, role string) (end func()) {
	t.Helper()
	cfg.Executable = os.Args[0]
	cfg.Environ = func() []string { return append(os.Environ(), "TEST_CHILD_OF_AGENT="+role) }
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

// muster calls agents together until they are there: those that have just been started
// may not wait yet, or not again.
func muster(t *testing.T, servers natsrouter.Servers, agents flags.Agents) *Crew {
	t.Helper()
	for begun := time.Now(); ; {
		c, err := Muster(t.Context(), Call{Servers: servers, Agents: agents, rhythm: patient})
		if err == nil {
			t.Cleanup(c.Close)
			return c
		}
		if time.Since(begun) > patience {
			t.Fatal(err)
		}
	}
}

// oneFlood starts a flood on the first host.
func oneFlood(t *testing.T, c *Crew, f *fleet.Fleet) *fleet.Process {
	t.Helper()
	p, err := c.Hosts()[0].Start(t.Context(), f, flood.Config{URL: "http://127.0.0.1:1/{id}", Connections: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Await(t.Context(), "ready", patience, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTheLogOfAnAgent looks for how a process ended, where there is something to say.
func TestTheLogOfAnAgent(t *testing.T) {
	t.Parallel()
	for role, ending := range map[string]string{"echo": `msg="flood ended" pid=%d` + "\n", "dies": `msg="flood ended" pid=%d how="exit status 3"` + "\n"} {
		servers, log := startRouter(t), new(bytes.Buffer) // the agent writes, until it has ended
		end := startAgentOf(t, Config{Servers: servers, Name: "web1", rhythm: patient, Logger: slog.New(slog.NewTextHandler(log, nil))}, role)
		p := oneFlood(t, muster(t, servers, flags.Agents{Count: 1}), new(fleet.Fleet))
		if err := p.Stop(patience); (err != nil) != (role == "dies") {
			t.Errorf("%s: %v", role, err)
		}
		end()
		if want := fmt.Sprintf(ending, p.PID); !strings.Contains(log.String(), want) {
			t.Errorf("%s: it wrote\n%s, want %s", role, log, want)
		}
	}
}

func TestAProcessOnAnotherHost(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	startAgent(t, servers, "web1", "echo")
	f := new(fleet.Fleet)
	c := muster(t, servers, flags.Agents{Names: []string{"web1"}})
	p := oneFlood(t, c, f)
	if p.Host != "web1" || p.PID == 0 || p.String() != fmt.Sprintf("comet flood (pid %d on web1)", p.PID) {
		t.Errorf("%v, %+v", p, p)
	}
	for _, text := range []string{"first", "second"} {
		p.Forget("said")
		if err := p.Tell(text); err != nil {
			t.Error(err)
		}
		var said struct{ Text, More string }
		if err := p.Await(t.Context(), "said", patience, &said); err != nil || said.Text != text || len(said.More) != 300_000 {
			t.Errorf("%q with %d bytes, %v; want what it was told", said.Text, len(said.More), err)
		}
	}
	u, ok := c.Hosts()[0].Usage(p.PID)(false)
	if rss, known := u.RSS.Value(); !ok || !known || rss < 1<<20 || time.Since(u.At).Abs() > patience {
		t.Errorf("it uses %+v, %v", u, ok)
	}
	if err := p.Stop(patience); err != nil {
		t.Error(err)
	}
	if p.CPU() <= 0 {
		t.Errorf("it used %v", p.CPU())
	}
	if err := p.Tell("too late"); err == nil {
		t.Error("a process that has ended is told something")
	}
	if u, ok := c.Hosts()[0].Usage(p.PID)(false); ok {
		t.Errorf("after its end it uses %+v", u)
	}
}

func TestAProcessOnAnotherHostIsLost(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	startAgent(t, servers, "web1", "dies")
	p := oneFlood(t, muster(t, servers, flags.Agents{Count: 1}), new(fleet.Fleet))
	<-p.Done()
	if err := p.Lost(); !strings.Contains(err.Error(), "on web1) ended (exit status 3)") || !strings.Contains(err.Error(), "the last words") {
		t.Errorf("%v, want how it ended, and its last words", err)
	}
	deaf := startRouter(t)
	startAgent(t, deaf, "web2", "is deaf")
	q := oneFlood(t, muster(t, deaf, flags.Agents{Count: 1}), new(fleet.Fleet))
	if err := q.Stop(time.Millisecond); err == nil || !strings.Contains(err.Error(), "and was killed") {
		t.Errorf("%v, want that it was killed", err)
	}
}

// TestAnAgentThatIsLost: its processes are lost with it, and it is named.
func TestAnAgentThatIsLost(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	end := startAgent(t, servers, "web1", "echo")
	c := muster(t, servers, flags.Agents{Count: 1})
	p := oneFlood(t, c, new(fleet.Fleet))
	end() // in order: it says so, after the end of its processes
	<-p.Done()
	for begun := time.Now(); c.Hosts()[0].Lost() == nil && time.Since(begun) < patience; {
		time.Sleep(time.Millisecond)
	}
	if err := c.Hosts()[0].Lost(); err == nil || !strings.Contains(err.Error(), "agent web1") || !strings.Contains(err.Error(), "was told to end") {
		t.Errorf("%v, want that it was told to end", err)
	}
	if _, err := c.Hosts()[0].Start(t.Context(), new(fleet.Fleet), flood.Config{URL: "http://127.0.0.1:1/"}, nil); err == nil {
		t.Error("a flood is started on an agent that is lost")
	}

	// One that says nothing more is named after a while.
	said := make(chan error, 1)
	h := silentHost(t, servers, said)
	if err := <-said; !strings.Contains(err.Error(), "agent web2 has not been heard of for 200ms") || h.Lost() != nil {
		t.Errorf("%v, want its name", err)
	}
}

// silentHost returns a host that never says anything.
func silentHost(t *testing.T, servers natsrouter.Servers, said chan<- error) *Host {
	t.Helper()
	conn, err := servers.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(&Crew{servers: servers, conn: conn, rhythm: rhythm{50 * time.Millisecond, 200 * time.Millisecond}}, Announcement{Name: "web2"}, "session")
	h.link.broken = func(err error) { said <- err }
	if err := h.link.open("nowhere", func() frame { return frame{Kind: beatFrame} }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.link.close()
		conn.Close()
	})
	return h
}

// TestACoordinatorThatIsLost: the agent stops its load, and waits for work again.
func TestACoordinatorThatIsLost(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	startAgentAt(t, servers, "web1", "is deaf", hasty)
	c := muster(t, servers, flags.Agents{Count: 1})
	// A busy machine may have the agent lose patience by now.
	p, err := c.Hosts()[0].Start(t.Context(), new(fleet.Fleet), flood.Config{URL: "http://127.0.0.1:1/{id}", Connections: 1}, nil)
	c.conn.Close() // without a word
	muster(t, servers, flags.Agents{Names: []string{"web1"}})
	if err != nil {
		t.Log(err)
		return
	}
	// It takes work again once its processes have ended.
	if one, err := os.FindProcess(int(p.PID)); err == nil && one.Signal(syscall.Signal(0)) == nil {
		t.Errorf("%v goes on", p)
	}
	c.Close()
	<-p.Done()
}

func TestAnAgentRefuses(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	startAgent(t, servers, "web1", "echo")
	c := muster(t, servers, flags.Agents{Names: []string{"web1"}})
	host, _ := os.Hostname()
	for _, agents := range []flags.Agents{{Names: []string{"web1"}}, {Count: 1}} {
		checkVain(t, Call{Servers: servers, Agents: agents, rhythm: patient}, fmt.Sprintf("is busy with the load of %s (pid %d)", host, os.Getpid()))
	}
	checkVain(t, Call{Servers: servers, Agents: flags.Agents{Names: []string{"web1", "web7"}}, rhythm: patient}, "is busy with the load of")
	// It is also refused by the agent itself, should it have become busy meanwhile.
	var said answer
	ask(t, servers, takeVerb, c.Hosts()[0].Instance, caller{Protocol: Protocol, Name: "another", Session: "x"}, &said)
	if !strings.Contains(said.Error, "busy with the load of") {
		t.Errorf("%+v", said)
	}
	ask(t, servers, takeVerb, c.Hosts()[0].Instance, caller{Protocol: Protocol + 1, Version: "v9.9.9", Name: "another", Session: "x"}, &said)
	want := fmt.Sprintf("another is comet v9.9.9, which speaks protocol %d to load hosts, and this is comet %s, which speaks %d", Protocol+1, version.Get().Version, Protocol)
	if !strings.Contains(said.Error, want) {
		t.Errorf("%q, want both versions", said.Error)
	}
	for _, session := range []string{"", ">", "a.b", "*", "a b"} {
		ask(t, servers, takeVerb, c.Hosts()[0].Instance, caller{Protocol: Protocol, Name: "another", Session: session}, &said)
		if !strings.Contains(said.Error, "a session without a name") {
			t.Errorf("session %q: %q", session, said.Error)
		}
	}
	c.Close()
	if p := oneFlood(t, muster(t, servers, flags.Agents{Count: 1}), new(fleet.Fleet)); p.Stop(patience) != nil {
		t.Error("it does not work again")
	}
}

// checkVain calls for agents in vain, which must say why. A busy machine may have them
// answer only a call that waits longer.
func checkVain(t *testing.T, call Call, why ...string) {
	t.Helper()
	for call.patience = 400 * time.Millisecond; ; call.patience *= 2 {
		c, err := Muster(t.Context(), call)
		c.Close()
		if err != nil && !slices.ContainsFunc(why, func(part string) bool { return !strings.Contains(err.Error(), part) }) {
			return
		}
		if err == nil || call.patience > patience/10 {
			t.Errorf("%+v: %v, want %q", call.Agents, err, why)
			return
		}
	}
}

// ask asks an agent as somebody of another version might.
func ask(t *testing.T, servers natsrouter.Servers, verb, whom string, question, into any) {
	t.Helper()
	conn, err := servers.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	m, err := conn.Request(servers.AgentSubject(verb, whom), text, patience)
	if err == nil {
		err = json.Unmarshal(m.Data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMusterSaysWhoIsMissing(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	servers.SubjectPrefix = "other.msg"
	checkVain(t, Call{Servers: servers, Agents: flags.Agents{Count: 2}}, "no agent answered within", "\n  comet agent --router "+servers.URLs[0]+" --subject-prefix other.msg")
	// One of another protocol answers.
	conn, err := servers.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.Subscribe(servers.AgentSubject(callVerb, everybody), func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"protocol":99,"version":"v9.9.9","name":"old","instance":"i","news":[1,2]}`))
	})
	if err = errors.Join(err, conn.Flush()); err != nil {
		t.Fatal(err)
	}
	for _, agents := range []flags.Agents{{Count: 1}, {Names: []string{"old"}}} {
		checkVain(t, Call{Servers: servers, Agents: agents}, "agent old is comet v9.9.9, which speaks protocol 99", version.Get().Version)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("Ctrl-C")
	cancel(cause)
	if _, err := Muster(ctx, Call{Servers: servers, Agents: flags.Agents{Count: 1}}); !errors.Is(err, cause) {
		t.Errorf("%v, want the cause", err)
	}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	startAgent(t, servers, "web1", "echo")
	c := muster(t, servers, flags.Agents{Count: 1})
	before, err := c.Measure(t.Context())
	if err != nil || before[0].Error <= 0 || before[0].Offset.Abs() > before[0].Error {
		t.Fatalf("%+v, %v; want the same clock, within the error", before, err)
	}
	if off, err := c.ClockError(t.Context(), before); err != nil || off < before[0].Error {
		t.Errorf("%v, %v", off, err)
	}
	// One that went ahead of this one by 3 s since, which is more than any answer may take.
	before[0].Offset += 3 * time.Second
	if off, err := c.ClockError(t.Context(), before); err != nil || off < 2*time.Second {
		t.Errorf("%v, %v; want the drift", off, err)
	}
	if off := (Clock{Offset: 5, Error: 2}).Between(Clock{Offset: -5, Error: 3}); off != 13 {
		t.Errorf("%d, want the drift and the larger error", off)
	}
}
