package bench

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"example.org/comet/msggen"
)

// This file renders the command lines of the parts, and is the only one that
// spells their flags.

// arguments is a command line under construction.
type arguments []string

// set adds flags, each name with its value.
func (a *arguments) set(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		*a = append(*a, fmt.Sprint("--", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
}

// unless adds a flag unless its value is the zero value.
func unless[T comparable](a *arguments, name string, value T) {
	if value != *new(T) {
		a.set(name, value)
	}
}

// list adds a flag once for each value.
func (a *arguments) list(name string, values []string) {
	for _, v := range values {
		a.set(name, v)
	}
}

// serveArgs returns the arguments of server i, whose router is at url if there is
// one.
func serveArgs(c *Config, p *plan, i int, url string) []string {
	var a arguments
	a.set("listen", p.pairs[i].listen, "admin", p.pairs[i].admin, "engine", c.Engine)
	a = append(a, "--json", "--end-with-stdin")
	unless(&a, "loops", loops(c, len(p.pairs)))
	if p.routed {
		a.set("interest", c.Interest, "name", fmt.Sprintf("node-%d", i+1))
		a = append(a, routerArgs(c, url)...)
	}
	return a
}

// loops returns how many event loops each server is given, 0 if it may choose.
func loops(c *Config, servers int) int {
	if c.Loops == 0 && servers > 1 {
		return max(runtime.NumCPU()/servers, 1)
	}
	return c.Loops
}

// routerArgs returns the arguments that lead a part to the router: the user's
// own, or ours at url.
func routerArgs(c *Config, url string) []string {
	if len(c.Router) > 0 {
		return c.Router
	}
	return []string{"--router", url}
}

// routeArgs returns the arguments of our router.
func routeArgs(p *plan) []string {
	return []string{"--listen", p.listen, "--admin", p.listen, "--json", "--end-with-stdin"}
}

// floodArgs returns the arguments of flood i, which finds its streams by those in
// to, and logs to a file unless that is "".
func floodArgs(c *Config, p *plan, i int, to []string, log string) []string {
	one := p.pairs[i]
	a := append(arguments(nil), to...)
	a.set("connections", one.connections, "connect-rate", c.ConnectRate, "in-flight", c.InFlight,
		"ids", fmt.Sprintf("%d-%d", one.firstID, one.lastID()))
	a = append(a, "--json", "--attended")
	a.set("run", p.run)
	unless(&a, "connect-timeout", c.ConnectTimeout)
	a.list("header", c.Header)
	unless(&a, "log", log)
	a.list("source-ip", one.sources)
	if p.rate.max {
		// The window can be no finer than the news of what was delivered.
		a.set("sample-interval", newsInterval(len(p.pairs)))
	}
	return a
}

// newsInterval returns how often a flood reports what was delivered, where a
// window waits for it: all together some hundred times per second.
func newsInterval(floods int) time.Duration {
	return min(max(20*time.Millisecond, time.Duration(floods)*5*time.Millisecond), 250*time.Millisecond)
}

// msggenArgs returns the arguments of the generator, which finds where messages
// go by those in to, for the ids that get any.
func msggenArgs(c *Config, p *plan, to []string) []string {
	var a arguments
	a.set("rate", c.Rate, "senders", c.Senders, "first-id", p.firstID, "max-id", p.lastID, "duration", c.Duration, "size", c.Size,
		"distribution", c.Distribution, "arrivals", c.Arrivals, "seed", c.Seed, "window", c.Window, "run", p.run)
	a = append(a, "--json", "--feedback")
	return append(a, to...)
}

// publishArgs returns the arguments by which the generator publishes each message
// by itself.
func publishArgs(p *msggen.PublishConfig) []string {
	var a arguments
	a.set("publish", p.URL, "publish-connections", max(p.Connections, 1))
	unless(&a, "method", p.Method)
	unless(&a, "body", p.Body)
	a.list("header", p.Header)
	return a
}

// memlogArgs returns the arguments of what logs the memory of processes, told of
// them by those in what, into a folder.
func memlogArgs(c *Config, folder string, what []string) []string {
	interval := c.Interval
	if interval == 0 {
		interval = sampleInterval(c.Connections)
	}
	a := append(arguments(nil), what...)
	a.set("interval", interval, "out", filepath.Join(folder, memLog))
	return append(a, "--end-with-stdin")
}

// sampleInterval keeps the witness from disturbing: counting a million sockets
// takes the kernel 0.7 s.
func sampleInterval(connections int) time.Duration {
	return max(time.Second, (time.Duration(connections) * 60 * time.Microsecond).Round(time.Second))
}

// pidArgs returns the arguments that have processes logged, with connections
// counted at the addresses in listen.
func pidArgs(pids []int32, listen []string) []string {
	var a arguments
	a.set("pid", pidList(pids))
	a.list("listen", listen)
	return a
}

// serverArgs returns those arguments for servers of ours, by their addresses.
// What a server that is alone says of itself is logged too.
func serverArgs(pids []int32, addrs, stats []string) []string {
	a := append(pidArgs(pids, countedAt(addrs)), "--no-children")
	if len(stats) == 1 {
		a = append(a, "--stats", stats[0]+"/stats")
	}
	return a
}

// intakeArgs returns the arguments by which the generator finds the intake of a
// server of ours.
func intakeArgs(admin string) []string { return []string{"--to", admin + "/send"} }

// urlsArgs returns the arguments by which a flood finds a file of URLs.
func urlsArgs(file string) []string { return []string{"--urls", file} }

func pidList(pids []int32) string {
	texts := make([]string, len(pids))
	for i, pid := range pids {
		texts[i] = strconv.Itoa(int(pid))
	}
	return strings.Join(texts, ",")
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
