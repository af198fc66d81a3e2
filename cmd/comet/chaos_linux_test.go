//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/wire"
)

// chaos is three front ends and three brokers under traffic, to which things happen. Each
// front end has a group of clients, and a generator that sends to them, so that it is
// known of each message whose it was.
type chaos struct {
	*testing.T
	rng             *rand.Rand
	brokers, fronts []*chaosPart
	clients         []*chaosClient
	here, far       chaosHost
	disk            string
	small           bool // the disk
	faults          []chaosFault
	begun           time.Time
}

// chaosGroup is how many clients a front end has, and chaosRate the messages per second
// to all of them.
const (
	chaosGroup = 100
	chaosRate  = 1000
)

// chaosSetting returns a whole number of the environment.
func chaosSetting(t *testing.T, name string, or int64) int64 {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return or
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q: it must be a whole number from 1", name, value)
	}
	return n
}

// TestChaos injects random faults for CHAOS_SECONDS, and then accounts for every
// message: it was delivered, or a fault explains why not, among those that the generator
// says were refused or are unknown, and those that a server says it dropped.
func TestChaos(t *testing.T) {
	seed := chaosSetting(t, "CHAOS_SEED", time.Now().UnixNano())
	seconds := time.Duration(chaosSetting(t, "CHAOS_SECONDS", 300)) * time.Second
	t.Logf("CHAOS_SEED=%d", seed)
	c := &chaos{T: t, rng: rand.New(rand.NewPCG(uint64(seed), 0))}
	c.here, c.far = chaosHosts(t)
	c.disk, c.small = smallDisk(t)
	t.Setenv("COMET_ROUTER_CREDENTIALS", "chaos:a secret of the test") // off loopback it takes one
	c.startParts()
	ledger := newChaosLedger(func(id wire.Sequence) int { return (int(id) - 1) / chaosGroup })
	for i, front := range c.fronts {
		for n := range chaosGroup {
			c.clients = append(c.clients, &chaosClient{host: c.here, address: front.listen, id: i*chaosGroup + n + 1, ledger: ledger})
		}
	}
	stop := startChaosClients(c.clients)
	defer stop()
	c.await("all clients are connected", func() bool {
		return !slices.ContainsFunc(c.fronts, func(p *chaosPart) bool { return !c.isReady(p) || p.stats(t).Connections != chaosGroup })
	})
	for i := range c.fronts {
		for id := i*chaosGroup + 1; id <= (i+1)*chaosGroup; id += chaosGroup - 1 {
			c.await("brokers know of the clients", func() bool { return c.reached(id) })
		}
	}
	c.begun = time.Now()
	var generators []*generator
	for i := range c.fronts {
		args := msggenArgs(c.brokerURLs(), i*chaosGroup+1, (i+1)*chaosGroup, "--rate", fmt.Sprint(float64(chaosRate)/float64(len(c.fronts))), "--distribution", "sequential")
		cmd, out := c.here.start(t, args...)
		generators = append(generators, &generator{cmd, out})
	}
	c.whole(c.begun)
	for end := time.Now().Add(seconds); time.Now().Before(end); {
		time.Sleep(time.Second + time.Duration(c.rng.Int64N(int64(2*time.Second))))
		c.strike()
	}
	time.Sleep(chaosSilence) // so that each client has heard more, however it came back
	var sent sentCounts
	for _, g := range generators {
		one := g.stop(t)
		sent.Asked, sent.Sent, sent.Refused, sent.Unknown = sent.Asked+one.Asked, sent.Sent+one.Sent, sent.Refused+one.Refused, sent.Unknown+one.Unknown
	}
	for end := time.Now().Add(20 * time.Second); !c.complete() && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	if !c.complete() {
		t.Error("the last messages of some ids have not come")
	}
	c.judge(sent, ledger.account(c.begun, c.faults), ledger)
}

// complete reports whether each client has the last message to it. A generator sends to
// one client of its group after the other, at equal times.
func (c *chaos) complete() bool {
	step := time.Second * time.Duration(len(c.fronts)) / chaosRate
	for group := range slices.Chunk(c.clients, chaosGroup) {
		oldest, newest := int64(math.MaxInt64), int64(0)
		for _, k := range group {
			heard := k.heard.Load()
			oldest, newest = min(oldest, heard), max(newest, heard)
		}
		if time.Duration(newest-oldest) >= chaosGroup*step {
			return false
		}
	}
	return true
}

// judge prints what became of the messages, and fails if any is unaccounted for.
func (c *chaos) judge(sent sentCounts, a chaosAccount, ledger *chaosLedger) {
	var dropped chaosStats
	for _, p := range c.fronts {
		s := p.stats(c.T)
		dropped.DroppedClosed += s.DroppedClosed
		dropped.DroppedSlow += s.DroppedSlow
		dropped.DroppedOverrun += s.DroppedOverrun
		dropped.Router.DroppedSlowConsumer += s.Router.DroppedSlowConsumer
	}
	count := map[string]int{}
	for _, f := range c.faults {
		count[f.what]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-34s %6s %8s\n", "fault", "times", "missing")
	for _, what := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&b, "%-34s %6d %8d\n", what, count[what], a.missing[what])
	}
	fmt.Fprintf(&b, "%s\ndelivered %d, missing %d of which unexplained %d, duplicates %d\n", sent, a.delivered, a.lost(), len(a.unexplained), len(ledger.duplicates))
	fmt.Fprintf(&b, "the front ends that live say they dropped: closed %d, slow %d, overrun %d, slow consumer %d\n", dropped.DroppedClosed, dropped.DroppedSlow, dropped.DroppedOverrun, dropped.Router.DroppedSlowConsumer)
	c.Log(b.String())
	if len(a.unexplained) > 0 {
		c.Errorf("%d messages are missing without an explanation, such as %s", len(a.unexplained), a.unexplained[0])
	}
	if len(ledger.duplicates) > 0 {
		c.Errorf("%d messages came twice, such as %s", len(ledger.duplicates), ledger.duplicates[0])
	}
	// What is refused since no broker can be reached gets no number: it is not asked for.
	if a.asked > sent.Asked || a.asked < sent.Asked-sent.Refused {
		c.Errorf("the clients know of %d messages of %s", a.asked, sent)
	}
	if a.delivered > sent.Sent+sent.Unknown {
		c.Errorf("delivered %d of %s", a.delivered, sent)
	}
}

// startParts starts brokers, a cluster of three, and front ends, of which one is far.
func (c *chaos) startParts() {
	for i := range 3 {
		cluster := fmt.Sprintf("%s:%d", c.here.address, 6222+i)
		args := []string{"router", "--cluster-listen", cluster}
		for other := range 3 {
			if other != i {
				args = append(args, "--routes", fmt.Sprintf("nats://%s:%d", c.here.address, 6222+other))
			}
		}
		c.brokers = append(c.brokers, newChaosPart(fmt.Sprint("broker ", i+1), c.here, 4222+10*i, args...))
	}
	for _, p := range c.brokers {
		p.run(c.T)
	}
	for i, at := range []chaosHost{c.here, c.here, c.far} {
		log := filepath.Join(c.disk, fmt.Sprint(i, ".log"))
		p := newChaosPart(fmt.Sprint("front end ", i+1), at, 8000+10*i, "serve", "--router", c.brokerURLs(), "--access-log", log, "--access-log-sample", "1", "--name", fmt.Sprint("front-", i+1))
		c.fronts = append(c.fronts, p)
		p.run(c.T)
	}
}

func (c *chaos) brokerURLs() string {
	var urls []string
	for _, p := range c.brokers {
		urls = append(urls, "nats://"+p.listen)
	}
	return strings.Join(urls, ",")
}

func (c *chaos) isReady(p *chaosPart) bool {
	code, _ := p.ask("GET", "/readyz", nil)
	return code == 200
}

// reached reports whether a message through each broker reaches the client of id.
func (c *chaos) reached(id int) bool {
	for _, p := range c.brokers {
		cmd, out := c.here.start(c.T, "send", "--json", "--router", "nats://"+p.listen, strconv.Itoa(id), "Hello World")
		c.await("comet send has ended", func() bool { return ended(cmd) })
		var answer struct{ Reached int }
		if _ = json.Unmarshal([]byte(printed(out)), &answer); answer.Reached != 1 {
			return false
		}
	}
	return true
}

// await waits for a condition, for longer than any fault takes to be over.
func (c *chaos) await(what string, holds func() bool) {
	c.Helper()
	for end := time.Now().Add(90 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("after 90 s still not: %s", what)
		}
	}
}

// whole waits until each client has had a message that was due after a time, since then
// all is as it was, and returns when that was.
func (c *chaos) whole(after time.Time) time.Time {
	c.Helper()
	c.await("every client has messages again", func() bool {
		return !slices.ContainsFunc(c.clients, func(k *chaosClient) bool { return k.heard.Load() < after.UnixNano() })
	})
	return time.Now()
}
