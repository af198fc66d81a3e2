package flags

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/flood/pace"
	"example.org/comet/msggen"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// MsggenCommand is the flags of comet msggen.
type MsggenCommand struct {
	Config     msggen.Config
	Publish    msggen.PublishConfig
	AdminToken Secret
	// TLS is for --to and --publish.
	TLS    tlsclient.Options
	Router Router
	// Servers is how to reach the routers, which Complete works out.
	Servers natsrouter.Servers
	Log     string
	JSON    bool
	Metrics Metrics
	// Feedback lets standard input say, a number per line, how many messages
	// were delivered, and end the run by its end.
	Feedback bool
}

// Bind implements [Command].
func (c *MsggenCommand) Bind(fs *pflag.FlagSet) {
	cfg := &c.Config
	Group(fs, Target, func() {
		URL(fs, &cfg.To, "to", "http://127.0.0.1:8001/send", "`URL` of a comet server's /send")
		c.AdminToken.adminToken(fs, "`file` with the server's admin token, which --metrics demands off loopback as well")
		URL(fs, &c.Publish.URL, "publish", "", "`URL` to send each message to by itself, with {id} in it, instead of --to")
		Publish(fs, &c.Publish, "header", "H", "with --publish: request header `\"Name: value\"`; repeatable")
		Users(fs, &cfg.Users, "CSV `file` with a user per line who get the messages: with --publish, each {column} in URL, headers and body is replaced by theirs")
		Resolve(fs, &c.Publish.Resolve)
		ClientTLS(fs, &c.TLS)
	})
	c.Router.Bind(fs, "`URLs` of the routers, such as nats://a:4222,nats://b:4222, to publish to instead of --to")
	Group(fs, Load, func() {
		// Interval is bound before Rate, which sets it to 0.
		Duration(fs, &cfg.Interval, "interval", "", msggen.DefaultInterval, "time between two messages of a sender", LeastOr(time.Duration(1), "write --rate max to send as fast as possible"))
		fs.VarP(&loadRate{cfg}, "rate", "r", "messages per second of all senders together, or max; instead of --interval")
		Count(fs, &cfg.Count, "count", "", 0, "messages of each sender; 0: unlimited")
		Duration(fs, &cfg.Duration, "duration", "d", 0, "how long to send; 0: unlimited")
	})
	Msggen(fs, cfg, 1)
	Group(fs, Messages, func() {
		fs.BoolVar(&cfg.Events, "events", false, "send events: each message goes from its id to all followers that the server knows of (see comet serve --subscriptions)")
		Count(fs, &cfg.FirstID, "first-id", "", 1, "the lowest id that gets messages", Least(1))
		Count(fs, &cfg.MaxID, "max-id", "", 10_000, "the highest id that gets messages", Least(1))
	})
	Group(fs, Output, func() {
		String(fs, &c.Log, "log", "", "", "append a line each second to this `file`, for comet plot")
		fs.BoolVar(&c.JSON, "json", false, "print JSON lines: a sample each second, and the result")
		bind(fs, &cfg.Run, "run", "", 0, "the `word` that all stamps carry, eight hex digits; 00000000: pick one", grammar[wire.Run]("word"))
		Count(fs, &cfg.Reach, "reach", "", 1, "how many connections each message is for, of which standard input counts the deliveries", Least(1))
		fs.BoolVar(&c.Feedback, "feedback", false, "standard input says, a number per line, how many messages were delivered; its end ends the run")
	})
	c.Metrics.bindAddress(fs)
	hide(fs, "run")
	hide(fs, "reach")
	hide(fs, "feedback")
}

// Msggen adds the flags that comet msggen and comet bench have in common.
func Msggen(fs *pflag.FlagSet, cfg *msggen.Config, senders int) {
	Group(fs, Messages, func() {
		Count(fs, &cfg.Senders, "senders", "", senders, "how many senders the messages come from", Least(1))
		offer(bind(fs, &cfg.Distribution, "distribution", "", msggen.Distribution{Shape: msggen.Uniform}, "who gets a message: uniform, zipf:S, hot:X/Y or sequential (see comet msggen)", grammar[msggen.Distribution]("shape")), "uniform", "zipf", "hot", "sequential")
		offer(bind(fs, &cfg.Arrivals, "arrivals", "", msggen.Arrivals{Shape: msggen.Constant}, "when messages are due: constant, poisson, bursts:N or ramp:T,FROM (see comet msggen)", grammar[msggen.Arrivals]("shape")), "constant", "poisson", "bursts", "ramp:30s")
		bind(fs, &cfg.Size, "size", "", msggen.Size{Shape: msggen.Fixed}, "least length of a message in bytes: N, uniform:A-B or exp:M", grammar[msggen.Size]("shape"))
		fs.Uint64Var(&cfg.Seed, "seed", 0, "`number` that all random numbers come from; 0: pick one")
		Count(fs, &cfg.Window, "window", "", msggen.DefaultWindow, "with --rate max: how many messages may be in flight", Least(1))
	})
}

// PublishOnly returns the flags of [Publish], but for the header's.
func PublishOnly() []string { return slices.Clone(publishFlags) }

var publishFlags = []string{"method", "body", "publish-connections"}

// Publish adds the flags of how messages are published. The header's name is
// another where -H is taken.
func Publish(fs *pflag.FlagSet, cfg *msggen.PublishConfig, header, short, usage string) {
	String(fs, &cfg.Method, "method", "", "POST", "with --publish: the HTTP `method`")
	Lines(fs, &cfg.Header, header, short, usage)
	String(fs, &cfg.Body, "body", "", "", "with --publish: the body, `text` with {message} and {id} in it (default: the message)")
	Count(fs, &cfg.Connections, "publish-connections", "", msggen.DefaultPublishConnections, "with --publish: how many connections, each with one request at a time", Least(1))
}

// loadRate is --rate: it says when messages are due instead of the interval.
type loadRate struct{ cfg *msggen.Config }

func (r *loadRate) Type() string { return "string" }

func (r *loadRate) String() string {
	switch {
	case r.cfg == nil:
		return ""
	case r.cfg.Max:
		return "max"
	case r.cfg.Rate != 0:
		return formatRate(r.cfg.Rate)
	}
	return ""
}

func (r *loadRate) Set(text string) error {
	r.cfg.Interval, r.cfg.Rate, r.cfg.Max = 0, 0, text == "max"
	if r.cfg.Max {
		return nil
	}
	rate, err := ParseRate(text)
	if err == nil {
		_, err = pace.PerSecond(rate)
	}
	r.cfg.Rate = rate
	return err
}

// byFlag are the fields of a [msggen.Config] as its errors name them, and their flags.
var byFlag = strings.NewReplacer(
	"Senders is", "--senders is", "FirstID is", "--first-id is", "above MaxID", "above --max-id", "MaxID is", "--max-id is",
	"Rate is", "--rate is", "Arrivals: ", "--arrivals: ", "which Max is not", "which max is not", "Users: ", "--users: ", "To: ", "--to: ",
)

// ByFlag returns err, of a [msggen.Config], with the names of flags instead of fields.
func ByFlag(err error) error {
	if err == nil {
		return nil
	}
	return named{err}
}

type named struct{ error }

func (n named) Error() string { return byFlag.Replace(n.error.Error()) }

func (n named) Unwrap() error { return n.error }

// Complete reads the secrets and checks the flags against each other. Of
// Config.Sender nothing is set: see c.Publish and c.Router.
func (c *MsggenCommand) Complete(fs *pflag.FlagSet, getenv func(string) string) (err error) {
	if fs.Changed("rate") && fs.Changed("interval") {
		return errors.New("--rate and --interval both say when messages are due: give one of them")
	}
	if err := c.completeUsers(fs); err != nil {
		return err
	}
	others := slices.Concat([]string{"to", "publish", "header", "resolve"}, publishFlags, ClientTLSFlags())
	comet := []string{"to", "events"} // are for a comet server
	if c.Metrics.Address == "" {
		others, comet = append(others, "admin-token-file"), append(comet, "admin-token-file")
	} else if c.Metrics.Token, err = c.AdminToken.Read(getenv); err != nil {
		return err
	}
	if err := c.Router.OnlyRouter(fs, others...); err != nil {
		return err
	}
	switch name := FirstGiven(fs, append(PublishOnly(), "header", "resolve")...); {
	case c.Publish.URL == "" && name != "":
		return fmt.Errorf("--%s is for --publish, which is not given", name)
	case c.Publish.URL != "":
		if name := FirstGiven(fs, comet...); name != "" {
			return fmt.Errorf("--%s is for a comet server, --publish for any other: give one of them", name)
		}
	}
	if c.Servers, err = c.Router.Servers(fs, getenv); err != nil || c.Router.Given() {
		return err
	}
	if c.Publish.URL != "" {
		c.Publish.TLS, err = ClientConfig(fs, c.TLS, "publish", c.Publish.URL)
		return err
	}
	if c.Config.TLS, err = ClientConfig(fs, c.TLS, "to", c.Config.To); err != nil {
		return err
	}
	c.Config.Token, err = c.AdminToken.Read(getenv)
	return err
}

// completeUsers has the messages be for the users.
func (c *MsggenCommand) completeUsers(fs *pflag.FlagSet) error {
	c.Publish.Users = c.Config.Users
	if c.Config.Users == nil || c.Feedback { // bench says which rows get messages
		return nil
	}
	if err := CheckUsers(fs, c.Config.Users, "first-id", "max-id"); err != nil {
		return err
	}
	if !fs.Changed("max-id") {
		c.Config.MaxID = max(c.Config.FirstID, 1) + int64(c.Config.Users.Len()) - 1
	}
	return nil
}
