package flags

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/flood"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/wire"
)

// FloodCommand is the flags of comet flood.
type FloodCommand struct {
	Config flood.Config
	// URLFile has a URL per line; "-" is standard input.
	URLFile string
	// Log is the file that a line per second is appended to.
	Log     string
	JSON    bool
	Metrics Metrics
	// Agents open the connections instead of this host, and wait at Router.
	Agents Agents
	Router Router
	// Rendezvous is Router with its secrets read.
	Rendezvous natsrouter.Servers
	// Attended lets a line on standard input start the run, and its end stop it.
	Attended bool
}

// Bind implements [Command].
func (c *FloodCommand) Bind(fs *pflag.FlagSet) {
	Group(fs, Target, func() {
		URL(fs, &c.Config.URL, "url", "", "the `URL` of a stream; {id} in it is replaced by an id")
		String(fs, &c.URLFile, "urls", "", "", "`file` with a URL per line, one connection each; - is standard input")
	})
	Flood(fs, &c.Config)
	Group(fs, Load, func() {
		Count(fs, &c.Config.Connections, "connections", "c", 0, "how many to open (default: --subscribers per URL or id)", Least(1))
		bind(fs, &c.Config.Pace, "interval", "", c.Config.Pace, "time between connections, instead of --connect-rate", interval())
		Duration(fs, &c.Config.Duration, "duration", "d", 0, "end after this time; 0: when interrupted")
	})
	c.Agents.Bind(fs)
	c.Router.Bind(fs, "with --agents: `URLs` of the router, or of any NATS servers, where they wait")
	Group(fs, Output, func() {
		String(fs, &c.Log, "log", "", "", "append a line each second to this `file`, for comet plot")
		fs.BoolVar(&c.JSON, "json", false, "print JSON lines instead")
		Duration(fs, &c.Config.SampleInterval, "sample-interval", "", time.Second, "how often to print", Least(time.Millisecond))
		run := grammar[wire.Run]("word")
		List(fs, &c.Config.Run, "run", "the `word` of a run of msggen whose messages count, and no others; repeatable", run.parse, run.format)
		Count(fs, &c.Config.Skip, "skip", "", 0, "how many of the first id's --subscribers another flood opens")
		fs.BoolVar(&c.Config.FanOut, "fan-out", false, "measure the fan-out of messages, which go to several ids each")
		Count(fs, &c.Config.TrackOneIn, "track-one-in", "", 0, "of one sequence in this many, keep which of its messages came; 0: of each")
		bind(fs, &c.Config.ClockOffset, "clock-offset", "", 0, "what to add to this host's clock for the one of the messages", kind[time.Duration]{
			name: "duration", parse: time.ParseDuration, format: time.Duration.String,
		})
		fs.BoolVar(&c.Attended, "attended", false, "a line on standard input starts the run, another says that messages are sent, its end stops it")
	})
	c.Metrics.Bind(fs)
	hide(fs, "run")
	hide(fs, "sample-interval")
	hide(fs, "skip")
	hide(fs, "fan-out")
	hide(fs, "track-one-in")
	hide(fs, "clock-offset")
	hide(fs, "attended")
}

// Flood adds the flags that comet flood and comet bench have in common.
func Flood(fs *pflag.FlagSet, cfg *flood.Config) {
	Group(fs, Target, func() {
		IDs(fs, &cfg.FirstID, &cfg.LastID, "the ids for {id}, `FIRST-LAST` (default 1 to the number of connections)")
		Enum(fs, &cfg.Protocol, "protocol", flood.Auto, "what is spoken: auto (ws for a ws:// URL, else what the answer is), stream, sse, poll or ws", flood.Protocols()...)
		Lines(fs, &cfg.Header, "header", "H", "header `\"Name: value\"` of the streams' requests; repeatable")
		String(fs, &cfg.Method, "stream-method", "", "", "`method` of the streams' requests (default GET, or POST with --stream-body)")
		String(fs, &cfg.Body, "stream-body", "", "", "`text` for the body of the streams' requests")
		Users(fs, &cfg.Users, "CSV `file` with a user per line: each {column} in URL, headers, bodies and texts is replaced by theirs")
		Resolve(fs, &cfg.Resolve)
		ClientTLS(fs, &cfg.TLS)
		fs.BoolVar(&cfg.TLSResume, "tls-resume", false, "https and wss: resume the TLS session of an earlier connection")
		Sources(fs, &cfg.Sources, "`address` to connect from: 127.0.0.2, 127.0.0.2-127.0.0.18 or 127.0.1.0/24; repeatable")
	})
	Group(fs, Talking, func() {
		String(fs, &cfg.Ready, "ready", "", "", "a connection is established once this `text` has come; * stands for anything")
		Lines(fs, &cfg.FirstMessages, "first-message", "", "WebSocket: send `TEXT` first, or WAIT=>TEXT once WAIT has come; repeatable")
		Lines(fs, &cfg.Replies, "reply", "", "WebSocket: `TEXT=>TEXT`: send the second whenever the first comes; repeatable")
		Lines(fs, &cfg.SendEvery, "send-every", "", "WebSocket: `30s=TEXT`: send it again and again; repeatable")
		Lines(fs, &cfg.Subprotocols, "subprotocol", "", "WebSocket: offer this subprotocol, by its `name`; repeatable")
	})
	Group(fs, RealClients, func() {
		Count(fs, &cfg.Subscribers, "subscribers", "", 1, "rooms: how many connections have each id; with several, fan-out is measured", Least(1))
		bind(fs, &cfg.Ramp, "ramp", "", "", "open all connections in this `time`, or in steps: 1k:10s,10k:30s", grammar[flood.Ramp]("ramp"))
		bind(fs, &cfg.Reconnect, "reconnect", "", flood.Reconnect{}, "open lost and failed connections again: `min=1s,max=30s,jitter=full`", grammar[flood.Reconnect]("reconnect"))
		bind(fs, &cfg.Churn, "churn", "", 0, "`share` that leaves and comes back in each second, such as 5%/s", zeroed(grammar[flood.Churn]("share")))
		bind(fs, &cfg.Storm, "storm", "", flood.Storm{}, "drop a share at one moment after the last connect, in bench of the messages: `30s:100%`", zeroed(grammar[flood.Storm]("storm")))
		bind(fs, &cfg.SlowReaders, "slow-readers", "", flood.SlowReaders{}, "a share that reads slowly: `1%:1KB/s`", zeroed(grammar[flood.SlowReaders]("share")))
		bind(fs, &cfg.HalfOpen, "half-open", "", 0, "`share` that answers nothing more, not even at the level of TCP, such as 1%", zeroed(grammar[flood.Share]("share")))
	})
	Group(fs, Load, func() {
		bind(fs, &cfg.Pace, "connect-rate", "", cfg.Pace, "connections per second, or max", pacer())
		Count(fs, &cfg.InFlight, "in-flight", "", 512, "at most this many connections wait for their first byte", Least(1))
		Duration(fs, &cfg.ConnectTimeout, "connect-timeout", "", 30*time.Second, "how long a connection may wait for its first byte", Least(time.Millisecond))
	})
}

// zeroed returns k, by which a zero value reads as nothing.
func zeroed[T comparable](k kind[T]) kind[T] {
	format := k.format
	k.format = func(v T) string {
		var zero T
		if v == zero {
			return ""
		}
		return format(v)
	}
	return k
}

// Complete checks the flags against each other and takes the URL that was given
// without a flag.
func (c *FloodCommand) Complete(fs *pflag.FlagSet, args []string) error {
	if !c.Attended { // where it is, ids are rows, and rooms are shared
		if err := CheckUsers(fs, c.Config.Users, "ids"); err != nil {
			return err
		}
		if err := flood.CheckSubscribers(c.Config.Connections, c.Config.Subscribers); err != nil {
			return err
		}
	}
	if len(args) == 1 {
		if c.Config.URL != "" {
			return fmt.Errorf("the URL is given twice: %q and %q", c.Config.URL, args[0])
		}
		if err := CheckURL(args[0]); err != nil {
			return err
		}
		c.Config.URL = args[0]
	}
	return exclusive(fs, "connect-rate", "interval")
}
