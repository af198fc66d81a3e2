package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood/pace"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

// bind adds the flags of bench, in the order of its help.
func (o *benchOptions) bind(f *pflag.FlagSet) {
	cfg := &o.Config
	flags.Group(f, flags.Load, func() {
		flags.Count(f, &cfg.Connections, "connections", "c", 10_000, "how many to open", flags.Least(1))
		flags.Counts(f, &cfg.Steps, "steps", "do it for each of these numbers of connections, smallest first: 10k,100k,1M")
		flags.Duration(f, &cfg.Idle, "idle", "", 5*time.Second, "time from the last connect to reading the memory", flags.Least(time.Second))
		f.IntVar(&cfg.Repeat, "repeat", 1, "how many times; the result has the median of each figure")
	})
	o.bindExperiment(f, "messages per second, max, or none")
	flags.Group(f, flags.Messages, func() {
		flags.Duration(f, &cfg.Duration, "duration", "d", time.Minute, "how long to send messages")
	})
	flags.Group(f, flags.Server, func() {
		f.BoolVar(&cfg.ApplySysctl, "apply-sysctl", false, "raise the kernel settings that are short, and put them back at the end (Linux, root)")
		o.Network.bind(f)
	})
	flags.Group(f, flags.Output, func() { f.BoolVar(&o.JSON, "json", false, "print the result as a line of JSON instead of a table") })
}

// bindExperiment adds the flags that bench and capacity have in common: where the
// server is, and how it is loaded.
func (o *benchOptions) bindExperiment(f *pflag.FlagSet, rate string) {
	cfg := &o.Config
	o.Targets.bind(f)
	o.Target.bind(f)
	flags.Flood(f, &cfg.Streams)
	flags.Group(f, flags.Messages, func() {
		cfg.Rate = 1000
		f.VarP(&loadRate{&cfg.Rate}, "rate", "r", rate)
	})
	flags.Msggen(f, &o.Msggen, 100)
	flags.Group(f, flags.Server, func() {
		flags.Engine(f, &cfg.Engine)
		f.IntVar(&cfg.Loops, "loops", 0, "event loops of the epoll engine; 0: one per core")
		f.BoolVar(&cfg.TLS, "tls", false, "have the server speak TLS, with a certificate made for the run")
		flags.String(f, &o.Subscriptions, "subscriptions", "", "", "send events to followers, by a `FILE` of who follows whom or a graph that is made: generate:users=100k,mean=50,exponent=2.5")
	})
	flags.Group(f, flags.SeveralHosts, func() {
		f.IntVar(&cfg.Nodes, "nodes", 0, "servers that share the connections, with a router between them and the messages; 0: as few as hold them")
		flags.Enum(f, &cfg.Interest, "interest", natsrouter.Block, "with several nodes: what they ask of the router: exact, block or all (see comet serve)", natsrouter.Exact, natsrouter.Block, natsrouter.All)
	})
	cfg.Agents.Bind(f)
	flags.Group(f, flags.SeveralHosts, func() {
		flags.String(f, &cfg.Listen, "listen", "", "", "with --agents: the `address` of our own server that they reach, such as 10.0.0.5:8000")
	})
	cfg.Router.Bind(f, "`URLs` of a router that is there already, instead of one of our own; with --agents: where they wait")
	flags.Group(f, flags.Output, func() {
		flags.Duration(f, &cfg.Interval, "interval", "", 0, "time between memory samples; 0: 1s, with connections counted less often from 17,000 on")
		flags.String(f, &cfg.Out, "out", "o", "", "`folder` for the results (default comet-report/<time>-<engine or host>-<N>)")
		f.BoolVar(&cfg.Force, "force", false, "write into --out even if it is not empty")
		o.Metrics.Bind(f)
	})
}

// loadRate is messages per second, max, or none.
type loadRate struct{ rate *pace.Rate }

func (r *loadRate) Type() string { return "string" }

func (r *loadRate) String() string {
	if r.rate == nil || *r.rate == 0 {
		return "none"
	}
	return r.rate.String()
}

func (r *loadRate) Set(text string) error {
	if text == "none" {
		*r.rate = 0
		return nil
	}
	if err := r.rate.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%w, or none", err)
	}
	return nil
}

// complete checks the flags against each other and gathers what the parts say. What
// the parts would refuse later is refused before anything starts.
func (o *benchOptions) complete(env *Env, f *pflag.FlagSet) (err error) {
	cfg := &o.Config
	if len(cfg.Steps) > 0 {
		if f.Changed("connections") {
			return errors.New("--connections and --steps exclude each other: give all numbers to --steps")
		}
		cfg.Connections = cfg.Steps[0]
	}
	if cfg.Repeat < 1 {
		return fmt.Errorf("--repeat %d: use 1 or more", cfg.Repeat)
	}
	o.gather()
	if o.Subscriptions != "" {
		if cfg.Graph, err = bench.ParseGraph(o.Subscriptions); err != nil {
			return fmt.Errorf("--subscriptions %w", err)
		}
	}
	if err := o.Target.complete(env, f, o); err != nil {
		return err
	}
	servers, err := cfg.Agents.Rendezvous(f, &cfg.Router, env.Getenv)
	if err != nil {
		return err
	}
	if err := o.Metrics.Complete(env.Getenv); err != nil {
		return err
	}
	if o.Metrics.Address != "" && (o.Network.Own || o.Network.inside) {
		return errors.New("--own-network has no way to it from outside, so that nobody could watch it by --metrics: leave one of them out")
	}
	cfg.Settings, cfg.Command, cfg.Targets = o.settings(f), o.command(f), o.Targets.all()
	if cfg.Agents.Given() {
		cfg.Rendezvous, cfg.Router = servers, flags.Router{}
	}
	if err := o.validate(); err != nil {
		return err
	}
	if o.Network.Own && (cfg.Router.Given() || cfg.Agents.Given() || cfg.Target != nil) {
		return errors.New("--own-network has no way to a router, agents or a server that are there already: leave it out, or --router, --agents and --url")
	}
	if cfg.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("bench starts copies of this program, whose file cannot be found: %w", err)
	}
	return nil
}

// gather gives Config what the parts' own flags say.
func (o *benchOptions) gather() {
	cfg := &o.Config
	if cfg.Engine == server.Auto {
		cfg.Engine = server.DefaultEngine
	}
	cfg.Senders, cfg.Seed, cfg.Window = o.Msggen.Senders, o.Msggen.Seed, o.Msggen.Window
	cfg.Distribution, cfg.Arrivals, cfg.Size = o.Msggen.Distribution, o.Msggen.Arrivals, o.Msggen.Size
}

// validate asks each part whether it can use its settings.
func (o *benchOptions) validate() error {
	cfg := &o.Config
	messages := o.Msggen
	messages.To, messages.MaxID, messages.Duration = "http://127.0.0.1:1/send", 1, cfg.Duration
	if messages.Max = cfg.Rate.Unpaced(); !messages.Max {
		messages.Rate = float64(cfg.Rate)
	}
	errs := []error{cfg.Validate(), flags.ByFlag(messages.Validate())}
	if cfg.Target == nil {
		errs = append(errs, server.Config{Engine: cfg.Engine, Loops: cfg.Loops}.Validate())
	} else {
		errs = append(errs, checkTarget(cfg.Target))
	}
	return errors.Join(errs...)
}
