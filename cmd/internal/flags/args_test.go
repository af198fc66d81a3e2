package flags

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/memlog/sockdiag"
	"example.org/comet/msggen"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/broker"
	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// parse reads a command line.
func parse[T any, C Command[T]](t *testing.T, args []string) T {
	t.Helper()
	cmd := new(T)
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	C(cmd).Bind(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	if left := fs.Args(); len(left) > 0 {
		t.Fatalf("%q: %q is left over", args, left)
	}
	return *cmd
}

// odd draws values that are easily spelled wrong.
type odd struct{ *rand.Rand }

func pick[T any](o odd, values ...T) T { return values[o.IntN(len(values))] }

func (o odd) text() string {
	return pick(o, "plain", "-leading", "--url=x", "a,b", `say "hi"`, "it's", "two\nlines", "tab\there", " space ", "=", "é世", `\n`, "-")
}

func (o odd) list() []string {
	if o.IntN(3) == 0 {
		return nil
	}
	all := make([]string, 1+o.IntN(3))
	for i := range all {
		all[i] = o.text()
		if o.IntN(4) == 0 {
			all[i] = ""
		}
	}
	return all
}

func (o odd) natsURLs() []string {
	if o.IntN(3) == 0 {
		return nil
	}
	return []string{pick(o, "nats://a:4222", "nats://[::1]", `nats://a,b"c`, "tls://x"), "nats://b"}
}

func (o odd) duration() time.Duration {
	return pick(o, time.Millisecond, 1500*time.Millisecond, time.Minute, 25*time.Hour, 36500*24*time.Hour)
}

func (o odd) count() int { return pick(o, 1, 17, 1000, 1_000_000, min(1<<40, math.MaxInt-1024)) }

func (o odd) bool() bool { return o.IntN(2) == 0 }

func (o odd) sources() []netip.Addr {
	a := netip.MustParseAddr("127.0.0.254")
	return pick(o, nil, []netip.Addr{a}, []netip.Addr{a, a.Next(), a.Next().Next(), a}, []netip.Addr{a, netip.MustParseAddr("fd00::1")})
}

func (o odd) pace() pace.Pacer {
	third, _ := pace.PerSecond(1. / 3)
	return pick(o, pace.Max, pace.Every(10*time.Millisecond), pace.Every(time.Hour), pace.Pacer{Events: 1, Per: time.Second}, pace.Pacer{Events: 15_000, Per: time.Second}, third)
}

func (o odd) flood() FloodCommand {
	c := FloodCommand{URLFile: o.text(), Log: o.text(), JSON: o.bool(), Metrics: o.metrics(), Attended: o.bool()}
	c.Metrics.File.File = o.text()
	c.Config.URL = "http://" + o.text()
	c.Config.FirstID, c.Config.LastID = 0, int64(o.count())
	c.Config.Run = pick(o, nil, []wire.Run{1}, []wire.Run{7, 0x0badcafe})
	c.Config.Header, c.Config.Sources, c.Config.Pace = o.list(), o.sources(), o.pace()
	c.Config.TLS, c.Config.TLSResume = tlsclient.Options{CAFile: o.text(), Insecure: o.bool(), CertFile: o.text(), KeyFile: o.text()}, o.bool()
	c.Config.Behavior = flood.Behavior{
		Ramp: pick[flood.Ramp](o, "", "30s", "1k:10s,2M:1h0m0s"), Churn: pick[flood.Churn](o, 0, 0.05, 0.125), Storm: pick(o, flood.Storm{}, flood.Storm{Share: 1}, flood.Storm{After: time.Minute, Share: 0.001}),
		Reconnect: pick(o, flood.Reconnect{}, flood.Reconnect{Min: time.Millisecond, Max: time.Hour, Jitter: flood.NoJitter}), SlowReaders: pick(o, flood.SlowReaders{}, flood.SlowReaders{Share: 0.01, Rate: 1024}), HalfOpen: pick[flood.Share](o, 0, 1, 0.005),
	}
	c.Config.Protocol = pick(o, flood.Protocols()...)
	c.Config.Method, c.Config.Body, c.Config.Ready = o.text(), o.text(), o.text()
	c.Config.FirstMessages, c.Config.Replies, c.Config.SendEvery, c.Config.Subprotocols = o.list(), o.list(), o.list(), o.list()
	c.Config.Connections, c.Config.InFlight, c.Config.Subscribers, c.Config.Skip = o.count(), o.count(), o.count(), pick(o, 0, 7)
	c.Config.FanOut, c.Config.TrackOneIn = o.bool(), pick(o, 0, 16)
	c.Config.ConnectTimeout, c.Config.Duration, c.Config.SampleInterval = o.duration(), o.duration(), o.duration()
	c.Config.ClockOffset = pick(o, 0, -1500*time.Microsecond, time.Hour)
	c.Agents = pick(o, Agents{}, Agents{Count: 4}, Agents{Names: []string{"web2"}}, Agents{Names: []string{"web2", "10.0.0.1"}})
	c.Router = o.router()
	return c
}

func (o odd) metrics() Metrics {
	return Metrics{Address: pick(o, "", ":9100", "[::1]:0", "host:9100")}
}

func (o odd) router() Router {
	r := Router{URLs: o.natsURLs(), Credentials: Secret{File: o.text()}}
	r.servers.CAFile, r.servers.CertFile, r.servers.KeyFile, r.servers.SubjectPrefix = o.text(), o.text(), o.text(), o.text()
	return r
}

func (o odd) serve() ServeCommand {
	c := ServeCommand{AdminToken: Secret{File: o.text()}, Router: o.router(), AccessLog: o.text(), JSON: o.bool(), EndWithStdin: o.bool()}
	c.Config = server.Config{
		Listen: o.text(), Admin: o.text(), Engine: pick(o, server.Auto, server.Epoll, server.Goroutine), Loops: o.count(),
		MaxConnections: o.count(), ConnectionLimit: o.count(), MaxIDs: o.count(), MemoryLimit: int64(o.count()), BacklogBytes: 1024 + o.count(), MaxHeadBytes: 1024 + o.count(), AllowOrigins: o.list(), AdminCertFile: o.text(), AdminKeyFile: o.text(), TLSCertFile: o.text(), TLSKeyFile: o.text(), SlowClient: pick(o, server.Disconnect, server.Drop),
		PollTimeout: o.duration(), KeepAlive: pick(o, -1, o.duration()), DrainSpread: pick(o, -1, o.duration()), Heartbeat: o.duration(), AccessLogSample: o.count(),
		DrainDelay: o.duration(), DrainTimeout: o.duration(), WithoutRouter: pick(o, server.AcceptAway, server.RefuseAway),
	}
	c.Node.Interest, c.Node.Name = pick(o, natsrouter.Exact, natsrouter.Block, natsrouter.All), o.text()
	return c
}

func (o odd) msggen() MsggenCommand {
	c := MsggenCommand{AdminToken: Secret{File: o.text()}, TLS: o.clientTLS(), Router: o.router(), Log: o.text(), JSON: o.bool(), Metrics: o.metrics(), Feedback: o.bool()}
	c.Publish = msggen.PublishConfig{URL: "https://" + o.text(), Method: o.text(), Header: o.list(), Body: o.text(), Connections: o.count()}
	c.Config = msggen.Config{
		To: "http://" + o.text(), Senders: o.count(), FirstID: int64(o.count()), MaxID: int64(o.count()), Window: o.count(), Reach: o.count(),
		Seed: pick(o, uint64(0), 1, 1<<64-1), Run: pick(o, wire.Run(0), 1, 0x0badcafe), Count: uint64(o.count()), Duration: o.duration(),
		Distribution: pick(o, msggen.Distribution{Shape: msggen.Uniform}, msggen.Distribution{Shape: msggen.Zipf, Exponent: 0.85},
			msggen.Distribution{Shape: msggen.Zipf}, msggen.Distribution{Shape: msggen.Hot, HotMessages: 0.8, HotIDs: 0.2}, msggen.Distribution{Shape: msggen.Sequential}),
		Arrivals: pick(o, msggen.Arrivals{Shape: msggen.Constant}, msggen.Arrivals{Shape: msggen.Poisson}, msggen.Arrivals{Shape: msggen.Bursts, Burst: 7},
			msggen.Arrivals{Shape: msggen.Ramp, Over: time.Hour}, msggen.Arrivals{Shape: msggen.Ramp, Over: time.Second, From: 0.25}),
		Size: pick(o, msggen.Size{Shape: msggen.Fixed}, msggen.Size{Shape: msggen.Fixed, Bytes: 1 << 20},
			msggen.Size{Shape: msggen.Uniform, Min: 1, Max: 500}, msggen.Size{Shape: msggen.Exponential, Bytes: 300}),
	}
	switch o.IntN(3) {
	case 0:
		c.Config.Interval = o.duration()
	case 1:
		c.Config.Rate = pick(o, 0.001, 1./3, 1000, 1<<40)
	default:
		c.Config.Max = true
	}
	return c
}

func (o odd) clientTLS() tlsclient.Options {
	return tlsclient.Options{CAFile: o.text(), Insecure: o.bool(), CertFile: o.text(), KeyFile: o.text()}
}

func (o odd) send() SendCommand {
	c := SendCommand{AdminToken: Secret{File: o.text()}, TLS: o.clientTLS(), Router: o.router(), JSON: o.bool()}
	c.HTTP.URL = "http://" + o.text()
	return c
}

func (o odd) broker() RouterCommand {
	return RouterCommand{
		Credentials: Secret{File: o.text()}, AdminToken: Secret{File: o.text()}, JSON: o.bool(), EndWithStdin: o.bool(),
		Config: broker.Config{
			Listen: o.text(), ClusterListen: o.text(), Routes: o.natsURLs(), ClusterName: o.text(), Admin: o.text(),
			AdminHosts: pick(o, nil, []string{"a"}, []string{`b,"c`, "-d"}), CertFile: o.text(), KeyFile: o.text(), CAFile: o.text(), DrainTimeout: o.duration(),
		},
	}
}

func (o odd) memlog() MemlogCommand {
	c := MemlogCommand{Out: o.text(), Mark: o.text(), AdminToken: Secret{File: o.text()}, EndWithStdin: o.bool()}
	c.Config.PIDs, c.Config.Match = pick(o, nil, []int32{1}, []int32{4711, 1<<31 - 1}), o.text()
	c.Config.NoChildren, c.Config.PSS, c.Config.StatsURL = o.bool(), o.bool(), "http://"+o.text()
	c.Config.Interval, c.Config.Duration = o.duration(), o.duration()
	if o.bool() {
		c.Config.Listen = []sockdiag.Filter{{Port: 8000}, {Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {}, {Prefix: netip.MustParsePrefix("fd00::/64"), Port: 1}}
	}
	return c
}

// roundTrip: what Args writes parses to what it was given. A command line has no
// way to say what is spelled by no flag, such as what a secret is called.
func roundTrip[T any, C Command[T]](t *testing.T, name string, draw func(odd) T) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		for seed := range uint64(300) {
			want := draw(odd{rand.New(rand.NewPCG(seed, 1))})
			args := Args[T, C](want)
			got := parse[T, C](t, args)
			named := want
			C(&named).Bind(pflag.NewFlagSet("", pflag.ContinueOnError)) // gives secrets their names, and all else its default
			copySecrets(reflect.ValueOf(&want).Elem(), reflect.ValueOf(&named).Elem())
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: %q\n got %+v\nwant %+v", seed, args, got, want)
			}
			if again := Args[T, C](got); !slices.Equal(again, args) {
				t.Fatalf("seed %d: %q became %q", seed, args, again)
			}
		}
		// The zero value is the defaults, which need no flags.
		var zero T
		if args := Args[T, C](zero); len(args) > 0 {
			t.Errorf("the zero value is rendered as %q", args)
		}
		if args := Args[T, C](parse[T, C](t, nil)); len(args) > 0 {
			t.Errorf("the defaults are rendered as %q", args)
		}
	})
}

// copySecrets gives each Secret in to the names that the one in from has.
func copySecrets(to, from reflect.Value) {
	for i := range to.NumField() {
		switch f := to.Field(i); {
		case f.Type() == reflect.TypeFor[Secret]() && f.CanSet():
			s := from.Field(i).Interface().(Secret)
			s.File = f.Interface().(Secret).File
			f.Set(reflect.ValueOf(s))
		case f.Type() == reflect.TypeFor[Router](), f.Type() == reflect.TypeFor[Metrics]():
			copySecrets(f, from.Field(i))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, "flood", odd.flood)
	roundTrip(t, "serve", odd.serve)
	roundTrip(t, "agent", func(o odd) AgentCommand { return AgentCommand{Name: o.text(), Router: o.router()} })
	roundTrip(t, "msggen", odd.msggen)
	roundTrip(t, "send", odd.send)
	roundTrip(t, "router", odd.broker)
	roundTrip(t, "memlog", odd.memlog)
}
