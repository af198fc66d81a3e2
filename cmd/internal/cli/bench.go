package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/msggen"
	"example.org/comet/server"
)

func newBench(env *Env) *cobra.Command {
	var (
		cfg      = bench.Config{}
		conns    = count(10_000)
		steps    counts
		inFlight = count(512)
		senders  = count(100)
		window   = count(50_000)
		length   = duration(time.Minute)
		interval duration
		router   routerFlags
		network  ownNetwork
		target   benchTarget
		idle     = duration(5 * time.Second)
		asJSON   bool

		distribution = newShaped("uniform", parseDistribution)
		arrivals     = newShaped("constant", parseArrivals)
		size         = newShaped("0", parseMessageSize)
	)
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "The whole experiment: server, flood, messages, memory log, picture, report",
		Long: `bench repeats the article's experiment on this machine, with real processes of
this binary on loopback addresses of their own:

  start      the server, warmed up
  connect    the flood opens every connection
  idle       5 s later the memory is read: what does a connection cost?
  messages   random messages to random users, at a rate or as fast as can be
  drain      until 2 s after the last arrival

More connections than one process may have open files make several pairs of
server and flood, as few as hold them, with a router between the servers and the
messages; --nodes asks for a number of them. Of several, one that is lost does
not end the run.

It leaves a folder: result.json, report.html, mem.png, mem.log, flood.log, and
bench.txt for benchstat. comet-report/latest is the newest.

--url measures a server that is there already, of any kind, and starts none. It
is warmed up as ours is, by 200 connections that come and go. Say who sees what
it uses: --pid or --match on this machine, or --server-log, a memory log that
comet memlog writes on its own host meanwhile; without them memory and CPU stay
unknown. Messages are sent one request each to --publish; without it there are
none. What such a server does not tell is null: routed, dropped, unaddressed.
Messages count as missing where each was for one connection and all have stayed.
If the server's process ends, the run does, with what was measured until then.

What flood and msggen have flags for has the same ones here. Where both have it,
-H or --header is for the streams' requests and --publish-header for the
messages', --duration is the messages'; --interval is between memory samples.

Latency counts from when a message was due. What was not measured is null. If
the generator was the bottleneck, limited_by says so.

--steps does it all for one number of connections after the other, each in a
folder of its own, and leaves above them scale.png, scale.txt, scale.json and
report.html: what a connection and a message cost, against the number of
connections. A step that fails ends the series with what there is.

--apply-sysctl raises the kernel settings that are short of the connections, and
puts them back at the end, also after a failure or Ctrl-C. It needs root. While
they are changed, sysctl-before.conf in the folder holds what they were. Without
it bench only says what is short, and refuses what cannot work.

--own-network runs it all in a network namespace of its own (root): ports and
counters are nobody else's, and the kernel's table of connections has a bucket
for each. The machine's own has some 262,144, and of a million connections,
with both ends here, every packet then walks past others to find its own.

Ctrl-C ends all parts and leaves what was measured, marked as interrupted.`,
		Example: `  comet bench
  comet bench -c 15k --rate max -d 30s --repeat 3
  comet bench -c 10k --engine goroutine       # the article's "before"
  comet bench -c 10k -d 1d --interval 60s     # the article's 24 hours
  comet bench -c 15k --nodes 2
  comet bench -c 1M
  comet bench --steps 1k,5k,10k,15k           # what grows with the connections?
  comet bench --url 'http://127.0.0.1/sub/{id}' -H 'TE: chunked' \
    --publish 'http://127.0.0.1/pub/{id}' --match 'nginx: master'
  ssh web1 comet memlog --match 'nginx: master' --interval 1s --listen 80 -o - |
    comet bench --url 'http://web1/sub/{id}' --publish 'http://web1/pub/{id}' --server-log -`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Connections, cfg.InFlight, cfg.Senders = int(conns), int(inFlight), int(senders)
			if len(steps) > 0 {
				if cmd.Flags().Changed("connections") {
					return usagef("--connections and --steps exclude each other: give all numbers to --steps")
				}
				cfg.Steps, cfg.Connections = steps.ints(), int(steps[0])
			}
			cfg.Distribution, cfg.Arrivals, cfg.Size = distribution.text, arrivals.text, size.text
			cfg.Window = int(window)
			cfg.Duration, cfg.Interval, cfg.Idle = time.Duration(length), time.Duration(interval), time.Duration(idle)
			cfg.Progress, cfg.Terminal = env.Stderr, env.Terminal
			if env.verbosity < 0 {
				cfg.Progress, cfg.Terminal = io.Discard, false
			}
			if err := target.read(env, cmd.Flags(), &cfg); err != nil {
				return err
			}
			if err := checkBench(&cfg, msggen.Config{
				Distribution: distribution.value, Arrivals: arrivals.value, Size: size.value,
			}); err != nil {
				return err
			}
			if _, err := router.read(env, cmd.Flags()); err != nil {
				return err
			}
			cfg.Router = router.args()
			cfg.Settings = settings(cmd.Flags())
			target.dropSettings(cmd.Flags(), cfg.Settings)
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("bench starts copies of this program, whose file cannot be found: %w", err)
			}
			cfg.Executable = executable
			if network.own {
				if router.given() || cfg.Target != nil {
					return usagef("--own-network has no way to a router or server that is there already: leave it out, or --router and --url")
				}
				return network.again(cmd, env, executable, max(cfg.Connections, slices.Max(append(cfg.Steps, 0))))
			}
			ctx, err := network.enter(cmd.Context(), env)
			if err != nil {
				return err
			}
			return runBench(ctx, env, cfg, asJSON)
		},
	}
	f := cmd.Flags()
	f.VarP(&conns, "connections", "c", "how many to open")
	f.Var(&steps, "steps", "do it for each of these numbers of connections, smallest first: 10k,100k,1M")
	f.StringVarP(&cfg.Rate, "rate", "r", "1000", "messages a second, max, or none")
	f.VarP(&length, "duration", "d", "how long to send messages")
	f.StringVar(&cfg.ConnectRate, "connect-rate", "max", "connections a second, or max")
	f.Var(&inFlight, "in-flight", "the most connections that wait for their first byte")
	f.Var(&senders, "senders", "how many the messages come from")
	f.Var(&distribution, "distribution", "who gets a message: uniform, zipf:S, hot:X/Y or sequential (see comet msggen)")
	f.Var(&arrivals, "arrivals", "when messages are due: constant, poisson, bursts:N or ramp:T (see comet msggen)")
	f.Var(&size, "size", "least length of a message in bytes: N, uniform:A-B or exp:M")
	f.Uint64Var(&cfg.Seed, "seed", 0, "`number` that all random numbers come from; 0 picks one")
	f.Var(&window, "window", "with --rate max: how many messages may be on their way")
	f.StringVar(&cfg.Engine, "engine", "auto", "how the server holds connections: epoll, goroutine or auto")
	f.IntVar(&cfg.Loops, "loops", 0, "event loops of the epoll engine; 0 is one per core")
	f.IntVar(&cfg.Nodes, "nodes", 0, "servers that share the connections, with a router between them and the messages; 0 is as few as hold them")
	f.StringVar(&cfg.Interest, "interest", "block", "with several nodes: what they ask of the router: exact, block or all (see comet serve)")
	router.add(f, "`URLs` of a router that is there already, instead of one of our own")
	target.add(f)
	f.Var(&interval, "interval", "time between memory samples; 0 is 1s, and more from 17,000 connections on")
	f.Var(&idle, "idle", "time from the last connect to reading the memory")
	f.IntVar(&cfg.Repeat, "repeat", 1, "how many times; the result has the median of each figure")
	f.BoolVar(&cfg.ApplySysctl, "apply-sysctl", false, "raise the kernel settings that are short, and put them back at the end (Linux, root)")
	f.StringVarP(&cfg.Out, "out", "o", "", "`folder` for the results (default comet-report/<time>-<engine or host>-<N>)")
	network.add(f)
	f.BoolVar(&asJSON, "json", false, "print the result as a line of JSON instead of a table")
	f.BoolVar(&cfg.Force, "force", false, "write into --out even if it is not empty")
	return cmd
}

// checkBench refuses what the parts would refuse later, before anything starts.
func checkBench(cfg *bench.Config, messages msggen.Config) error {
	own := server.Config{}
	if cfg.Target == nil {
		if cfg.Engine == "auto" {
			cfg.Engine = string(server.DefaultEngine)
		}
		if cfg.Engine != "epoll" && cfg.Engine != "goroutine" {
			return usagef("--engine %q: use epoll, goroutine or auto", cfg.Engine)
		}
		own = server.Config{Engine: server.Engine(cfg.Engine), Loops: cfg.Loops}
	} else if err := checkTarget(cfg); err != nil {
		return err
	}
	if !slices.Contains([]string{"exact", "block", "all"}, cfg.Interest) {
		return usagef("--interest %q: use exact, block or all", cfg.Interest)
	}
	var connect rateValue
	if err := connect.Set(cfg.ConnectRate); err != nil {
		return usagef("--connect-rate: %w", err)
	}
	messages.To, messages.Senders, messages.Window = "http://127.0.0.1:1/send", cfg.Senders, cfg.Window
	messages.MaxID, messages.Duration = int64(cfg.Connections), cfg.Duration
	switch cfg.Rate {
	case "max":
		messages.Max = true
	case "none":
	default:
		rate, err := parseRate(cfg.Rate)
		if err != nil {
			return usagef("--rate: %w, or none", err)
		}
		messages.Rate = rate
		cfg.Rate = strconv.FormatFloat(rate, 'f', -1, 64)
	}
	if err := errors.Join(
		cfg.Validate(),
		messages.Validate(),
		own.Validate(),
	); err != nil {
		return usageError{err}
	}
	return nil
}

// settings are the flags by name, as they stand in the result.
func settings(f *pflag.FlagSet) map[string]any {
	m := make(map[string]any)
	f.VisitAll(func(flag *pflag.Flag) {
		switch v := flag.Value.(type) {
		case *count:
			m[flag.Name] = int64(*v)
		case *counts:
			if len(*v) > 0 {
				m[flag.Name] = v.String()
			}
		default:
			m[flag.Name] = flag.Value.String()
		}
	})
	if m["inside-own-network"] == "true" {
		m["own-network"] = "true"
	}
	for _, not := range []string{"help", "quiet", "verbose", "force", "out", "json", "inside-own-network"} {
		delete(m, not)
	}
	return m
}

func runBench(ctx context.Context, env *Env, cfg bench.Config, asJSON bool) error {
	outcome, err := bench.Run(ctx, cfg)
	if outcome == nil {
		if err != nil {
			return usageError{err} // nothing was started
		}
		return nil
	}
	var shown interface{ Table(w io.Writer) error } = outcome.Result
	picture, figures := "mem.png", result.FileName
	if outcome.Scale != nil {
		shown, picture, figures = outcome.Scale, "scale.png", result.ScaleFileName
	}
	show := shown.Table
	if asJSON {
		show = func(w io.Writer) error { return jsonLine(w, "result", shown) }
	}
	if showErr := show(env.Stdout); err == nil {
		err = showErr
	}
	for _, made := range []struct{ what, file string }{{"report", "report.html"}, {"picture", picture}, {"figures", figures}} {
		path := filepath.Join(outcome.Folder, made.file)
		if _, statErr := os.Stat(path); statErr == nil {
			fmt.Fprintf(cfg.Progress, "%-8s %s\n", made.what, path)
		}
	}
	return planned(ctx, err)
}
