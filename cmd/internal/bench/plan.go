package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strconv"

	"example.org/comet/sysctl"
)

// plan is where the parts meet.
type plan struct {
	listen, admin string
	sources       string // for flood's --source-ip; "" leaves it to the kernel
}

// makePlan chooses addresses and refuses what this machine cannot hold.
func makePlan(connections int) (plan, error) {
	p := plan{listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
	system, err := sysctl.Read()
	if errors.Is(err, errors.ErrUnsupported) {
		return p, nil
	}
	sources := 0
	if runtime.GOOS == "linux" {
		// Not quite all ports of an address: some are taken.
		perSource := 25_000
		if system.PortLow.Known() && system.PortHigh.Known() {
			perSource = max(int(system.PortHigh-system.PortLow+1)*9/10, 1)
		}
		// The whole of 127.0.0.0/8 is this machine. An address that nothing used
		// lately has all its ports free, of TIME_WAIT as well.
		server := netip.AddrFrom4([4]byte{127, byte(16 + rand.IntN(200)), byte(rand.IntN(256)), 1})
		p.listen = netip.AddrPortFrom(server, 0).String()
		p.admin = p.listen
		sources = (connections + perSource - 1) / perSource
		first := server.Next()
		last := first
		for range sources - 1 {
			last = last.Next()
		}
		p.sources = first.String() + "-" + last.String()
	}
	need := sysctl.Need{Connections: connections, Role: sysctl.Both, SourceAddresses: sources}
	return p, sysctl.Refusal(need, sysctl.Check(need, system))
}

func (c *Config) serveArgs(p plan) []string {
	args := []string{"--listen", p.listen, "--admin", p.admin, "--engine", c.Engine, "--json", "--end-with-stdin"}
	if c.Loops > 0 {
		args = append(args, "--loops", strconv.Itoa(c.Loops))
	}
	return args
}

func (c *Config) memlogArgs(server int32, addr string, a admin, file string) []string {
	return []string{
		"--pid", fmt.Sprint(server), "--listen", addr, "--stats", a.url + "/stats",
		"--interval", c.Interval.String(), "--out", file, "--end-with-stdin",
	}
}

func (c *Config) floodArgs(p plan, addr, file string) []string {
	args := []string{
		"http://" + addr + "/test/{id}",
		"--connections", strconv.Itoa(c.Connections), "--connect-rate", c.ConnectRate, "--in-flight", strconv.Itoa(c.InFlight),
		"--json", "--attended", "--log", file,
	}
	if p.sources != "" {
		args = append(args, "--source-ip", p.sources)
	}
	if c.Rate == "max" {
		// The window can be no finer than the news of what was delivered.
		args = append(args, "--sample-interval", "20ms")
	}
	return args
}

func (c *Config) msggenArgs(a admin) []string {
	return []string{
		"--to", a.url + "/send", "--rate", c.Rate, "--senders", strconv.Itoa(c.Senders),
		"--max-id", strconv.Itoa(c.Connections), "--duration", c.Duration.String(), "--size", c.Size,
		"--distribution", c.Distribution, "--arrivals", c.Arrivals,
		"--seed", strconv.FormatUint(c.Seed, 10), "--window", strconv.Itoa(c.Window), "--json", "--feedback",
	}
}
