// Package server is comet's reference server: it holds streams open and hands
// each the messages for its user. A connection at rest costs about a hundred
// bytes of process memory.
//
//	s, err := server.New(server.Config{Listen: "127.0.0.1:8000"})
//	if err != nil { … }
//	err = s.Run(ctx) // until ctx ends, and then drains
//
// Clients come to Listen with GET /test/{id}, /events/{id}, /poll/{id} or
// /ws/{id}; messages come to the admin listener with POST /send. What goes
// over the socket is package wire; who gets what is package router; who
// follows whom is package subscriptions; who may use the admin listener is package
// adminhttp.
//
// # The account
//
// [Stats] counts each message once, by what became of it. A message comes in
// through the admin listener (Sent) or from other servers (Router.Received). It is
// for the connections logged in as its id, or if it is an event (Events, of Sent),
// as one of the followers of its publisher: once for each connection, however many
// of its ids follow. If there is nobody, it is in Unaddressed or Router.Unaddressed;
// only a message to the admin listener of a server that is not alone is in
// neither, because an addressee may be elsewhere. Otherwise it counts once for
// each of the connections: in DroppedOverrun if the connection's
// owner was too far behind to take it, else in Routed. And
//
//	Routed = Written + DroppedClosed + DroppedSlow + what waits in a backlog
//
// so that nothing waits once a server has drained. What a message is dropped for
// never makes it unaddressed as well.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/neterr"
	"example.org/comet/server/router"
	"example.org/comet/server/subscriptions"
	"example.org/comet/server/wire"
)

// Server is a comet server. Its methods are safe for concurrent use, but Run is
// called once.
type Server struct {
	core   *core
	engine engine
	admin  *adminhttp.Server
}

// engine is a way to hold connections.
type engine interface {
	// addr returns where streams are served.
	addr() net.Addr
	// serve holds connections until ctx ends, drains them until core.drainEnd,
	// and closes what is left.
	serve(ctx context.Context) error
	// settled is called when a ticket of the exchange may have been settled, or
	// the exchange was disconnected or is back. It does not block.
	settled()
	// addStats adds the engine's counters.
	addStats(*Stats)
	// takeIntake has the engine serve what it can of the admin listener by itself.
	takeIntake(a *admin)
	// close frees an engine that was never run.
	close()
}

// core is what an engine shares with the rest of the server.
type core struct {
	Config
	started   time.Time
	router    router.Local
	streams   atomic.Int64  // open streams
	limit     int64         // the most of them
	sockets   atomic.Int64  // open connections to Listen: streams, heads, answers
	room      int64         // the most of them
	addresses *addressLimit // nil without a limit per address
	parser    wire.Parser
	access    *accessLog // nil without one
	authority *authority // nil without tokens
	// subscriptions is who follows whom; nil without Config.Subscriptions.
	subscriptions *subscriptions.File
	// replica keeps that file the same as those of other servers; nil for a server
	// that is alone.
	replica  *sharing
	tls      *tls.Config // of Listen; nil without TLS
	draining atomic.Bool
	memory   *memoryLimit
	// lastBytesTime is how long the last bytes of a connection may wait for room
	// in its socket: it does not count against the limit any more.
	lastBytesTime time.Duration
	// lingerTime is how long an answered client has to go.
	lingerTime time.Duration
	// lastAccepts is how long a loop goes on accepting, when it ends, those who have
	// asked before.
	lastAccepts time.Duration
	// mostShaking is how many TLS handshakes a loop runs at a time, and crowdTime
	// how long each may take while others wait to begin.
	mostShaking int
	crowdTime   time.Duration
	// pauseReported is when reportPause last spoke, in ns since started, and
	// tlsReported when something about TLS was logged.
	pauseReported, tlsReported atomic.Int64
	// eventReported is when an event of another server was last logged as lost.
	eventReported atomic.Int64
	throttle      throttle // of messages to many
	// plainSends says once that there is no io_uring.
	plainSends sync.Once
	// giveUp is when the drain ends, in ns since started; 0 before it begins.
	giveUp atomic.Int64
	// forced counts the collections that POST /gc has made.
	forced atomic.Uint64
	published
}

// acceptPause is how long accepting rests when there are no files.
const acceptPause = 100 * time.Millisecond

// admit counts a stream in, unless the limit is reached.
func (c *core) admit() bool {
	for {
		n := c.streams.Load()
		if n >= c.limit {
			return false
		}
		if c.streams.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave counts a stream out.
func (c *core) leave() { c.streams.Add(-1) }

// New opens both listeners. Connections wait in the kernel until Run.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &core{
		Config: cfg, started: time.Now(), lastBytesTime: 30 * time.Second, lingerTime: 500 * time.Millisecond, lastAccepts: 250 * time.Millisecond,
		mostShaking: 1024, crowdTime: 2 * time.Second,
	}
	origins, err := wire.ParseOrigins(cfg.AllowOrigins)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	c.parser = wire.Parser{MaxHead: cfg.MaxHeadBytes, MaxIDs: cfg.MaxIDs, Origins: origins}
	c.memory = newMemoryLimit(cfg.MemoryLimit)
	if c.tls, err = cfg.tlsConfig(); err != nil {
		return nil, err
	}
	if err := c.openAuthority(); err != nil {
		return nil, err
	}
	c.addresses, c.access = newAddressLimit(cfg.ConnectionLimit), newAccessLog(&cfg)
	admins, err := c.shareFiles(openFileLimit())
	if err != nil {
		return nil, err
	}
	if err := c.openSubscriptions(); err != nil {
		return nil, err
	}
	adminConfig := cfg.adminConfig()
	adminConfig.MaxConnections, adminConfig.MoreConnections = admins, "raise the open-file limit (ulimit -n) or lower --max-connections"
	admin, err := adminhttp.Listen(adminConfig)
	if err != nil {
		c.closeSubscriptions()
		return nil, listenError("admin listener", cfg.Admin, err)
	}
	var e engine
	if cfg.Engine == Epoll {
		e, err = newEpollEngine(c)
	} else {
		e, err = newStdEngine(c)
	}
	if err != nil {
		admin.Close()
		c.closeSubscriptions()
		return nil, err
	}
	c.warnOfCertificates()
	return &Server{core: c, engine: e, admin: admin}, nil
}

// Close frees the listeners and the exchange of a server that is not to be Run.
func (s *Server) Close() error {
	s.closeExchange()
	s.engine.close()
	defer s.core.closeSubscriptions()
	return s.admin.Close()
}

// Addr returns where streams are served.
func (s *Server) Addr() net.Addr { return s.engine.addr() }

// AdminAddr returns where messages and questions are taken.
func (s *Server) AdminAddr() net.Addr { return s.admin.Addr() }

// MaxConnections returns the largest number of streams that the server holds.
func (s *Server) MaxConnections() int64 { return s.core.limit }

// Run serves until ctx ends, continues for DrainDelay, and then drains: it
// accepts no more connections, delivers the messages that were accepted, and
// gives every stream its last chunk. It returns nil once all that is done, or a
// second after DrainTimeout at the latest, whatever clients do. Then it has
// closed Config.Exchange and the file of Config.Subscriptions.
func (s *Server) Run(ctx context.Context) error {
	// What start-up left behind is freed now, rather than at some point during
	// the first rush of connections, whose cost it would blur.
	debug.FreeOSMemory()
	stopLog := s.core.access.start()
	serving, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s.startExchange()
	var retired sync.WaitGroup
	retired.Go(func() {
		s.retire(ctx, serving)
		cancel(nil)
	})
	defer func() {
		cancel(nil)
		retired.Wait()
		s.closeExchange()
		s.core.closeSubscriptions()
	}()
	adminDone := make(chan error, 1)
	admin := newAdmin(serving, s)
	s.engine.takeIntake(admin)
	go func() { adminDone <- admin.Serve() }()
	engineDone := make(chan error, 1)
	var ending sync.WaitGroup
	ending.Go(func() {
		engineDone <- s.engine.serve(s.core.orGiveUp(admin.intakeEnded(serving), serving))
		stopLog() // only the engine logs
	})
	defer ending.Wait()
	var err error
	select {
	case err = <-engineDone:
		cancel(err)
		retired.Wait()
		ending.Go(s.closeExchange)
		err = errors.Join(err, admin.Shutdown(), <-adminDone)
	case err = <-adminDone:
		cancel(err)
		err = errors.Join(err, <-engineDone)
	}
	return err
}

// lastPatience limits what is left after the drain: a reader of the access log
// that is behind. Admin requests under way have as long, at the same time.
const lastPatience = 500 * time.Millisecond

// Stats returns the state and the counters. It is cheap.
func (s *Server) Stats() Stats {
	c := s.core
	st := Stats{
		Engine:         c.Engine,
		PID:            os.Getpid(),
		UptimeSeconds:  time.Since(c.started).Seconds(),
		Draining:       c.draining.Load(),
		Connections:    c.streams.Load(),
		MaxConnections: c.limit,
		Logins:         c.router.Logins(),
		Sent:           c.sent.Load(),
		Events:         c.events.Load(),
		Routed:         c.routed.Load(),
		Unaddressed:    c.unaddressed.Load(),

		CollectionsForced: c.forced.Load(),
	}
	if c.access != nil {
		st.AccessLogDropped = c.access.dropped.Load()
	}
	s.engine.addStats(&st)
	s.addExchangeStats(&st)
	return st
}

// listenError explains why an address cannot be listened on.
func listenError(what, address string, err error) error {
	var hint string
	switch {
	case neterr.IsAddrInUse(err):
		hint = ": another program listens there (see `ss -ltnp`); choose another port, or 0 for a free one"
	case neterr.IsAddrNotAvail(err):
		hint = ": this machine has no such address"
	case errors.Is(err, os.ErrPermission):
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
	}
	return fmt.Errorf("server: cannot open the %s on %s: %w%s", what, address, err, hint)
}

// reportPause logs that accepting pauses, and why, at most once per second.
func (c *core) reportPause(err error) {
	if !c.mayReport(&c.pauseReported) {
		return
	}
	if !neterr.IsTooManyFiles(err) && !neterr.IsOutOfMemory(err) && !errors.Is(err, errFilesKept) {
		c.Logger.Warn("accepting pauses: the system does not give us a connection", "error", err)
		return
	}
	c.Logger.Warn("accepting pauses: no more files or memory for connections; raise the open-file limit (ulimit -n) or lower --max-connections",
		"error", err, "open_files_limit", openFileLimit(), "connections", c.streams.Load())
}
