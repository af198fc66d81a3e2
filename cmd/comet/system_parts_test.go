//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The parts of a cluster, each a process of its own, and what they say of
// themselves.

// someAddress returns a loopback address that hardly anybody else uses now.
func someAddress() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), 1+rand.N(254))
}

// serverNode is a comet server that is one of many.
type serverNode struct {
	*exec.Cmd
	out         *output
	addr, admin string
}

// startNode starts one that takes its messages from routers.
func startNode(t *testing.T, routers string, args ...string) *serverNode {
	t.Helper()
	host := someAddress()
	return startNodeAt(t, host+":0", host+":0", routers, args...)
}

func startNodeAt(t *testing.T, listen, admin, routers string, args ...string) *serverNode {
	t.Helper()
	cmd, out := background(t, "comet", append([]string{"serve", "--json", "--listen", listen, "--admin", admin, "--router", routers}, args...)...)
	n := &serverNode{Cmd: cmd, out: out}
	var at struct{ Addr, Admin string }
	if err := json.Unmarshal([]byte(out.await(t, `\{"type":"listening".*\}`)), &at); err != nil {
		t.Fatal(err)
	}
	n.addr, n.admin = at.Addr, at.Admin
	return n
}

// nodeStats is what these tests read of a node's /stats.
type nodeStats struct {
	Connections    int
	RefusedAway    int `json:"refused_away"`
	DroppedClosed  int `json:"dropped_closed"`
	DroppedSlow    int `json:"dropped_slow"`
	DroppedOverrun int `json:"dropped_overrun"`
	Router         struct {
		URL                    string
		Ready                  bool
		Reconnects             int
		Subscriptions, Pending int
		Routed, Unaddressed    int
		DroppedSlowConsumer    int `json:"dropped_slow_consumer"`
	}
}

func (n *serverNode) stats(t *testing.T) (s nodeStats) {
	t.Helper()
	_, body := askAdmin(t, "http://"+n.admin+"/stats")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// drops returns the messages that the node discarded, by reason.
func (s nodeStats) drops() string {
	return fmt.Sprintf("dropped: closed %d, slow %d, overrun %d, slow consumer %d; unaddressed %d",
		s.DroppedClosed, s.DroppedSlow, s.DroppedOverrun, s.Router.DroppedSlowConsumer, s.Router.Unaddressed)
}

func (n *serverNode) ready(t *testing.T) bool {
	t.Helper()
	code, _ := askAdmin(t, "http://"+n.admin+"/readyz")
	return code == 200
}

// until polls quickly, for what is to be timed.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 30 s still not: %s", what)
		}
	}
}

// floodRun is a flood, which samples what it has 50 times a second.
type floodRun struct {
	*exec.Cmd
	out *output
}

// floodCounts are a flood's figures at a time.
type floodCounts struct {
	Time                                      time.Time
	Connected, Closed, Failed, Chunks         int
	Delivered, Duplicated, Reordered, Missing int
}

// startFlood opens the streams, and returns once they are open.
func startFlood(t *testing.T, urls []string) *floodRun {
	t.Helper()
	f := startFloodBy(t, []string{"comet"}, urls)
	f.await(t, len(urls))
	return f
}

// startFloodBy has the command line begin with that, and does not wait.
func startFloodBy(t *testing.T, begin, urls []string, args ...string) *floodRun {
	t.Helper()
	file := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(file, []byte(strings.Join(urls, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd, out := background(t, begin[0], append(append(begin[1:], "flood", "--json", "--sample-interval", "20ms", "--urls", file), args...)...)
	return &floodRun{cmd, out}
}

// await waits until so many connections are open.
func (f *floodRun) await(t *testing.T, connections int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d connections are open", connections), func() bool { return f.now(t).Connected == connections })
}

// streams returns the URLs of the streams of ids at a node.
func streams(addr string, first, last int) (urls []string) {
	for id := first; id <= last; id++ {
		urls = append(urls, fmt.Sprintf("http://%s/test/%d", addr, id))
	}
	return urls
}

// samples returns all the figures so far, oldest first.
func (f *floodRun) samples(t *testing.T) (all []floodCounts) {
	t.Helper()
	var text string
	f.out.locked(func() { text = f.out.text.String() })
	for line := range strings.Lines(text) {
		var one floodCounts
		if !strings.HasPrefix(line, `{"type":`) || !strings.HasSuffix(line, "\n") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("the flood printed %q: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

// now returns the newest figures.
func (f *floodRun) now(t *testing.T) (c floodCounts) {
	t.Helper()
	if all := f.samples(t); len(all) > 0 {
		c = all[len(all)-1]
	}
	return c
}

// settle waits until nothing has come for a second, in which the flood looked many
// times: one that a busy machine keeps from looking has not settled. It returns the
// figures.
func (f *floodRun) settle(t *testing.T) (c floodCounts) {
	t.Helper()
	begun := time.Now()
	eventually(t, "nothing comes any more", func() bool {
		looked, since := 0, time.Time{} // at c.Chunks
		for _, s := range f.samples(t) {
			switch {
			case s.Time.Before(begun):
				continue
			case looked == 0 || s.Chunks != c.Chunks:
				looked, since = 0, s.Time
			}
			looked, c = looked+1, s
		}
		return looked >= 10 && c.Time.Sub(since) > time.Second
	})
	return c
}

// stillness returns the longest time without a message between from and to.
func (f *floodRun) stillness(t *testing.T, from, to time.Time) (longest time.Duration) {
	t.Helper()
	last, since := -1, from
	for _, s := range f.samples(t) {
		if s.Delivered != last {
			if since.After(from) && s.Time.Before(to) {
				longest = max(longest, s.Time.Sub(since))
			}
			last, since = s.Delivered, s.Time
		}
	}
	return longest.Round(time.Millisecond)
}

// end ends the flood and returns its result.
func (f *floodRun) end(t *testing.T) floodCounts {
	t.Helper()
	f.Process.Signal(syscall.SIGINT)
	f.out.await(t, `\{"type":"result".*\n`)
	return f.now(t)
}

// generator is a comet msggen that runs.
type generator struct {
	*exec.Cmd
	out *output
}

// sentCounts is the result of a generator.
type sentCounts struct{ Asked, Sent, Refused, Unknown, Unanswered int }

func (s sentCounts) String() string {
	return fmt.Sprintf("asked %d: sent %d, refused %d, unknown %d", s.Asked, s.Sent, s.Refused, s.Unknown)
}

// startMsggen starts one that sends to ids first to last.
func startMsggen(t *testing.T, routers string, first, last int, args ...string) *generator {
	t.Helper()
	cmd, out := background(t, "comet", msggenArgs(routers, first, last, args...)...)
	return &generator{cmd, out}
}

func msggenArgs(routers string, first, last int, args ...string) []string {
	return append([]string{"msggen", "--json", "--router", routers, "--first-id", strconv.Itoa(first), "--max-id", strconv.Itoa(last)}, args...)
}

// result waits until the generator has ended by itself. Everything that was due
// is accounted for.
func (g *generator) result(t *testing.T) (s sentCounts) {
	t.Helper()
	line := g.out.await(t, `\{"type":"result".*\}`)
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		t.Fatal(err)
	}
	if s.Sent+s.Refused+s.Unknown != s.Asked || s.Unanswered != 0 || s.Asked == 0 {
		t.Errorf("the generator lost count: %s, unanswered %d", s, s.Unanswered)
	}
	return s
}

// stop ends a generator that has no planned end.
func (g *generator) stop(t *testing.T) sentCounts {
	t.Helper()
	g.Process.Signal(syscall.SIGINT)
	return g.result(t)
}

// sendOne sends one message with comet send, and returns what it reached.
func sendOne(t *testing.T, routers string, id int) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "comet", "send", "--json", "--router", routers, strconv.Itoa(id), "Hello World").Output()
	if err != nil {
		t.Fatalf("comet send: %v", err)
	}
	var answer struct{ Reached int }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("comet send printed %q", out)
	}
	return answer.Reached
}

// reaches waits until a message to id reaches so many connections, as routers of
// a cluster tell each other what is asked of them a little later.
func reaches(t *testing.T, routers string, id, connections int) {
	t.Helper()
	eventually(t, fmt.Sprintf("a message to %d reaches %d", id, connections), func() bool { return sendOne(t, routers, id) == connections })
}
