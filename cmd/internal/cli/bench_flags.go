package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
)

func (o *benchOptions) bind(f *pflag.FlagSet) {
	cfg := &o.Config
	flags.Group(f, flags.Load, func() {
		flags.Count(f, &cfg.Connections, "connections", "c", 10_000, "how many to open", flags.Least(1))
		flags.Counts(f, &cfg.Steps, "steps", "do it for each of these numbers of connections, smallest first: 10k,100k,1M")
		flags.Duration(f, &cfg.Idle, "idle", "", 5*time.Second, "time from the last connect to reading the memory", flags.Least(time.Second))
		f.IntVar(&cfg.Repeat, "repeat", 1, "how many times; the result has the median of each figure")
	})
	o.Target.bind(f)
	flags.Flood(f, &o.Flood)
	flags.Group(f, flags.Messages, func() {
		o.Rate = "1000"
		f.VarP(&o.Rate, "rate", "r", "messages per second, max, or none")
		flags.Duration(f, &cfg.Duration, "duration", "d", time.Minute, "how long to send messages")
	})
	flags.Msggen(f, &o.Msggen, 100)
	flags.Group(f, flags.Server, func() {
		flags.Engine(f, &o.Server.Engine)
		f.IntVar(&o.Server.Loops, "loops", 0, "event loops of the epoll engine; 0: one per core")
		f.BoolVar(&cfg.ApplySysctl, "apply-sysctl", false, "raise the kernel settings that are short, and put them back at the end (Linux, root)")
		o.Network.bind(f)
	})
	flags.Group(f, flags.SeveralHosts, func() {
		f.IntVar(&cfg.Nodes, "nodes", 0, "servers that share the connections, with a router between them and the messages; 0: as few as hold them")
		flags.Enum(f, &o.Interest, "interest", natsrouter.Block, "with several nodes: what they ask of the router: exact, block or all (see comet serve)", natsrouter.Exact, natsrouter.Block, natsrouter.All)
	})
	o.Router.Bind(f, "`URLs` of a router that is there already, instead of one of our own")
	flags.Group(f, flags.Output, func() {
		flags.Duration(f, &cfg.Interval, "interval", "", 0, "time between memory samples; 0: 1s, and more from 17,000 connections on")
		flags.String(f, &cfg.Out, "out", "o", "", "`folder` for the results (default comet-report/<time>-<engine or host>-<N>)")
		f.BoolVar(&o.JSON, "json", false, "print the result as a line of JSON instead of a table")
		f.BoolVar(&cfg.Force, "force", false, "write into --out even if it is not empty")
	})
}

// loadRate is messages per second, max, or none.
type loadRate string

func (r *loadRate) String() string { return string(*r) }
func (r *loadRate) Type() string   { return "string" }

func (r *loadRate) Set(text string) error {
	if text == "max" || text == "none" {
		*r = loadRate(text)
		return nil
	}
	rate, err := flags.ParseRate(text)
	if err != nil {
		return fmt.Errorf("%w, or none", err)
	}
	*r = loadRate(strconv.FormatFloat(rate, 'f', -1, 64))
	return nil
}

// complete checks the flags against each other and gives Config its texts. What
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
	o.texts(f)
	if err := o.Target.complete(env, f, o); err != nil {
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	if _, err := o.Router.Servers(f, env.Getenv); err != nil {
		return err
	}
	cfg.Router = o.Router.Args()
	cfg.Settings = o.settings(f)
	if o.Network.Own && (o.Router.Given() || cfg.Target != nil) {
		return errors.New("--own-network has no way to a router or server that is there already: leave it out, or --router and --url")
	}
	if cfg.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("bench starts copies of this program, whose file cannot be found: %w", err)
	}
	return nil
}

// texts gives Config what is typed here, as the parts' flags have it.
func (o *benchOptions) texts(f *pflag.FlagSet) {
	text := func(name string) string { return f.Lookup(name).Value.String() }
	cfg := &o.Config
	cfg.Engine, cfg.Loops, cfg.Interest = string(o.Server.Engine), o.Server.Loops, string(o.Interest)
	if o.Server.Engine == server.Auto {
		cfg.Engine = string(server.DefaultEngine)
	}
	cfg.ConnectRate, cfg.InFlight, cfg.ConnectTimeout = text("connect-rate"), o.Flood.InFlight, o.Flood.ConnectTimeout
	cfg.Header, cfg.Sources = o.Flood.Header, flags.FormatSources(o.Flood.Sources)
	cfg.Rate, cfg.Senders, cfg.Seed, cfg.Window = string(o.Rate), o.Msggen.Senders, o.Msggen.Seed, o.Msggen.Window
	cfg.Distribution, cfg.Arrivals, cfg.Size = text("distribution"), text("arrivals"), text("size")
}

// validate asks each part whether it can use its settings.
func (o *benchOptions) validate() error {
	cfg := &o.Config
	messages := o.Msggen
	messages.To, messages.MaxID, messages.Duration = "http://127.0.0.1:1/send", int64(cfg.Connections), cfg.Duration
	switch o.Rate {
	case "max":
		messages.Max = true
	case "none":
	default:
		messages.Rate, _ = flags.ParseRate(string(o.Rate)) // was read before
	}
	errs := []error{cfg.Validate(), messages.Validate()}
	if cfg.Target == nil {
		errs = append(errs, o.Server.Validate())
	} else {
		errs = append(errs, checkTarget(cfg.Target))
	}
	return errors.Join(errs...)
}
