//go:build system

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// contender is a server with a flood that is connected to it.
type contender struct {
	name    string
	lines   bool   // it has the line intake
	clients string // the comet that is its flood and msggen
	admin   string
	server  int // a pid, like flood
	flood   int
	samples *sampleReader
}

// startContenders starts the floor and each comet, and connects everything.
func startContenders(t *testing.T, s floorSettings, floor string, row floorRow) (all []*contender) {
	t.Helper()
	start := func(name, clients, program string, args ...string) *contender {
		// Each has an address of its own: ports of connections that have ended
		// are in use for a minute.
		address := fmt.Sprintf("127.77.%d.%d", row.ids%250, len(all)+1)
		for i := range args {
			args[i] = strings.Replace(args[i], "ADDRESS", address, 1)
		}
		server, out := background(t, program, args...)
		out.await(t, "listening")
		if s.clients != "" {
			clients = s.clients
		}
		flood, out := background(t, clients, "flood", "--json", "http://"+address+":7801/test/{id}",
			"-c", strconv.Itoa(row.connections), "--ids", fmt.Sprintf("1-%d", row.ids))
		c := &contender{name: name, clients: clients, admin: address + ":7802", server: server.Process.Pid, flood: flood.Process.Pid, samples: &sampleReader{out: out}}
		eventually(t, name+" has all connections", func() bool {
			c.samples.read(t)
			return c.samples.last.Connected == row.connections
		})
		all = append(all, c)
		return c
	}
	start("floor", s.binaries[0], floor, "ADDRESS", "7801", "7802")
	for _, binary := range s.binaries {
		name := filepath.Base(binary)
		if slices.ContainsFunc(all, func(c *contender) bool { return c.name == name }) {
			name = binary
		}
		start(name, binary, binary, "serve", "--json", "--listen", "ADDRESS:7801", "--admin", "ADDRESS:7802").lines = true
	}
	return all
}

// measure runs a message phase and returns what it cost between two samples of
// the flood, the first of them a second or more after the begin.
func (c *contender) measure(t *testing.T, row floorRow, seconds time.Duration) (f floorFigures) {
	t.Helper()
	before := c.samples.next(t)
	msggen := c.startMsggen(t, row)
	c.samples.next(t)
	from := c.samples.next(t)
	if from.Delivered == before.Delivered {
		t.Fatalf("%s: nothing is delivered; msggen prints %s", c.name, msggen.out.text.String())
	}
	pids := [3]int{c.server, c.flood, msggen.Process.Pid}
	if row.calls {
		f.detail, f.server, f.flood, f.msggen = c.calls(t, pids, seconds, from)
	} else {
		f.server, f.flood, f.msggen = c.cpu(t, pids, seconds, from)
	}
	to := c.samples.last
	f.delivered = float64(to.Delivered-from.Delivered) / to.Time.Sub(from.Time).Seconds()
	sent := msggen.stop(t)
	each := row.connections / row.ids
	c.settle(t, sent, before.Delivered+sent.Sent*each, sent.Unknown*each)
	return f
}

func (c *contender) startMsggen(t *testing.T, row floorRow) *generator {
	t.Helper()
	args := []string{"msggen", "--json", "-r", row.rate, "--max-id", strconv.Itoa(row.ids)}
	if row.ids == 1 && row.rate == "max" {
		args = append(args, "--window", "8") // each is thousands of deliveries, to be waited for at the end
	}
	if row.lines {
		args = append(args, "--to", "http://"+c.admin+"/send")
	} else {
		args = append(args, "--publish", "http://"+c.admin+"/send/{id}")
	}
	cmd, out := background(t, c.clients, args...)
	return &generator{cmd, out}
}

// cpu returns the microseconds of each process per delivered message.
func (c *contender) cpu(t *testing.T, pids [3]int, seconds time.Duration, from floodCounts) (server, flood, msggen float64) {
	t.Helper()
	var used [3]time.Duration
	for i, pid := range pids {
		used[i] = cpuTime(t, pid)
	}
	to := from
	for to.Time.Sub(from.Time) < seconds-500*time.Millisecond { // samples are a second apart
		to = c.samples.next(t)
	}
	for i, pid := range pids {
		used[i] = cpuTime(t, pid) - used[i]
	}
	each := func(i int) float64 {
		return float64(used[i].Nanoseconds()) / 1000 / float64(to.Delivered-from.Delivered)
	}
	return each(0), each(1), each(2)
}

// cpuTime returns what all threads of a process have used, those that have ended
// included, in nanoseconds where /proc has hundredths of a second
// (clock_getcpuclockid(3)).
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	const ofProcess = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|ofProcess), &used); err != nil {
		t.Fatalf("the CPU time of process %d: %v", pid, err)
	}
	return time.Duration(used.Nano())
}

// settle waits until what was sent has come, and fails the test if not all did:
// then the figures are none. A message that msggen was ended at may have come too.
func (c *contender) settle(t *testing.T, sent sentCounts, want, unsure int) {
	t.Helper()
	got := c.samples.next(t)
	for last := -1; got.Delivered < want+unsure && got.Delivered > last; got = c.samples.next(t) {
		last = got.Delivered
	}
	if got.Delivered < want || got.Delivered > want+unsure || got.Closed+got.Failed > 0 || sent.Refused > 0 {
		t.Errorf("%s: delivered %d, want %d; %d connections closed, %d failed; msggen: %v", c.name, got.Delivered, want, got.Closed, got.Failed, sent)
	}
}

// calls returns the system calls of each process per delivered message, one
// process after the other since tracing slows them down, and which ones the
// server makes most.
func (c *contender) calls(t *testing.T, pids [3]int, seconds time.Duration, from floodCounts) (detail string, server, flood, msggen float64) {
	t.Helper()
	var perSecond [3]map[string]float64
	for i, pid := range pids {
		perSecond[i] = trace(t, pid, seconds)
	}
	to := c.samples.next(t)
	messages := float64(to.Delivered-from.Delivered) / to.Time.Sub(from.Time).Seconds()
	names := slices.Collect(maps.Keys(perSecond[0]))
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(perSecond[0][b], perSecond[0][a]) })
	for _, name := range names[1:min(7, len(names))] { // the first is the total
		detail += fmt.Sprintf("%s %.2f  ", name, perSecond[0][name]/messages)
	}
	each := func(i int) float64 { return perSecond[i]["total"] / messages }
	return detail, each(0), each(1), each(2)
}

// trace returns how often a process makes each system call per second.
func trace(t *testing.T, pid int, seconds time.Duration) map[string]float64 {
	t.Helper()
	table := filepath.Join(t.TempDir(), "calls")
	strace, out := background(t, "strace", "-c", "-f", "-o", table, "-p", strconv.Itoa(pid))
	out.await(t, "attached")
	begun := time.Now()
	time.Sleep(seconds)
	lasted := time.Since(begun).Seconds()
	strace.Process.Signal(syscall.SIGINT)
	perSecond := map[string]float64{}
	eventually(t, "strace prints its table", func() bool {
		text, _ := os.ReadFile(table)
		for line := range strings.Lines(string(text)) {
			// % time, seconds, usecs/call, calls, maybe errors, name
			if fields := strings.Fields(line); len(fields) >= 5 {
				if n, err := strconv.Atoi(fields[3]); err == nil {
					perSecond[fields[len(fields)-1]] = float64(n) / lasted
				}
			}
		}
		return perSecond["total"] > 0
	})
	return perSecond
}

// sampleReader reads the samples that a flood prints each second.
type sampleReader struct {
	out  *output
	at   int // what of out was read
	last floodCounts
}

// read takes in what has been printed, and reports whether a sample was in it.
func (r *sampleReader) read(t *testing.T) (found bool) {
	t.Helper()
	var lines string
	r.out.locked(func() {
		text := r.out.text.Bytes()[r.at:]
		lines = string(text[:strings.LastIndexByte(string(text), '\n')+1])
	})
	r.at += len(lines)
	for line := range strings.Lines(lines) {
		if !strings.HasPrefix(line, `{"type":"sample"`) {
			continue
		}
		found = true
		if err := json.Unmarshal([]byte(line), &r.last); err != nil {
			t.Fatalf("the flood printed %q: %v", line, err)
		}
	}
	return found
}

// next waits for the next sample.
func (r *sampleReader) next(t *testing.T) floodCounts {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !r.read(t); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("after 20 s the flood has printed no sample")
		}
	}
	return r.last
}
