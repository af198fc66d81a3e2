package cli

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/msggen"
	"example.org/comet/server/natsrouter"
)

func newMsggen(env *Env) *cobra.Command {
	var (
		cfg       msggen.Config
		tokenFile string
		rate      string
		asJSON    bool
		feedback  bool
		perSender count
		interval  = duration(msggen.DefaultInterval)
		senders   = count(1)
		firstID   = count(1)
		maxID     = count(10_000)
		window    = count(msggen.DefaultWindow)
		length    duration
		logFile   string
		publish   msggen.PublishConfig
		pubConns  = count(msggen.DefaultPublishConnections)
		routers   routerFlags

		distribution = newShaped("uniform", parseDistribution)
		arrivals     = newShaped("constant", parseArrivals)
		size         = newShaped("0", parseMessageSize)
	)
	cmd := &cobra.Command{
		Use:   "msggen",
		Short: "Send random messages to random users",
		Long: `msggen sends messages to a comet server's admin listener, or with --publish to
any HTTP server, each to an id drawn at random, when it is due, whatever the
server does: what is sent late counts as late, and what cannot be sent while the
server is away counts as refused.

Each sender sends one message every --interval; or all of them together send
--rate a second, or as fast as the --window allows. The senders' random numbers
all come from one --seed, which is printed: the same seed, the same ids.

Who gets a message (--distribution):
  uniform       each id is as likely as any other
  zipf:S        the k-th likeliest id in proportion to 1/k^S, any S above 0 [1]
  hot:X/Y       X % of the messages go to Y % of the ids [90/10]
  sequential    one id after the other
When they are due (--arrivals), at the rate that is given:
  constant      evenly spread
  poisson       independent of each other, as of many users
  bursts:N      N at once [100]
  ramp:T,FROM   the rate grows from FROM a second [0] within T, and stays
How long they are (--size), in bytes, but never shorter than their text:
  N             all the same
  uniform:A-B   from A to B, each as likely
  exp:M         exponential: M on average, most shorter, a few much longer

Each message carries a stamp, by which comet flood tells what is late, missing,
duplicated or reordered.

--publish sends each message as a request of its own. {id} in the URL, in
headers and in the body stands for the id, {message} for the text. What 2xx
answers is sent, all else is refused. Each id keeps to one connection, which
keeps its messages in order.

--router publishes each message to the routers, or to any NATS servers, from
where it goes to the nodes that hold the id. What a router has taken is sent; to
whom it went from there is not known here. A router that is lost is replaced by
any other of its cluster, also one that only the cluster told of; what the lost
one took last, and did not confirm, is unknown.`,
		Example: `  comet msggen --count 20 --interval 10ms --max-id 5
  comet msggen --count 1M --interval 100ms --max-id 10k --senders 100
  comet msggen --rate 5k --max-id 10k -d 60s --size exp:300 --arrivals poisson
  comet msggen --rate max --max-id 10k -d 10s --distribution zipf:0.9
  comet msggen --router nats://127.0.0.1:4222 --rate 1k --max-id 10k -d 60s
  comet msggen --publish 'http://127.0.0.1/pub?id={id}' --rate 1k --max-id 10k -d 60s
  comet msggen --publish http://127.0.0.1:8000/api/publish -H 'X-API-Key: secret' \
    -H 'Content-Type: application/json' --body '{"channel":"{id}","data":"{message}"}'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sender, err := senderFlags(env, publish, pubConns, &routers, cmd.Flags())
			if err != nil {
				return err
			}
			if sender != nil {
				cfg.Sender, cfg.To = sender, ""
			} else if cfg.Token, err = adminToken(env, tokenFile); err != nil {
				return err
			}
			if err := paceFlags(&cfg, rate, time.Duration(interval), cmd.Flags().Changed("interval")); err != nil {
				return err
			}
			cfg.Senders = int(senders)
			cfg.FirstID, cfg.MaxID = int64(firstID), int64(maxID)
			cfg.Window = int(window)
			cfg.Distribution, cfg.Arrivals, cfg.Size = distribution.value, arrivals.value, size.value
			cfg.Count = uint64(perSender)
			cfg.Duration = time.Duration(length)
			cfg.Logger = env.Logger()

			ctx := cmd.Context()
			if feedback {
				ctx, cfg.Delivered = readFeedback(ctx, env.Stdin)
			}
			generator, err := msggen.New(cfg)
			if err != nil {
				return usageError{err}
			}
			out, err := newMsggenOutput(env, generator, asJSON, logFile)
			if err != nil {
				return err
			}
			defer out.close()
			out.planned = cfg.Count > 0 || cfg.Duration > 0
			err = out.generate(ctx)
			if out.planned {
				err = planned(ctx, err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.To, "to", "http://127.0.0.1:8001/send", "`URL` of a comet server's /send")
	f.StringVar(&tokenFile, "admin-token-file", "", "`file` with the server's admin token (or COMET_ADMIN_TOKEN)")
	f.Var(&perSender, "count", "messages of each sender; 0 is no end")
	f.Var(&interval, "interval", "time between two messages of a sender")
	f.StringVarP(&rate, "rate", "r", "", "messages a second of all senders together, or max; instead of --interval")
	f.Var(&senders, "senders", "how many the messages come from")
	f.Var(&firstID, "first-id", "the lowest id that gets messages")
	f.Var(&maxID, "max-id", "the highest id that gets messages")
	f.Var(&distribution, "distribution", "who gets a message: uniform, zipf:S, hot:X/Y or sequential")
	f.Var(&arrivals, "arrivals", "when messages are due: constant, poisson, bursts:N or ramp:T,FROM")
	f.Var(&size, "size", "least length in bytes: N, uniform:A-B or exp:M")
	f.Uint64Var(&cfg.Seed, "seed", 0, "`number` that all random numbers come from; 0 picks one")
	f.VarP(&length, "duration", "d", "how long to send; 0 is no end")
	f.Var(&window, "window", "with --rate max: how many messages may be on their way")
	routers.add(f, "`URL`s of the routers, such as nats://a:4222,nats://b:4222, to publish to instead of --to")
	f.StringVar(&publish.URL, "publish", "", "`URL` to send each message to by itself, with {id} in it, instead of --to")
	f.StringVar(&publish.Method, "method", "POST", "with --publish: the HTTP `method`")
	f.StringArrayVarP(&publish.Header, "header", "H", nil, "with --publish: request header `\"Name: value\"`; repeatable")
	f.StringVar(&publish.Body, "body", "", "with --publish: the body, `text` with {message} and {id} in it (default: the message)")
	f.Var(&pubConns, "publish-connections", "with --publish: how many connections, each with one request at a time")
	f.StringVar(&logFile, "log", "", "append a line each second to this `file`, for comet plot")
	f.BoolVar(&asJSON, "json", false, "print JSON lines: a sample each second, and the result")
	f.TextVar(&cfg.Run, "run", cfg.Run, "the `word` that all stamps carry, eight hex digits; 00000000 picks one")
	_ = f.MarkHidden("run") // for bench, as feedback is
	f.BoolVar(&feedback, "feedback", false, "standard input says, a number a line, how many messages were delivered; its end ends the run")
	_ = f.MarkHidden("feedback") // for bench; fails only for a name that is no flag
	return cmd
}

// paceFlags sets what says when a message is due, from --rate or --interval.
func paceFlags(cfg *msggen.Config, rate string, interval time.Duration, intervalGiven bool) error {
	switch {
	case rate != "" && intervalGiven:
		return usagef("--rate and --interval both say when messages are due: give one of them")
	case rate == "":
		if interval == 0 {
			return usagef("--interval 0 is no pace: write --rate max to send as fast as possible")
		}
		cfg.Interval = interval
		return nil
	case rate == "max":
		cfg.Max = true
		return nil
	}
	perSecond, err := parseRate(rate)
	if err != nil {
		return usagef("--rate: %w", err)
	}
	cfg.Rate = perSecond
	return nil
}

// readFeedback reads from r how many messages were delivered so far, the last
// line counts, and ends the context when r ends. Its goroutine lasts until
// then, as reading standard input cannot be cut short.
func readFeedback(ctx context.Context, r io.Reader) (context.Context, func() uint64) {
	ctx, cancel := context.WithCancel(ctx)
	var delivered atomic.Uint64
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if n, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err == nil {
				delivered.Store(n)
			}
		}
	}()
	return ctx, delivered.Load
}

// senderFlags makes the sender for --publish or --router, nil without them.
func senderFlags(env *Env, publish msggen.PublishConfig, connections count, routers *routerFlags, flags *pflag.FlagSet) (msggen.Sender, error) {
	servers, err := routers.read(env, flags)
	if err != nil {
		return nil, err
	}
	if !routers.given() {
		return publishFlags(publish, connections, flags)
	}
	if err := onlyRouter(flags, "to", "admin-token-file", "publish", "method", "header", "body", "publish-connections"); err != nil {
		return nil, err
	}
	servers.Name = "comet msggen"
	sender, err := natsrouter.NewSender(servers)
	if err != nil {
		return nil, usageError{err}
	}
	return sender, nil
}

// onlyRouter refuses the flags of another way to send beside --router.
func onlyRouter(flags *pflag.FlagSet, others ...string) error {
	for _, name := range others {
		if flags.Changed(name) {
			return usagef("--router sends through the routers, and --%s is for sending without them: give one of the two", name)
		}
	}
	return nil
}

// publishFlags makes the sender for --publish, nil without it.
func publishFlags(config msggen.PublishConfig, connections count, flags *pflag.FlagSet) (msggen.Sender, error) {
	if !flags.Changed("publish") {
		for _, name := range []string{"method", "header", "body", "publish-connections"} {
			if flags.Changed(name) {
				return nil, usagef("--%s is for --publish, which is not given", name)
			}
		}
		return nil, nil
	}
	for _, name := range []string{"to", "admin-token-file"} {
		if flags.Changed(name) {
			return nil, usagef("--%s is for a comet server, --publish for any other: give one of them", name)
		}
	}
	if connections == 0 {
		return nil, usagef("--publish-connections 0 is none: write 1 or more")
	}
	config.Connections = int(connections)
	sender, err := msggen.NewPublishSender(config)
	if err != nil {
		return nil, usageError{err}
	}
	return sender, nil
}
