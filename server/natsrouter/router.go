package natsrouter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Router is a NATS server in this process, with an admin listener that tells
// what goes through it and which nodes there are. Its methods are safe for
// concurrent use, but Run is called once.
//
//	r, err := natsrouter.NewRouter(natsrouter.RouterConfig{})
//	if err != nil { … }
//	err = r.Run(ctx) // until ctx ends
type Router struct {
	cfg   RouterConfig
	nats  *server.Server
	log   *natsLog
	admin net.Listener
	// own is this process's connection to its own server, on which the nodes'
	// reports arrive: those of the whole cluster.
	own      *nats.Conn
	url      string
	nodes    nodeTable
	started  time.Time
	draining atomic.Bool
	// forced counts the collections that POST /gc has made.
	forced atomic.Uint64
}

// startTimeout is how long the NATS server may take to listen.
const startTimeout = 10 * time.Second

// NewRouter opens the listeners. Clients are served from then on, so that they
// find a router as soon as its address is known; the admin listener answers
// once Run runs.
func NewRouter(cfg RouterConfig) (*Router, error) { return newRouter(cfg, nil) }

// newRouter lets tests change the NATS server's options.
func newRouter(cfg RouterConfig, change func(*server.Options)) (*Router, error) {
	cfg = cfg.withDefaults()
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(options)
	}
	admin, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", cfg.Admin)
	if err != nil {
		return nil, errors.Join(cfg.tryListen(), cfg.listenError("admin listener", "--admin", cfg.Admin, err))
	}
	r := &Router{cfg: cfg, admin: admin, log: newNATSLog(cfg.Logger), started: time.Now()}
	if err := r.start(options); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// start starts the NATS server and listens to the nodes' reports.
func (r *Router) start(options *server.Options) error {
	var err error
	if r.nats, err = server.NewServer(options); err != nil {
		return fmt.Errorf("natsrouter: %w", err)
	}
	r.nats.SetLoggerV2(r.log, r.log.debug, false, false)
	clustered := options.Cluster.Port != 0 // from Start on, the options are the server's
	r.nats.Start()
	if err := r.listening(clustered); err != nil {
		return err
	}
	r.url = r.cfg.scheme() + "://" + reachable(r.nats.Addr())
	own := []nats.Option{
		nats.InProcessServer(r.nats),
		nats.Name(ownName),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
	}
	login, err := r.cfg.login()
	if err != nil {
		return err
	}
	if login != nil {
		own = append(own, login)
	}
	if r.own, err = nats.Connect("", own...); err != nil {
		return fmt.Errorf("natsrouter: the router does not let itself in: %w", err)
	}
	if _, err = r.own.Subscribe(nodeSubject+">", func(m *nats.Msg) { r.nodes.take(m.Data, time.Now()) }); err != nil {
		return fmt.Errorf("natsrouter: the nodes' reports: %w", err)
	}
	return nil
}

// ownName is what the server's list of clients calls this process.
const ownName = "comet router"

// listening waits until the NATS server listens everywhere it is to, or has
// said why it cannot.
func (r *Router) listening(clustered bool) error {
	deadline := time.After(startTimeout)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if r.nats.Addr() != nil && (!clustered || r.nats.ClusterAddr() != nil) {
			return nil
		}
		select {
		case err := <-r.log.fatal:
			if r.nats.Addr() != nil {
				return r.cfg.listenError("cluster listener", "--cluster-listen", r.cfg.ClusterListen, err)
			}
			return r.cfg.listenError("router", "--listen", r.cfg.Listen, err)
		case <-deadline:
			return fmt.Errorf("natsrouter: after %v the NATS server does not listen on %s", startTimeout, r.cfg.Listen)
		case <-tick.C:
		}
	}
}

// Close frees the listeners of a router that is not to be Run.
func (r *Router) Close() error {
	if r.own != nil {
		r.own.Close()
	}
	if r.nats != nil {
		r.nats.Shutdown()
		r.nats.WaitForShutdown()
	}
	return r.admin.Close()
}

// Addr is where clients are served.
func (r *Router) Addr() net.Addr { return r.nats.Addr() }

// AdminAddr is where questions are answered.
func (r *Router) AdminAddr() net.Addr { return r.admin.Addr() }

// ClusterAddr is where other routers are taken, nil if nowhere.
func (r *Router) ClusterAddr() net.Addr {
	if addr := r.nats.ClusterAddr(); addr != nil {
		return addr
	}
	return nil
}

// URL is what clients are given to reach this router. One that listens on every
// address of the machine names one that other machines can reach.
func (r *Router) URL() string { return r.url }

// RouteURL is what other routers are given to make a cluster with this one,
// empty if it takes none.
func (r *Router) RouteURL() string {
	addr := r.ClusterAddr()
	if addr == nil {
		return ""
	}
	return "nats://" + reachable(addr)
}

// reachable is addr, with an address of this machine in place of all of them.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	host := "127.0.0.1"
	if name, err := os.Hostname(); err == nil {
		host = name
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		all = nil // the name will do
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			host = ip.IP.String()
			break
		}
	}
	return net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// Run serves until ctx ends. Then clients move to the other routers of the
// cluster, for which they have DrainTimeout; without others it ends at once. It
// returns nil when ctx ended it.
func (r *Router) Run(ctx context.Context) error {
	debug.FreeOSMemory()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	admin := newRouterAdmin(r)
	adminDone := make(chan error, 1)
	go func() { adminDone <- admin.serve(r.admin) }()
	var beside sync.WaitGroup
	beside.Go(func() { r.reportCluster(ctx) })
	beside.Go(func() { tidy(ctx, r.nats.GlobalAccount().TotalSubs, debug.FreeOSMemory) })
	var err error
	select {
	case <-ctx.Done():
		r.draining.Store(true)
		r.drain()
		err = errors.Join(admin.shutdown(), <-adminDone)
	case err = <-adminDone:
		r.draining.Store(true)
		r.drain()
	}
	cancel()
	beside.Wait()
	return err
}

// drain ends the NATS server. It tells the clients of a cluster first, and
// waits for them to go elsewhere.
func (r *Router) drain() {
	r.own.Close()
	if r.nats.NumRemotes() > 0 {
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			r.nats.LameDuckShutdown()
		}()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for moving := true; moving && r.nats.NumClients() > 0; {
			select {
			case <-moved:
				moving = false
			case <-tick.C:
			}
		}
		r.nats.Shutdown() // it waits no longer than there is somebody to wait for
		<-moved
	}
	r.nats.Shutdown()
	r.nats.WaitForShutdown()
}
