//go:build !nonats

package broker

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

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/internal/tidy"
)

// Broker is a router. Its methods are safe for concurrent use, but Run is called
// once.
type Broker struct {
	cfg   Config
	nats  *server.Server
	log   *natsLog
	admin *adminhttp.Server
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

// startTimeout is how long the NATS server may take to listen, and to let this process
// in.
const startTimeout = 10 * time.Second

// New opens the listeners. Clients are served from then on, so that they
// find a router as soon as its address is known; the admin listener answers
// once Run runs.
func New(cfg Config) (*Broker, error) { return newBroker(cfg, nil) }

// newBroker lets tests change the NATS server's options.
func newBroker(cfg Config, change func(*server.Options)) (*Broker, error) {
	cfg = cfg.withDefaults()
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	if change != nil {
		change(options)
	}
	admin, err := adminhttp.Listen(cfg.adminConfig())
	if err != nil {
		return nil, errors.Join(cfg.tryListen(), cfg.listenError("admin listener", "--admin", cfg.Admin, err))
	}
	b := &Broker{cfg: cfg, admin: admin, log: newNATSLog(cfg.Logger), started: time.Now()}
	if err := b.start(options); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// start starts the NATS server and listens to the nodes' reports.
func (b *Broker) start(options *server.Options) error {
	var err error
	if b.nats, err = server.NewServer(options); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	b.nats.SetLoggerV2(b.log, b.log.debug, false, false)
	clustered := options.Cluster.Port != 0 // from Start on, the options are the server's
	b.nats.Start()
	if err := b.listening(clustered); err != nil {
		return err
	}
	b.url = b.cfg.scheme() + "://" + reachable(b.nats.Addr())
	own := []nats.Option{
		nats.InProcessServer(b.nats),
		nats.Name(ownName),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.Timeout(startTimeout),
	}
	login, err := natsrouter.Servers{Credentials: b.cfg.Credentials}.Login()
	if err != nil {
		return err
	}
	if login != nil {
		own = append(own, login)
	}
	if b.own, err = nats.Connect("", own...); err != nil {
		return fmt.Errorf("broker: the router refuses its own login: %w", err)
	}
	if _, err = b.own.Subscribe(natsrouter.ReportSubject+">", func(m *nats.Msg) { b.nodes.take(m.Data, time.Now()) }); err == nil {
		err = b.own.Flush() // so that the server knows of it before anybody can report
	}
	if err != nil {
		return fmt.Errorf("broker: the nodes' reports: %w", err)
	}
	return nil
}

// ownName is this process's name in the server's list of clients.
const ownName = "comet router"

// listening waits until the NATS server listens on all its addresses, or has
// given the reason why it cannot.
func (b *Broker) listening(clustered bool) error {
	deadline := time.After(startTimeout)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if b.nats.Addr() != nil && (!clustered || b.nats.ClusterAddr() != nil) {
			return nil
		}
		select {
		case err := <-b.log.fatal:
			if b.nats.Addr() != nil {
				return b.cfg.listenError("cluster listener", "--cluster-listen", b.cfg.ClusterListen, err)
			}
			return b.cfg.listenError("router", "--listen", b.cfg.Listen, err)
		case <-deadline:
			return fmt.Errorf("broker: after %v the NATS server does not listen on %s", startTimeout, b.cfg.Listen)
		case <-tick.C:
		}
	}
}

// Close frees the listeners of a router that is not to be Run.
func (b *Broker) Close() error {
	if b.own != nil {
		b.own.Close()
	}
	if b.nats != nil {
		b.nats.Shutdown()
		b.nats.WaitForShutdown()
	}
	return b.admin.Close()
}

// Addr returns where clients are served.
func (b *Broker) Addr() net.Addr { return b.nats.Addr() }

// AdminAddr returns where the admin listener listens.
func (b *Broker) AdminAddr() net.Addr { return b.admin.Addr() }

// ClusterAddr returns where other routers connect, nil if nowhere.
func (b *Broker) ClusterAddr() net.Addr {
	if addr := b.nats.ClusterAddr(); addr != nil {
		return addr
	}
	return nil
}

// URL returns what clients connect to. A router that listens on every address of
// the machine names one that other machines can reach.
func (b *Broker) URL() string { return b.url }

// RouteURL returns what other routers connect to in order to make a cluster with
// this one, empty if it takes none.
func (b *Broker) RouteURL() string {
	addr := b.ClusterAddr()
	if addr == nil {
		return ""
	}
	return "nats://" + reachable(addr)
}

// reachable returns addr, with one address of this machine in place of all.
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
func (b *Broker) Run(ctx context.Context) error {
	debug.FreeOSMemory()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.addPages()
	adminDone := make(chan error, 1)
	go func() { adminDone <- b.admin.Serve() }()
	var beside sync.WaitGroup
	beside.Go(func() { b.reportCluster(ctx) })
	beside.Go(func() { tidy.Memory(ctx, b.nats.GlobalAccount().TotalSubs, debug.FreeOSMemory) })
	var err error
	select {
	case <-ctx.Done():
		b.draining.Store(true)
		b.drain()
		err = errors.Join(b.admin.Shutdown(), <-adminDone)
	case err = <-adminDone:
		b.draining.Store(true)
		b.drain()
	}
	cancel()
	beside.Wait()
	return err
}

// drain ends the NATS server. It tells the clients of a cluster first, and
// waits for them to go elsewhere.
func (b *Broker) drain() {
	b.own.Close()
	if b.nats.NumRemotes() > 0 {
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			b.nats.LameDuckShutdown()
		}()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for moving := true; moving && b.nats.NumClients() > 0; {
			select {
			case <-moved:
				moving = false
			case <-tick.C:
			}
		}
		b.nats.Shutdown() // so that it waits only while there are clients to wait for
		<-moved
	}
	b.nats.Shutdown()
	b.nats.WaitForShutdown()
}
