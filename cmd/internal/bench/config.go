package bench

import (
	"errors"
	"fmt"
	"io"
	"time"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/msggen"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

// Config says what to do. Fields without a stated default must be set.
type Config struct {
	// Executable is the comet binary that the processes run.
	Executable string
	// Connections is how many to open. Engine and Loops say how the server holds
	// them, as `comet serve` names them.
	Connections int
	// Steps does the experiment once for each number of connections, smallest
	// first, instead of for Connections.
	Steps  []int
	Engine server.Engine
	Loops  int
	// Nodes is how many servers share the connections, with a router between
	// them and the generator; 0 is as few as hold them, and no router where one
	// server does. Interest is what they ask of the router, as `comet serve`
	// names it. Router, if it is given, is a router that is there already.
	Nodes    int
	Interest natsrouter.Interest
	Router   flags.Router
	// Target, if not nil, is a server that is not ours, and none is started. What
	// concerns ours must be empty then: Engine, Loops, Nodes and Router.
	Target *Target
	// Streams is what the floods have in common: how they open and speak streams.
	// Its Sources are divided among them; none are addresses of the experiment's own
	// where the server is in 127.0.0.0/8, and else the kernel chooses. Where streams
	// are, how many, and with which ids, is said here and in Target.
	Streams flood.Config
	// Graph, if not nil, has the messages be events: each goes from a publisher to those
	// of its followers who are connected, and those who connect are drawn by Seed. The
	// server is one of ours then, without a router.
	Graph *Graph
	// Agents, if it asks for any, are hosts that run the floods in place of this one, and
	// Rendezvous is where they wait. Of our own servers there is one then, on Listen: an
	// address and port that they reach.
	Agents     flags.Agents
	Rendezvous natsrouter.Servers
	Listen     string
	// TLS has our own servers speak TLS, with a certificate made for the run.
	TLS bool
	// Rate is messages per second; 0 sends none at all.
	Rate pace.Rate
	// Duration is how long the Senders send messages, from Seed (0 picks one).
	// Window bounds what is in flight with Rate [pace.MaxRate]. Distribution, Arrivals and
	// Size are as `comet msggen` takes them.
	Duration     time.Duration
	Senders      int
	Seed         uint64
	Window       int
	Distribution msggen.Distribution
	Arrivals     msggen.Arrivals
	Size         msggen.Size
	// Interval is from one memory sample to the next, 0 a second; then connections are
	// counted as often as suits their number. Idle is from the last connect to when the memory is read.
	Interval time.Duration
	Idle     time.Duration
	// Repeat is how many times to do it all; the result then has medians.
	Repeat int
	// Targets are what each result is held against, with Repeat each run's and the
	// medians.
	Targets result.Targets
	// Out is the folder for the results; "" makes one below comet-report.
	// Unless Force is set it must be empty.
	Out   string
	Force bool
	// ApplySysctl raises the kernel settings that are short, and puts them back
	// at the end.
	ApplySysctl bool
	// AtExit has restore called should the process have to end at once, the last
	// one first, unless forget was called before; nil if nothing ends it so.
	AtExit func(restore func() error) (forget func())
	// Settings goes into the result: the flags by name.
	Settings map[string]any
	// Command is what repeats the experiment, for the report: a program and its
	// arguments, without secrets, each flag and its value in one.
	Command []string
	// OnMoment, if set, is called each second with what was seen since the last one, and
	// the latency of the run so far. It must not keep the run waiting.
	OnMoment func(m result.Moment, soFar result.Quantiles)
	// Progress takes what happens, a line each; with Terminal, one line is
	// redrawn.
	Progress io.Writer
	Terminal bool

	friends *friends      // of Graph, once it is open
	crew    *agent.Crew   // of Agents, once they are called together
	shares  []agent.Share // of the crew's hosts, once there is a plan
}

// mostConnections bounds what a plan is made for: as many ids as msggen counts.
const mostConnections = 1 << 30

// Validate names every field that is wrong, as far as no part would refuse it.
func (c Config) Validate() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("bench: "+format, args...))
		}
	}
	for i, n := range c.Steps {
		bad(n > 0 && (i == 0 || n > c.Steps[i-1]), "step %d has %d connections: give 1 or more, and each step more than the one before", i+1, n)
	}
	steps := c.Steps
	if len(steps) == 0 {
		steps = []int{c.Connections}
	}
	for _, n := range steps {
		err := flood.CheckSubscribers(n, c.subscribers())
		bad(err == nil, "%w", err)
		bad(n <= mostConnections, "%d connections: use up to %d", n, mostConnections)
	}
	bad(c.Connections > 0 || len(c.Steps) > 0, "%d connections: use 1 or more", c.Connections)
	bad(c.Duration > 0 || c.Rate == 0, "messages for %v: give a duration, or --rate none", c.Duration)
	bad(c.Interval >= 0, "a sample every %v: give a positive interval", c.Interval)
	bad(c.Interval <= 0 || c.Interval >= time.Millisecond, "a sample of the memory every %v: use 1ms or more, or 0 for the default", c.Interval)
	bad(c.Nodes >= 0, "%d nodes: use 1 or more", c.Nodes)
	bad(c.Idle >= time.Second, "an idle phase of %v: give 1s or more, for the memory to settle", c.Idle)
	bad(c.Repeat >= 0, "%d repeats: use 1 or more", c.Repeat)
	bad(c.Senders > 0, "%d senders: use 1 or more", c.Senders)
	bad(c.Window > 0, "a window of %d messages: use 1 or more", c.Window)
	bad(c.Target != nil || !c.Streams.Users.HasID(), "the users have ids of their own, which our own server does not draw messages for: name a server that is there already, or leave the column id out")
	if c.Target == nil {
		streams := c.Streams
		streams.URL, streams.Connections = ownURL(&c, "127.0.0.1:1"), max(c.Connections, 1)
		errs = append(errs, streams.Validate())
	}
	errs = append(errs, c.Target.validate(&c), c.Graph.validate(&c), c.checkAgents())
	return errors.Join(errs...)
}

// subscribers returns how many connections each id has.
func (c *Config) subscribers() int { return max(c.Streams.Subscribers, 1) }

// rooms returns how many ids the connections have.
func (c *Config) rooms() int { return c.Connections / c.subscribers() }

// generator returns the settings of the generator, but for the ids, the run and
// where messages go.
func (c *Config) generator() msggen.Config {
	g := msggen.Config{
		Senders: c.Senders, Window: c.Window, Duration: c.Duration, Seed: c.Seed,
		Distribution: c.Distribution, Arrivals: c.Arrivals, Size: c.Size,
	}
	if g.Max = c.Rate.Unpaced(); !g.Max {
		g.Rate = float64(c.Rate)
	}
	return g
}
