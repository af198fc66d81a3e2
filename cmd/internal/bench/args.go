package bench

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/memlog/sockdiag"
	"example.org/comet/msggen"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/broker"
)

// This file has the command lines of the parts, rendered by what parses them.

// serveArgs returns the arguments of server i, whose router is at url if there is
// one.
func serveArgs(c *Config, p *plan, i int, url string) []string {
	cmd := flags.ServeCommand{
		Config: server.Config{Listen: p.pairs[i].listen, Admin: p.pairs[i].admin, Engine: c.Engine, Loops: loops(c, len(p.servers()))},
		JSON:   true, EndWithStdin: true,
	}
	if c.friends != nil {
		cmd.Config.Subscriptions, cmd.Config.SubscriptionsReadOnly = c.friends.file, true
	}
	if c.TLS {
		cmd.Config.TLSCertFile, cmd.Config.TLSKeyFile, cmd.Config.TLSResume = p.certificate.certFile, p.certificate.keyFile, c.Streams.TLSResume
	}
	if p.routed {
		cmd.Node = natsrouter.NodeConfig{Interest: c.Interest, Name: fmt.Sprintf("node-%d", i+1)}
		cmd.Router = theRouter(c, url)
	}
	return flags.Args(cmd)
}

// loops returns how many event loops each server is given, 0 if it may choose.
func loops(c *Config, servers int) int {
	if c.Loops == 0 && servers > 1 {
		return max(runtime.NumCPU()/servers, 1)
	}
	return c.Loops
}

// theRouter returns the user's router, or ours at url.
func theRouter(c *Config, url string) flags.Router {
	if c.Router.Given() {
		return c.Router
	}
	return flags.Router{URLs: []string{url}}
}

// routerArgs returns the arguments that lead a generator to the router.
func routerArgs(c *Config, url string) []string {
	r := theRouter(c, url)
	return r.Args()
}

// routeArgs returns the arguments of our router.
func routeArgs(p *plan) []string {
	return flags.Args(flags.RouterCommand{Config: broker.Config{Listen: p.listen, Admin: p.listen}, JSON: true, EndWithStdin: true})
}

// floodCommand returns the flood of the connections of one, but for its URL, which logs
// to a file unless that is "".
func floodCommand(c *Config, p *plan, one pair, log string) flags.FloodCommand {
	cfg := c.Streams
	if c.TLS {
		cfg.TLS.CAFile = p.certificate.certFile
	}
	cfg.Connections, cfg.FirstID, cfg.LastID, cfg.Sources, cfg.Run = one.connections, one.firstID, one.lastID(), one.sources, p.runs
	cfg.Skip = one.skip
	if p.audience != nil {
		cfg.FanOut, cfg.TrackOneIn = true, p.audience.trackOneIn(p)
	}
	cfg.Ramp = c.Streams.Ramp.Part(one.connections, c.Connections)
	if p.away { // all hosts open theirs at the same time
		cfg.Ramp = c.Streams.Ramp
		cfg = cfg.AtOnce(cmp.Or(p.opening, c.Connections))
	}
	if c.Rate.Unpaced() {
		// The window can be no finer than the news of what was delivered.
		cfg.SampleInterval = newsInterval(len(p.pairs))
	}
	return flags.FloodCommand{Config: cfg, Log: log, JSON: true, Attended: true}
}

// newsInterval returns how often a flood reports what was delivered, where a
// window waits for it: all together some hundred times per second.
func newsInterval(floods int) time.Duration {
	return min(max(20*time.Millisecond, time.Duration(floods)*5*time.Millisecond), 250*time.Millisecond)
}

// msggenArgs returns the arguments of the generator, which finds where messages
// go by those in to, for the ids that get any.
func msggenArgs(c *Config, p *plan, to []string) []string {
	cfg := c.generator()
	cfg.FirstID, cfg.MaxID, cfg.Run, cfg.Reach = p.firstID, p.lastID, p.run, p.each
	if c.Target != nil {
		cfg.Users = c.Streams.Users
	}
	if a := p.audience; a != nil {
		cfg.Events, cfg.Users, cfg.FirstID, cfg.MaxID, cfg.Reach = true, c.friends.sending, a.draws.FirstID, a.draws.MaxID, a.reach()
	}
	return append(flags.Args(flags.MsggenCommand{Config: cfg, JSON: true, Feedback: true}), to...)
}

// publishArgs returns the arguments by which the generator publishes each message
// by itself.
func publishArgs(c *Config, p *msggen.PublishConfig) []string {
	cmd := flags.MsggenCommand{Publish: *p}
	cmd.Publish.Connections, cmd.Publish.Resolve = max(p.Connections, 1), c.Streams.Resolve
	if strings.HasPrefix(strings.ToLower(p.URL), "https:") {
		cmd.TLS = c.Streams.TLS
	}
	return flags.Args(cmd)
}

// intakeArgs returns the arguments by which the generator finds the intake of a
// server of ours.
func intakeArgs(admin string) []string {
	return flags.Args(flags.MsggenCommand{Config: msggen.Config{To: admin + "/send"}})
}

// ownURL returns where a server of ours at addr has its streams.
func ownURL(c *Config, addr string) string {
	path := map[flood.Protocol]string{flood.SSE: "events", flood.Poll: "poll", flood.WebSocket: "ws"}[c.Streams.Protocol]
	scheme := "http://"
	if c.TLS {
		scheme = "https://"
	}
	return scheme + addr + "/" + cmp.Or(path, "test") + "/{id}"
}

// memlogArgs returns the arguments of what logs the memory of processes, told of
// them by those in what, into a folder.
func memlogArgs(c *Config, folder string, what []string) []string {
	cfg := memlog.Config{Interval: c.Interval}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
		if count := countInterval(c.Connections); count > cfg.Interval {
			cfg.CountInterval = count
		}
	}
	cmd := flags.MemlogCommand{Config: cfg, Out: filepath.Join(folder, memLog), EndWithStdin: true}
	return append(flags.Args(cmd), what...)
}

// countInterval keeps the witness from disturbing: counting a million sockets
// takes the kernel 0.7 s.
func countInterval(connections int) time.Duration {
	return max(time.Second, (time.Duration(connections) * 60 * time.Microsecond).Round(time.Second))
}

// pidArgs returns the arguments that have processes logged, with connections
// counted at the addresses in listen.
func pidArgs(pids []int32, listen []string) []string {
	return flags.Args(flags.MemlogCommand{Config: memlog.Config{PIDs: pids, Listen: filters(listen)}})
}

// serverArgs returns those arguments for servers of ours, by their addresses.
// What a server that is alone says of itself is logged too.
func serverArgs(pids []int32, addrs, stats []string) []string {
	cfg := memlog.Config{PIDs: pids, Listen: filters(countedAt(addrs)), NoChildren: true}
	if len(stats) == 1 {
		cfg.StatsURL = stats[0] + "/stats"
	}
	return flags.Args(flags.MemlogCommand{Config: cfg})
}

// filters reads addresses, which are written by ourselves.
func filters(texts []string) (list []sockdiag.Filter) {
	for _, text := range texts {
		if f, err := sockdiag.ParseFilter(text); err == nil {
			list = append(list, f)
		}
	}
	return list
}

// countedAt returns where memlog counts the connections of servers of ours: the
// network that holds them all.
func countedAt(addrs []string) []string {
	if len(addrs) == 1 {
		return addrs
	}
	if first, err := netip.ParseAddrPort(addrs[0]); err == nil && runtime.GOOS == "linux" {
		if network, err := first.Addr().Prefix(16); err == nil {
			return []string{network.String()}
		}
	}
	return nil
}
