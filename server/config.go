package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"runtime"
	"time"

	"example.org/comet/server/epoll"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// Config holds the settings of a Server. The zero value of each field is its default; where
// a field can be without effect, a negative value makes it so.
type Config struct {
	// Listen is the address of the streams. Empty means 127.0.0.1:8000; port 0
	// lets the kernel choose.
	Listen string
	// Admin is the address of the admin listener. Empty means 127.0.0.1:8001.
	// Off loopback it demands AdminToken.
	Admin string
	// AdminToken, if set, must come as a bearer token with every admin request
	// but /healthz and /readyz.
	AdminToken string
	// AdminHosts are names of this machine that an admin request without token
	// may be for, besides localhost and IP addresses.
	AdminHosts []string
	// AdminCertFile and AdminKeyFile (PEM) turn TLS on for the admin listener.
	AdminCertFile, AdminKeyFile string
	// Version is the label of comet_build_info in /metrics.
	Version string
	// Engine says how connections are held.
	Engine Engine
	// Loops is the number of event loops of the epoll engine; 0 is one per core.
	Loops int
	// TLSCertFile and TLSKeyFile (PEM) turn TLS on for Listen: 1.2 or later, with
	// HTTP/1.1 alone. They are read by New.
	TLSCertFile, TLSKeyFile string
	// TLSResume lets clients resume a TLS session, by a ticket.
	TLSResume bool
	// MaxConnections limits the open streams; one more is answered 503. 0 or
	// less means what the open-file limit allows.
	MaxConnections int
	// ConnectionLimit limits the open streams of one client address; one more
	// is answered 503. 0 or less means no such limit.
	ConnectionLimit int
	// MemoryLimit limits the resident memory of the process, in bytes: while it has more,
	// new streams are answered 503. 0 or less means no such limit, which systems that do
	// not say how much it is have too.
	MemoryLimit int64
	// MaxIDs limits the ids of one stream; a request with more is answered 400. 0 or less
	// means as many as a request head holds.
	MaxIDs int
	// MaxHeadBytes limits a request head; a longer one is answered 431. 0 means
	// 32 KiB.
	MaxHeadBytes int
	// AllowOrigins are the web origins whose pages may read the streams, such as
	// https://app.example.com, or "*" alone for any. Pages of those that are
	// named may send cookies along. If any are named, a WebSocket is refused to
	// pages of other origins, except that of the server itself. Empty means
	// that answers carry no CORS fields, and that every WebSocket is accepted.
	AllowOrigins []string
	// AuthKeyFile has the keys of tokens: public keys in PEM, a JSON Web Key Set or a
	// secret. With it each stream takes a JSON Web Token that allows its ids, and ends
	// when that expires, and POST /event/{publisher} takes AdminToken or one that
	// allows the publisher. Empty means that neither needs one. It is read by New and
	// [Server.ReloadKeys].
	AuthKeyFile string
	// AuthAudience must be in a token's aud. Without it a token must have none.
	AuthAudience string
	// BacklogBytes limits what waits for one connection whose socket is full.
	// 0 means 64 KiB; the least is 1024. With TLS it counts plaintext; one record
	// of it, of up to 16 KiB, is kept encrypted as well.
	BacklogBytes int
	// SlowClient says what becomes of a connection that is over BacklogBytes.
	SlowClient SlowPolicy
	// HeadTimeout limits how long a request head may take, with the TLS handshake
	// before it. 0 means 10 s, a negative value no limit.
	HeadTimeout time.Duration
	// PollTimeout limits how long a long poll waits for a message before it is
	// answered 204. 0 means 30 s; with a negative value it waits for as long as
	// its client does.
	PollTimeout time.Duration
	// KeepAlive is how long a connection may be silent before the kernel asks
	// whether its peer is still there. A peer that does not answer four such
	// questions is gone: they are 15 s apart, or KeepAlive if that is less, in
	// whole seconds. On Linux what was sent may go unacknowledged for as long as
	// all that takes, unless SlowClient is Drop, which keeps clients that take
	// nothing. 0 means 5 minutes, a negative value never; the most is 32767 s.
	KeepAlive time.Duration
	// Heartbeat is how long a stream of /events may be silent before it gets a
	// comment, and one of /ws a ping. Up to a quarter of it may be missing. 0
	// or less means never.
	Heartbeat time.Duration
	// AccessLog, if set, takes a line of JSON for one stream of AccessLogSample
	// at its end, and for each request that got no stream. It is written to by
	// one goroutine, which ends with Run; if it blocks or fails, lines are
	// dropped and counted, and nothing else waits for it. Where a file may be
	// rotated, use one that follows it, such as a series.File.
	AccessLog io.Writer
	// AccessLogSample logs one stream of this many. 0 means 100.
	AccessLogSample int
	// DrainDelay is how long Run continues after its context has ended, with
	// /readyz at 503, so that load balancers notice. 0 or less means not at all.
	DrainDelay time.Duration
	// Subscriptions is the file of who follows whom, for events. It is made if there
	// is none. Empty means that there are no events. Each of several servers has a
	// file of its own; with Exchange a change that one is asked for is made in all.
	Subscriptions string
	// SubscriptionsReadOnly lets several servers share the file, and none of them
	// change it.
	SubscriptionsReadOnly bool
	// Exchange joins this server to others; nil means that it is alone. Run and
	// Close close it.
	Exchange router.Exchange
	// WithoutRouter says what becomes of new streams while Exchange is
	// disconnected. Empty means AcceptAway.
	WithoutRouter RouterPolicy
	// DrainTimeout limits how long Run continues to deliver after its context
	// and DrainDelay have ended. 0 means 10 s. With a negative value every
	// stream is ended at once: it gets what its socket takes without waiting.
	DrainTimeout time.Duration
	// DrainSpread is how long the return of the clients is spread over that lose their
	// stream by the drain: each is asked to wait for a random part of it, by Retry-After
	// or the retry field of server-sent events. WebSockets are closed with 1012, upon
	// which clients wait as they see fit. 0 means 5 s, a negative value asks nobody to
	// wait.
	DrainSpread time.Duration
	// Logger takes diagnostics; nil discards them.
	Logger *slog.Logger
}

// Engine is a way to hold connections.
type Engine string

// The engines. Their answers are the same to the byte.
const (
	// Auto is Epoll on Linux and Goroutine elsewhere.
	Auto Engine = ""
	// Epoll holds a connection at rest as one row of numbers in an event loop.
	Epoll Engine = "epoll"
	// Goroutine holds each connection in goroutines, as Go servers commonly do.
	// It is there for comparison, and for systems without epoll.
	Goroutine Engine = "goroutine"
)

// DefaultEngine is what Auto means on this system.
const DefaultEngine = defaultEngine

// SlowPolicy is what to do with a client that does not read.
type SlowPolicy string

// The policies.
const (
	// Disconnect closes the connection; its messages count as dropped.
	Disconnect SlowPolicy = "disconnect"
	// Drop keeps the connection and drops messages until there is room.
	Drop SlowPolicy = "drop"
)

// keepAlive returns how the kernel finds a peer that is gone without a word: cut
// off, or without power.
func (c *Config) keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: c.KeepAlive > 0, Idle: c.KeepAlive, Interval: min(15*time.Second, max(c.KeepAlive, time.Second)), Count: 4}
}

// userTimeout returns how long sent bytes may go unacknowledged before the peer
// is taken for gone: as long as keepAlive takes to find that. 0 is no limit. A
// client that does not read looks the same to the kernel, so that there is no
// limit where such clients are kept.
func (c *Config) userTimeout() time.Duration {
	k := c.keepAlive()
	if !k.Enable || c.SlowClient == Drop {
		return 0
	}
	return max(k.Idle, time.Second) + time.Duration(k.Count)*k.Interval
}

// mostKeepAlive is the longest silence that Linux takes (MAX_TCP_KEEPIDLE in
// include/net/tcp.h).
const mostKeepAlive = 32767 * time.Second

// leastHeartbeat keeps a loop from having nothing else to do.
const leastHeartbeat = 10 * time.Millisecond

// The bounds of MaxHeadBytes: a handshake of a browser, and what a few slow
// clients may make the server hold.
const (
	leastHead = 1 << 10
	mostHead  = 16 << 20
)

func (c Config) withDefaults() Config {
	set(&c.Listen, "127.0.0.1:8000")
	set(&c.Admin, "127.0.0.1:8001")
	set(&c.Loops, epoll.Processors())
	set(&c.BacklogBytes, 64<<10)
	set(&c.MaxHeadBytes, wire.DefaultMaxHead)
	set(&c.SlowClient, Disconnect)
	set(&c.HeadTimeout, 10*time.Second)
	set(&c.PollTimeout, 30*time.Second)
	set(&c.KeepAlive, 5*time.Minute)
	set(&c.DrainTimeout, 10*time.Second)
	set(&c.DrainSpread, 5*time.Second)
	set(&c.AccessLogSample, 100)
	set(&c.WithoutRouter, AcceptAway)
	c.MaxConnections = max(c.MaxConnections, 0)
	c.ConnectionLimit = max(c.ConnectionLimit, 0)
	c.MemoryLimit = max(c.MemoryLimit, 0)
	c.MaxIDs = max(c.MaxIDs, 0)
	c.Heartbeat = max(c.Heartbeat, 0)
	c.DrainDelay = max(c.DrainDelay, 0)
	if c.Engine == Auto {
		c.Engine = defaultEngine
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// set replaces a zero field by its default.
func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every field that cannot be used, in one error.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("server: "+format, args...))
		}
	}
	bad(c.Engine == Epoll || c.Engine == Goroutine, "engine %q is not known: use epoll or goroutine", c.Engine)
	bad(c.Engine != Epoll || defaultEngine == Epoll, "the epoll engine needs Linux: use the goroutine engine on %s", runtime.GOOS)
	bad(c.SlowClient == Disconnect || c.SlowClient == Drop, "slow-client policy %q is not known: use disconnect or drop", c.SlowClient)
	bad(c.WithoutRouter == AcceptAway || c.WithoutRouter == RefuseAway, "without-router policy %q is not known: use accept or refuse", c.WithoutRouter)
	bad(c.Loops >= 1 && c.Loops <= 1024, "%d event loops: use 1 to 1024", c.Loops)
	bad(int64(c.ConnectionLimit) <= math.MaxUint32, "a limit of %d connections for an address: use 0 (no such limit) to 4294967295", c.ConnectionLimit)
	bad(c.MaxHeadBytes >= leastHead && c.MaxHeadBytes <= mostHead, "request heads of up to %d bytes: use %d to %d", c.MaxHeadBytes, leastHead, mostHead)
	_, err := wire.ParseOrigins(c.AllowOrigins)
	bad(err == nil, "%w", err)
	bad(c.AccessLogSample >= 1, "an access log of 1 in %d streams: use 1 (every stream) or more", c.AccessLogSample)
	bad(c.Heartbeat == 0 || c.Heartbeat >= leastHeartbeat, "a heartbeat every %v: use 0 (none), or %v or more", c.Heartbeat, leastHeartbeat)
	bad(c.KeepAlive <= mostKeepAlive, "a keepalive after %v of silence: use %v or less, or none", c.KeepAlive, mostKeepAlive)
	bad(c.BacklogBytes >= 1024, "a backlog of %d bytes holds no message: use 1024 or more", max(c.BacklogBytes, 0))
	bad(c.AuthAudience == "" || c.AuthKeyFile != "", "tokens are to be for the audience %q, and there are no keys to verify them: give --auth-key-file", c.AuthAudience)
	bad(!c.SubscriptionsReadOnly || c.Subscriptions != "", "subscriptions are to be read only, and there is no file of them: name one")
	if err := c.checkTLS(); err != nil {
		errs = append(errs, err)
	}
	_, _, err = net.SplitHostPort(c.Listen)
	bad(err == nil, "address %q: %w; write host:port, such as 127.0.0.1:8000", c.Listen, err)
	for _, err := range c.adminConfig().Validate() {
		bad(false, "%w", err)
	}
	return errors.Join(errs...)
}
