//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// listen opens a listener on the host, which this process serves from outside.
func (h *host) listen(t *testing.T, port int) net.Listener {
	t.Helper()
	runtime.LockOSThread() // for good: it is not known to be back where it was
	home, err1 := os.Open("/proc/thread-self/ns/net")
	there, err2 := os.Open("/run/netns/" + h.name)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	defer home.Close()
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", h.address, port))
	if backErr := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil || backErr != nil {
		t.Fatal(err, backErr)
	}
	runtime.UnlockOSThread()
	return listener
}

// startAgents starts agents of these names, each on a command line that begins so.
func startAgents(t *testing.T, login []string, begin map[string][]string) map[string]*exec.Cmd {
	t.Helper()
	agents := make(map[string]*exec.Cmd)
	for name, words := range begin {
		line := append(append(words, "comet", "agent", "--name", name), login...)
		cmd, out := background(t, line[0], line[1:]...)
		out.await(t, `waiting for work`)
		agents[name] = cmd
	}
	return agents
}

// agentsFigures are the figures of a result of several hosts.
type agentsFigures struct {
	truthFigures
	Connections   struct{ Asked, Established, Failed, Closed *int }
	Interrupted   bool
	InterruptedBy string `json:"interrupted_by"`
	Processes     struct {
		Lost []string
		List []struct {
			Role, Agent string
			Connections *int
			Lost        bool
		}
		Agents []struct {
			Name, Lost  string
			ClockOffset *float64 `json:"clock_offset_ms"`
		}
	}
	Notes []string
}

func readAgentsFigures(t *testing.T, folder string) (f agentsFigures) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// pseudo returns a number from 0 to 1 that belongs to n.
func pseudo(n int) float64 { return math.Mod(float64(n)*0.6180339887498949, 1) }

// TestSystemAgents measures a server with latencies of 20 to 200 ms from four hosts, and
// from one that has all the connections: the figures must agree, each held against what
// the server itself has written when. COMET_AGENTS_EACH is how many connections each of the
// four has.
func TestSystemAgents(t *testing.T) {
	each := 1000
	if n, err := strconv.Atoi(os.Getenv("COMET_AGENTS_EACH")); err == nil {
		each = n
	}
	network := newNetwork(t)
	hub := network.host(t, "hub")
	credentials := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(credentials, []byte("comet:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out := background(t, network.ip, hub.on("comet", "router", "--listen", hub.address+":4222", "--credentials", credentials)...)
	out.await(t, "router on nats://")
	login := []string{"--router", "nats://" + hub.address + ":4222", "--router-credentials", credentials}
	begin := make(map[string][]string)
	for i := range 4 {
		name := fmt.Sprint("load", i+1)
		begin[name] = append([]string{network.ip}, network.host(t, name).on()...)
	}
	startAgents(t, login, begin)

	ratio := make(map[string][2]float64)
	late := lateness(t)
	for i, agents := range []string{"load1", "load1,load2,load3,load4"} {
		truth := startTruthOn(t, hub.listen(t, 8077+i), faults{delay: func(n int) time.Duration {
			return 20*time.Millisecond + time.Duration(180*pseudo(n)*float64(time.Millisecond))
		}})
		folder := filepath.Join(t.TempDir(), "report")
		url := "http://" + truth.addr
		run(t, network.ip, hub.on(append([]string{
			"comet", "bench", "-q", "--url", url + "/sub/{id}", "--publish", url + "/pub/{id}", "--agents", agents,
			"-c", fmt.Sprint(4 * each), "-r", "400", "-d", "6s", "--idle", "1s", "--out", folder,
		}, login...)...)...)
		f, found := readAgentsFigures(t, folder), truth.found()
		if *f.Connections.Established != 4*each || f.Messages.Delivered == nil || *f.Messages.Delivered != found.delivered || *f.Messages.Missing != 0 {
			t.Errorf("%s: %+v, and the server has %d", agents, f.Connections, found.delivered)
		}
		if len(f.Processes.List) != strings.Count(agents, ",")+1 {
			t.Errorf("%s: the processes are %+v", agents, f.Processes.List)
		}
		h, err := hdrhistogram.Decode([]byte(*f.Histograms.Latency))
		if err != nil || int(h.TotalCount()) != *f.Messages.Delivered {
			t.Errorf("%s: the histogram has %d of %d messages, %v", agents, h.TotalCount(), *f.Messages.Delivered, err)
		}
		for name, one := range map[string]struct {
			figure *float64
			q      float64
		}{"p50": {f.Latency.P50, 0.5}, "p90": {f.Latency.P90, 0.9}, "p99": {f.Latency.P99, 0.99}} {
			both := ratio[name]
			both[i] = *one.figure / (found.quantile(one.q).Seconds() * 1000)
			ratio[name] = both
		}
		t.Logf("%s: p50 %.1f, p90 %.1f, p99 %.1f ms, clocks known to %.3f ms; the server's log has p50 %v, p90 %v, p99 %v", agents,
			*f.Latency.P50, *f.Latency.P90, *f.Latency.P99, *f.Latency.ClockError, found.quantile(0.5), found.quantile(0.9), found.quantile(0.99))
	}
	busy := late()
	for name, most := range map[string]float64{"p50": 0.05, "p90": 0.05, "p99": 0.1} {
		one, four := ratio[name][0], ratio[name][1]
		t.Logf("%s: four hosts %.4f of the server's log, one %.4f, ratio %.4f", name, four, one, four/one)
		switch off := math.Abs(four/one - 1); {
		case off <= most:
		case busy < 0.02:
			t.Errorf("%s of four hosts is %.1f %% off that of one", name, 100*off)
		default:
			t.Logf("%s of four hosts is %.1f %% off that of one; %.0f %% of this test's own timers were late: the machine is too busy to tell", name, 100*off, 100*busy)
		}
	}
}

// agentsOnLoopback starts a router and agents a1 and a2 on this host, and a server, and
// returns how bench is told of them.
func agentsOnLoopback(t *testing.T, f faults, clocks ...string) (truth *truthServer, agents map[string]*exec.Cmd, args []string) {
	t.Helper()
	address := someAddress()
	truth = startTruth(t, address+":0", f)
	_, out := background(t, "comet", "router", "--listen", address+":0", "--admin", address+":0")
	url := strings.TrimPrefix(out.await(t, `router on nats://[0-9.:]+`), "router on ")
	begin := map[string][]string{"a1": {"env"}, "a2": {"env"}}
	for i, ahead := range clocks {
		begin[fmt.Sprint("a", i+1)] = []string{"env", "TEST_CLOCK_AHEAD=" + ahead}
	}
	agents = startAgents(t, []string{"--router", url}, begin)
	return truth, agents, []string{
		"bench", "--url", "http://" + truth.addr + "/sub/{id}", "--publish", "http://" + truth.addr + "/pub/{id}",
		"--agents", "a1,a2", "--router", url, "-c", "40",
	}
}

// TestSystemAgentsClocks: clocks 100 ms ahead and behind are found, and taken out.
func TestSystemAgentsClocks(t *testing.T) {
	t.Parallel()
	truth, _, args := agentsOnLoopback(t, faults{delay: func(n int) time.Duration { return 20*time.Millisecond + time.Duration(n%20)*time.Millisecond }}, "100ms", "-100ms")
	folder := filepath.Join(t.TempDir(), "report")
	said := run(t, "comet", append(args, "-r", "200", "-d", "3s", "--idle", "1s", "--out", folder)...)
	f, found := readAgentsFigures(t, folder), truth.found()
	for name, ahead := range map[string]float64{"a1": 100, "a2": -100} {
		m := regexp.MustCompile(`agent    agent ` + name + ` .*its clock is (-?[0-9.]+)ms off`).FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("bench does not say how the clock of %s is set:\n%s", name, said)
		}
		for _, a := range f.Processes.Agents {
			if a.Name == name && (a.ClockOffset == nil || math.Abs(*a.ClockOffset-ahead) > 25) {
				t.Errorf("the clock of %s is %v ms ahead, and %v in the result", name, ahead, deref(a.ClockOffset))
			}
		}
		if ms, err := strconv.ParseFloat(m[1], 64); err != nil || math.Abs(ms-ahead) > 25 {
			t.Errorf("the clock of %s is %v ms ahead, and was found to be %s", name, ahead, m[1])
		}
	}
	off := *f.Latency.ClockError
	if off <= 0 || off > 50 || *f.Latency.BeforeDue != 0 {
		t.Errorf("the clocks are known to %v ms, and %d messages came too early", off, *f.Latency.BeforeDue)
	}
	for name, one := range map[string]struct {
		got *float64
		q   float64
	}{"p50": {f.Latency.P50, 0.5}, "p90": {f.Latency.P90, 0.9}} {
		want := found.quantile(one.q).Seconds() * 1000
		t.Logf("%s is %v ms, the server's log has %.2f ms, clocks known to %.3f ms", name, deref(one.got), want, off)
		// A busy machine delays what is read, by far less than the clocks are off.
		if one.got != nil && (*one.got < want-off-1 || *one.got > want+off+30) {
			t.Errorf("%s is %.2f ms, the server's log has %.2f ms", name, *one.got, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "report.html"))
	if err != nil || !strings.Contains(string(text), "flood 1 on a1") || !strings.Contains(string(text), "<td>a2</td>") || len(f.Processes.Agents) != 2 {
		t.Errorf("the report shows no agents (%v)", err)
	}
}

func deref(f *float64) any {
	if f == nil {
		return "null"
	}
	return *f
}

// TestSystemAgentsKilled kills an agent in each phase: it is named, and its share is
// counted.
func TestSystemAgentsKilled(t *testing.T) {
	const share = 20
	for phase, c := range map[string]struct {
		args []string
		now  func(t *testing.T, truth *truthServer, out *output)
	}{
		"start": {nil, func(t *testing.T, _ *truthServer, out *output) {
			t.Helper()
			out.await(t, `agent    agent a2`)
		}},
		"connect": {[]string{"--ramp", "6s"}, func(t *testing.T, truth *truthServer, out *output) {
			t.Helper()
			out.await(t, `agent    agent a2`)
			eventually(t, "connections come", func() bool { return truth.open.Load() >= 8 && truth.open.Load() < 30 })
		}},
		"idle": {[]string{"--idle", "9s"}, func(t *testing.T, _ *truthServer, out *output) {
			t.Helper()
			out.await(t, `connect  40 of 40`)
		}},
		"messages": {[]string{"-d", "9s"}, func(t *testing.T, truth *truthServer, _ *output) {
			t.Helper()
			eventually(t, "messages come", func() bool { return len(truth.found().latency) > 50 })
		}},
		"drain": {[]string{"-d", "2s"}, func(t *testing.T, truth *truthServer, _ *output) {
			t.Helper()
			eventually(t, "all messages have come", func() bool { return truth.found().delivered == 400 })
		}},
	} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			truth, agents, args := agentsOnLoopback(t, faults{})
			folder := filepath.Join(t.TempDir(), "report")
			args = append(args, "-r", "200", "--idle", "1s", "-d", "3s", "--out", folder)
			_, out := background(t, "comet", append(args, c.args...)...)
			c.now(t, truth, out)
			if err := agents["a2"].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "bench has ended", func() bool { return strings.Contains(out.said(), "figures  ") })
			f := readAgentsFigures(t, folder)
			const lost = "agent a2"
			if phase == "start" && f.Interrupted { // else it died once its flood was ready, as when connecting
				if !strings.Contains(f.InterruptedBy, lost) {
					t.Errorf("interrupted by %q, want the agent", f.InterruptedBy)
				}
				return
			}
			early := phase == "start" || phase == "connect"
			if len(f.Processes.Lost) != 1 || !strings.Contains(f.Processes.Lost[0], lost) || !strings.Contains(f.Processes.Lost[0], "has not been heard of for 5s") {
				t.Errorf("lost %q, want the agent by name", f.Processes.Lost)
			}
			lostParts := 0
			for _, p := range f.Processes.List {
				if p.Lost {
					lostParts++
					if p.Agent != "a2" || p.Role != "flood" {
						t.Errorf("lost %+v", p)
					}
				}
			}
			if a := f.Processes.Agents; len(a) != 2 || a[0].Name != "a1" || a[0].Lost != "" || a[1].Name != "a2" || !strings.Contains(a[1].Lost, "has not been heard of for 5s") {
				t.Errorf("the agents are %+v, want a2 lost", a)
			}
			closed, established := *f.Connections.Closed, *f.Connections.Established
			if lostParts != 1 || *f.Connections.Asked != 2*share || closed > share || established-closed != share {
				t.Errorf("%d parts lost, %d asked, %d established, %d closed: want the share of a2 closed", lostParts, *f.Connections.Asked, established, closed)
			}
			if !early && closed != share {
				t.Errorf("%d are closed, want the %d of a2", closed, share)
			}
			if !early && f.Messages.Missing != nil {
				t.Errorf("%d messages are missing, and nobody knows what a2 has got", *f.Messages.Missing)
			}
		})
	}
}

// TestSystemAgentsCoordinator: without its coordinator an agent stops its load, and waits
// for work again; one that is interrupted lets its agents go, with a partial result.
func TestSystemAgentsCoordinator(t *testing.T) {
	for _, sig := range []os.Signal{unix.SIGKILL, unix.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			truth, agents, args := agentsOnLoopback(t, faults{})
			folder := filepath.Join(t.TempDir(), "report")
			bench, out := background(t, "comet", append(args, "-r", "200", "-d", "60s", "--idle", "1s", "--out", folder)...)
			eventually(t, "messages come", func() bool { return len(truth.found().latency) > 50 })
			if err := bench.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			gone := time.Now()
			eventually(t, "the load has ended", func() bool { return truth.open.Load() == 0 })
			t.Logf("the load ended %v after %v", time.Since(gone).Round(10*time.Millisecond), sig)
			if sig == unix.SIGINT {
				out.await(t, `figures  `)
				if f := readAgentsFigures(t, folder); !f.Interrupted || *f.Connections.Established != 40 || len(f.Processes.Lost) != 0 || *f.Messages.Delivered == 0 {
					t.Errorf("%+v", f)
				}
			}
			again := strings.Fields(run(t, "comet", append(strings.Fields("flood -c 2 -d 1s --agents a1,a2 --router"), args[8], "http://"+truth.addr+"/sub/{id}")...))
			if last := strings.Join(again, " "); !strings.Contains(last, "connected 2 of 2") {
				t.Errorf("it says %q", last)
			}
			for name, cmd := range agents {
				if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		})
	}
}

// TestSystemAgentsCapacity searches a server that takes 30 connections, with two agents:
// what is found lies below that by the precision at most, and both had their part.
func TestSystemAgentsCapacity(t *testing.T) {
	t.Parallel()
	const most = 30
	address := someAddress()
	_, serving := background(t, "comet", "serve", "--listen", address+":0", "--admin", address+":0", "--max-connections", strconv.Itoa(most))
	server := strings.TrimPrefix(serving.await(t, `http://[0-9.:]+/test/`), "http://")
	_, out := background(t, "comet", "router", "--listen", address+":0", "--admin", address+":0")
	url := strings.TrimPrefix(out.await(t, `router on nats://[0-9.:]+`), "router on ")
	agents := make(map[string]*output)
	for _, name := range []string{"a1", "a2"} {
		_, agents[name] = background(t, "comet", "agent", "--name", name, "--router", url)
		agents[name].await(t, `waiting for work`)
	}
	folder := filepath.Join(t.TempDir(), "found")
	said := run(t, "comet", "capacity", "--url", "http://"+server+"{id}", "--agents", "a1,a2", "--router", url,
		"--from", "10", "--to", "80", "--precision", "20%", "--hold", "1s", "--repeat", "1", "--budget", "2m", "--out", folder)
	var found struct {
		capacityFound
		Steps []struct {
			Load        float64
			OK          bool
			Established int
		}
		Agents []struct {
			Name, Host, Lost string
			Connections      int
			ConnectCPU       *float64 `json:"connect_cpu_seconds"`
			ClockOffset      *float64 `json:"clock_offset_ms"`
			ClockError       *float64 `json:"clock_error_ms"`
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "capacity.json"))
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	if found.Answer < 0.8*most || found.Answer > most || found.StoppedBy.Limit != "its own configuration" || !strings.Contains(found.StoppedBy.Evidence, "503 Service Unavailable") {
		t.Errorf("it holds %v, stopped by %+v\n%s", found.Answer, found.StoppedBy, said)
	}
	for _, step := range found.Steps {
		if step.OK != (step.Load <= most) || step.Established != min(int(step.Load), most) {
			t.Errorf("a step: %+v", step)
		}
	}
	for name, out := range agents {
		// What a step adds is divided; 10, 10 and 20 connections at least.
		if n := strings.Count(out.said(), "flood started"); n < 3 {
			t.Errorf("%s had a part in %d of %d steps:\n%s", name, n, len(found.Steps), out.said())
		}
		out.await(t, `waiting for work again`)
	}
	page, err := os.ReadFile(filepath.Join(folder, "report.html"))
	if err != nil || len(found.Agents) != len(agents) {
		t.Fatalf("%v, and the agents are %+v", err, found.Agents)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	together := 0
	for i, a := range found.Agents {
		together += a.Connections
		if a.Name != fmt.Sprint("a", i+1) || a.Host != host || a.Lost != "" || a.Connections < 10 || a.ConnectCPU == nil || *a.ConnectCPU < 0 {
			t.Errorf("an agent: %+v", a)
		}
		// The clocks are one.
		if a.ClockOffset == nil || a.ClockError == nil || *a.ClockError <= 0 || math.Abs(*a.ClockOffset) > *a.ClockError {
			t.Errorf("the clock of %s is %v ms ahead, give or take %v ms", a.Name, deref(a.ClockOffset), deref(a.ClockError))
		}
		for what, shown := range map[string]string{"report": string(page), "text": said} {
			row := fmt.Sprintf(`%s(</td><td>| +)%s(</td><td>| +)%d(</td><td>| +)%d\b.* ms.* ms.*\bno\b`, a.Name, regexp.QuoteMeta(host), runtime.NumCPU(), a.Connections)
			if !regexp.MustCompile(row).MatchString(shown) {
				t.Errorf("the %s does not show %s: no %s", what, a.Name, row)
			}
		}
	}
	// An agent has the most that it had at once, and the steps above the limit share
	// what the server takes.
	if together < most || together > 2*most {
		t.Errorf("the agents had %d connections, of %d that the server takes", together, most)
	}
}
