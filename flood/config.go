package flood

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"example.org/comet/flood/pace"
	"example.org/comet/flood/users"
	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// Config describes a flood. The zero value of each field is its default.
type Config struct {
	// URL is the address of a stream; {id} in it is replaced by an id of IDs.
	URL string
	// URLs, if not empty, are the addresses instead, one connection each in
	// turn.
	URLs []string
	// Connections is how many to open; 0 means Subscribers for each of URLs, or of
	// IDs.
	Connections int
	// Subscribers makes rooms: so many connections in a row have the same id or, with
	// URLs, the same URL; 0 means 1. With several, Result.FanOut is measured. Skip is
	// how many of the first id's another flood opens.
	Subscribers, Skip int
	// FanOut has Result.FanOut measured also where each connection has an id of its
	// own, for messages that one sends to several ids.
	FanOut bool
	// TrackOneIn bounds the memory of connections to which many sequences come: of one
	// sequence in so many, drawn by a hash, each number that came is kept; 0 means 1.
	// What comes of the others counts as delivered, and as Counts.Untracked.
	TrackOneIn int
	// FirstID and LastID are the ids for {id}; the connections take them in
	// turn. A LastID of 0 means as many ids as there are rooms, from FirstID or 1.
	FirstID, LastID int64
	// Protocol is what is spoken; "" is [Auto].
	Protocol Protocol
	// Method and Body make the request of a stream: "" is GET, or POST with a Body.
	Method, Body string
	// Header is further lines for the request head, "Name: value". A Host or
	// User-Agent line takes the place of flood's own.
	Header []string
	// Resolve has an address for "host:port", in lower case, that is used instead of
	// those of its name.
	Resolve map[string]netip.Addr
	// TLS is for URLs of https and wss. TLSResume has a connection resume the session
	// of an earlier one, which saves most of its handshake.
	TLS       tlsclient.Options
	TLSResume bool
	// Talk is what connections say and wait for after their request.
	Talk
	// Behavior is what they do besides.
	Behavior
	// StormAfterMark has the Storm count from [Flood.Mark], and not from when all
	// connections were tried.
	StormAfterMark bool
	// Users, if not nil, has a row for each connection in turn, whose columns fill
	// the holes of their names in URLs, Header, Body and texts. A column id gives
	// {id}; FirstID and LastID then are rows, from 1.
	Users *users.Table
	// Sources are the addresses to connect from. Empty leaves it to the kernel,
	// which finds at most some 28,000 ports for one server address.
	Sources []netip.Addr
	// Pace says when connections are begun; the zero value: as fast as they are
	// answered.
	Pace pace.Pacer
	// InFlight limits the connections that wait for the head of their answer; 0
	// means 512. More of them overflow the server's accept queue, and then each
	// waits a second.
	InFlight int
	// Run are the runs of generators whose stamps are counted; the stamps of any
	// other are only counted as replayed, such as those that a server with a
	// history sends again. Empty counts them all.
	Run []wire.Run
	// ConnectTimeout is how long a connection may wait for the head of its
	// answer, counted from when its connect began; 0 means 30 s.
	ConnectTimeout time.Duration
	// Duration ends the run, counted from its start; 0 means when ctx ends.
	Duration time.Duration
	// SampleInterval is how often OnSample is called; 0 means a second.
	SampleInterval time.Duration
	// ClockOffset is added to this machine's clock where it is compared to another's: for
	// due times, and in Sample.Time.
	ClockOffset time.Duration
	// OnSample, if set, gets the figures so far, in a goroutine of its own; a slow
	// one misses some. Run returns when the last call has.
	OnSample func(Sample)
	// Logger gets diagnostics; nil discards them.
	Logger *slog.Logger

	// atOnce is how soon behind its head an empty body has to end to be no stream;
	// 0 means a second. Only tests, whose machine may be slow, set it.
	atOnce time.Duration
	// random draws numbers; nil means math/rand. Only tests set it.
	random func() uint64
}

func (c Config) withDefaults() Config {
	if c.Subscribers == 0 {
		c.Subscribers = 1
	}
	if c.Connections == 0 {
		c.Connections = c.Ramp.last()
	}
	if c.Connections == 0 && c.Users != nil {
		c.Connections = max(c.Users.Len(), len(c.URLs)) * c.Subscribers
	}
	if c.LastID == 0 && c.Users != nil {
		c.FirstID, c.LastID = 1, int64(c.Users.Len())
	}
	if c.Protocol == "" {
		c.Protocol = Auto
	}
	if c.Method == "" {
		c.Method = "GET"
		if c.Body != "" {
			c.Method = "POST"
		}
	}
	if c.random == nil {
		c.random = rand.Uint64
	}
	if c.Connections == 0 {
		rooms := max(int64(len(c.URLs)), c.LastID-c.FirstID+1, 0)
		if c.LastID == 0 {
			rooms = max(int64(len(c.URLs)), 1)
		}
		c.Connections = int(min(rooms, math.MaxInt/int64(max(c.Subscribers, 1)))) * c.Subscribers
	}
	if c.LastID == 0 {
		c.FirstID = max(c.FirstID, 1)
		c.LastID = c.FirstID + int64(c.rooms()) - 1
	}
	if c.InFlight == 0 {
		c.InFlight = 512
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 30 * time.Second
	}
	if c.SampleInterval == 0 {
		c.SampleInterval = time.Second
	}
	if c.atOnce == 0 {
		c.atOnce = time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports every field that cannot be.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("flood: "+format, args...))
		}
	}
	bad((c.URL == "") != (len(c.URLs) == 0), "give one URL with {id}, or a list of URLs")
	bad(c.Connections > 0, "%d connections: use 1 or more", c.Connections)
	bad(c.Connections <= 0 || c.FirstID >= 0 && c.LastID >= c.FirstID, "ids %d-%d: use whole numbers from 0, the lower one first", c.FirstID, c.LastID)
	errs = append(errs, c.checkRooms())
	bad(c.TrackOneIn >= 0, "one sequence in %d is tracked: use 1 or more", c.TrackOneIn)
	bad(c.InFlight > 0, "%d connections in flight: use 1 or more", c.InFlight)
	bad(c.ConnectTimeout > 0 && c.Duration >= 0 && c.SampleInterval > 0, "durations must not be negative")
	for _, line := range c.Header {
		name, _, found := strings.Cut(line, ":")
		bad(found && name != "" && !strings.ContainsAny(line, "\r\n"), "header %q: write it as `Name: value`", line)
	}
	bad(slices.Contains(Protocols(), c.Protocol), "protocol %q: use one of %v", c.Protocol, Protocols())
	bad(!strings.ContainsFunc(c.Method, func(r rune) bool { return r < 'A' || r > 'Z' }), "method %q: write it in capital letters, such as POST", c.Method)
	bad(c.Method != "GET" || c.Body == "", "a GET has no body: give --stream-method POST")
	secure := slices.ContainsFunc(c.urls(), func(u string) bool {
		scheme, _, _ := strings.Cut(strings.ToLower(u), "://")
		return schemes[scheme]
	})
	bad(secure || c.TLS == (tlsclient.Options{}) && !c.TLSResume || len(c.urls()) == 0, "certificates and sessions are for TLS: write https:// or wss:// in the URL, or leave --ca, --insecure, --cert, --key and --tls-resume out")
	errs = append(errs, c.checkBehavior())
	holes, _ := c.Users.Holes()
	_, err := newScript(&c.Talk, holes)
	errs = append(errs, err)
	for _, u := range c.urls() {
		r, err := parseURL(u, c.Protocol, holes)
		bad(err == nil, "%w", err)
		if err != nil {
			continue
		}
		bad(r.socket || !c.needsSocket(), "URL %q: first messages, replies, heartbeats and subprotocols are for WebSockets: write ws:// or wss://", wire.ShowURL(u))
		bad(!r.socket || c.Method == "GET", "URL %q: a WebSocket is asked for with GET", wire.ShowURL(u))
	}
	return errors.Join(errs...)
}

// checkBehavior returns what is wrong with the ramp, or cannot be here.
func (c *Config) checkBehavior() error {
	if c.needsLoop() && !hasLoop {
		return errors.New("flood: reconnects, churn, storms, slow readers and half-open connections need the event loop, which there is on Linux only")
	}
	if c.Ramp == "" {
		return nil
	}
	if _, err := c.Ramp.steps(); err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	if last := c.Ramp.last(); last != 0 && last != c.Connections {
		return fmt.Errorf("flood: the ramp %s ends with %d connections, and %d are to be opened: let it end with all", c.Ramp, last, c.Connections)
	}
	if !c.Pace.Unpaced() {
		return errors.New("flood: a ramp and a rate of connects both say when connections are opened: give one of them")
	}
	return nil
}

// schedule returns when connections are begun.
func (c *Config) schedule() (s pace.Schedule, paced bool) {
	if c.Ramp == "" {
		return c.Pace, !c.Pace.Unpaced()
	}
	steps, _ := c.Ramp.steps() // was checked
	return steps.of(c.Connections), true
}

func (c Config) urls() []string {
	if c.URL != "" {
		return []string{c.URL}
	}
	return c.URLs
}

// Flood is a flood to be run once.
type Flood struct {
	cfg Config
	// schedule says when connections are begun; paced, that it does not say at once.
	schedule pace.Schedule
	paced    bool
	mark     atomic.Pointer[time.Time]
	lap      atomic.Bool // the figures since the last lap are asked for
	script   *script
	targets  *targets
	sources  *sources
}

// New resolves the names in the URLs. It opens nothing yet.
func New(cfg Config) (*Flood, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	holes, _ := cfg.Users.Holes()
	script, err := newScript(&cfg.Talk, holes)
	if err != nil {
		return nil, err
	}
	t, err := newTargets(&cfg)
	if err != nil {
		return nil, err
	}
	s, err := newSources(cfg.Sources)
	if err != nil {
		return nil, err
	}
	schedule, paced := cfg.schedule()
	return &Flood{cfg: cfg, schedule: schedule, paced: paced, script: script, targets: t, sources: s}, nil
}

// Run opens the connections, holds them until ctx ends or Duration is over, and
// closes them all. Failed connections are figures, not errors: the error is
// non-nil only when the client itself cannot go on.
func (f *Flood) Run(ctx context.Context) (Result, error) {
	ctx, cancel := f.limit(ctx)
	defer cancel()
	return f.run(ctx)
}

// limit ends ctx when Duration is over.
func (f *Flood) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.cfg.Duration == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, f.cfg.Duration)
}

// Destinations returns an address of each distinct server, for working out how
// many source ports there are.
func (f *Flood) Destinations() []netip.AddrPort {
	var all []netip.AddrPort
	for _, h := range f.targets.hosts {
		all = append(all, h.addrs[0])
	}
	return all
}

// Mark notes that messages are sent from now on. It may be called once, by any
// goroutine.
func (f *Flood) Mark() { f.mark.Store(new(time.Now())) }

// marked returns when Mark was called, or the zero time.
func (f *Flood) marked() time.Time {
	if at := f.mark.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// Connections returns how many connections Run will open.
func (f *Flood) Connections() int { return f.cfg.Connections }
