package server

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/router"
)

// TestDrainAnswersWhoWaits: whoever has asked before the end, though not
// accepted yet, gets an answer and not a reset. (The standard library closes its listening
// socket first, so this is the epoll engine's alone.)
func TestDrainAnswersWhoWaits(t *testing.T) {
	r := open(t, Config{Engine: Epoll, Loops: 1})
	r.core.lastAccepts = time.Hour
	var clients []*client
	for range 200 { // they wait in the kernel
		clients = append(clients, r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n"))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.cancel = cancel
	go func() { r.done <- r.Run(ctx) }()
	for i, c := range clients {
		// The loop may run for a moment before it hears of the end.
		if got := c.rest(); got != leaving && got != html11+lastOne {
			t.Fatalf("client %d of %d got %q", i, len(clients), got)
		}
		c.Close()
	}
	r.ended()
}

// TestEndCounts: what comes for a loop behind its last turn is dropped and counted, also
// where it waits among messages to many.
func TestEndCounts(t *testing.T) {
	r := open(t, Config{Engine: Epoll, Loops: 1})
	l := r.engine.(*epollEngine).loops[0]
	for slot := range uint32(2 * wideFrom) { // whose connections are gone
		l.member.Login(router.Conn{Slot: slot + 1, Gen: 1}, 1)
	}
	var routed uint64
	send := func() {
		reached, _ := r.core.router.Send(1, []byte("m"))
		routed += uint64(reached)
	}
	send()
	l.deliver() // a slice of it
	send()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if s := r.Stats(); routed != s.DroppedClosed {
		t.Errorf("of %d messages %d are dropped", routed, s.DroppedClosed)
	}
}

// TestDeliveredInStead: a message for a loop that waits is written by who brings it, and
// the loop sleeps on, unless it has a new deadline by that.
func TestDeliveredInStead(t *testing.T) {
	r := open(t, Config{Engine: Epoll, Loops: 1})
	defer r.Close()
	l := r.engine.(*epollEngine).loops[0]
	stream := r.connect("GET /events/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	r.connect("GET /poll/2 HTTP/1.1\r\nHost: h\r\n\r\n")
	for r.Stats().Connections < 2 {
		if err := l.turn(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	stream.expect(sse11)
	var turns, over atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; over.Load() == 0; turns.Add(1) {
			if err := l.turn(-1); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	defer func() {
		over.Store(1)
		l.poll.Wake()
		<-ended
	}()
	waits := func() bool {
		l.turning.Lock()
		defer l.turning.Unlock()
		return l.waits
	}
	r.waitFor("a loop that waits", func(Stats) bool { return waits() })
	send := func(id int64) {
		r.core.router.Send(id, []byte("a"))
		r.core.router.Wake()
	}
	before := turns.Load()
	send(1)
	if n := l.counters.written.Load(); n != 1 {
		t.Errorf("%d messages are written, want one", n)
	}
	stream.expect("f\r\nid: 1\ndata: a\n\n\r\n")
	send(1)
	stream.expect("f\r\nid: 2\ndata: a\n\n\r\n")
	if n := turns.Load(); n != before {
		t.Errorf("the loop woke up %d times", n-before)
	}
	send(2) // its connection is to be closed in a while
	r.waitFor("a loop that knows of its new deadline", func(Stats) bool { return turns.Load() > before })
}

const childPanics = "COMET_TEST_PANIC_IN_STEAD"

// TestPanicInStead: a panic while somebody delivers in a loop's stead ends the process,
// though whoever does recovers from it, as net/http does. It runs itself in a process of
// its own.
func TestPanicInStead(t *testing.T) {
	if os.Getenv(childPanics) != "" {
		panicInStead(t)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicInStead$", "-test.timeout=1m")
	child.Env = append(os.Environ(), childPanics+"=1")
	out, err := child.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended || !strings.Contains(string(out), "slice bounds out of range") || !strings.Contains(string(out), "deliverInStead") {
		t.Errorf("error %v\n%s", err, out)
	}
}

func panicInStead(t *testing.T) {
	t.Helper()
	r := start(t, Config{Engine: Epoll, Loops: 1})
	l := r.engine.(*epollEngine).loops[0]
	r.waitFor("a loop that waits", func(Stats) bool {
		l.turning.Lock()
		defer l.turning.Unlock()
		return l.waits
	})
	defer func() { t.Logf("recovered from %v", recover()) }()
	l.inbox.mu.Lock()
	l.inbox.filled.items = []item{{start: 1, end: 2}} // of no bytes
	l.inbox.mu.Unlock()
	l.inbox.Wake()
}

// TestReadInTurns: a client that says more than is read at a time, and then
// half-closes, is read to its end though no further news comes of it.
func TestReadInTurns(t *testing.T) {
	r := open(t, Config{Engine: Epoll, Loops: 1})
	r.engine.(*epollEngine).loops[0].readBuf = make([]byte, 512)
	c := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n" + strings.Repeat("x", 10*readBatch*512/4))
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	r.run() // all that is there by now
	c.expect(html11)
	c.expectEnd()
	r.waitForLogins(0)
}

// TestPortOfAnother: with SO_REUSEPORT the kernel would let two servers of one
// user share a port, and each get half of the connections.
func TestPortOfAnother(t *testing.T) {
	shared := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
			return e
		}
		return err
	}}
	another, err := shared.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	for _, loops := range []int{1, 2} {
		s, err := New(Config{Engine: Epoll, Loops: loops, Listen: another.Addr().String(), Admin: "127.0.0.1:0"})
		if err == nil {
			s.Close()
			t.Errorf("%d loops share the port of another program", loops)
		} else if !strings.Contains(err.Error(), "another program listens there") {
			t.Errorf("%d loops: %v", loops, err)
		}
	}
}

// TestLoopsShare: with several loops every one of them serves, on one port.
func TestLoopsShare(t *testing.T) {
	r := start(t, Config{Engine: Epoll, Loops: 4})
	for i := range 40 {
		r.stream(strconv.Itoa(i))
	}
	for i := range int64(40) {
		if n := r.publish(i, "x"); n != 1 {
			t.Errorf("id %d: reached %d", i, n)
		}
	}
	if s := r.Stats(); s.Loops != 4 || s.Streams != 40 {
		t.Errorf("%d loops, %d streams", s.Loops, s.Streams)
	}
	serving := 0
	for _, l := range r.engine.(*epollEngine).loops {
		if l.counters.streams.Load() > 0 {
			serving++
		}
	}
	if serving < 2 {
		t.Errorf("%d of 4 loops serve 40 connections", serving)
	}
}

const childTest = "COMET_TEST_OUT_OF_FILES"

// TestOutOfFiles runs itself in a process of its own, whose limit it lowers.
func TestOutOfFiles(t *testing.T) {
	if os.Getenv(childTest) != "" {
		bothEngines(t, outOfFilesScenario)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOutOfFiles$", "-test.v")
	child.Env = append(os.Environ(), childTest+"=1")
	out, err := child.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: TestOutOfFiles/engine=") != 2 {
		t.Errorf("error %v\n%s", err, out)
	}
}

// cpuTime is what this process has used.
func cpuTime(t engineT) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// outOfFilesScenario has twenty clients wait, and files for five: accepting
// pauses, says why, does not spin, and goes on as soon as one leaves.
func outOfFilesScenario(t engineT) {
	const clients, files, loops = 20, 5, 2
	old := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 256
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}()
	r := open(t, Config{Engine: t.engine, Loops: loops})
	if r.MaxConnections() != 256-reservedFiles {
		t.Errorf("room for %d connections of 256 files", r.MaxConnections())
	}
	var waiting []*client
	for i := range clients { // in the kernel, until Run
		waiting = append(waiting, r.connect("GET /test/"+strconv.Itoa(i)+" HTTP/1.1\r\nHost: h\r\n\r\n"))
	}
	var hoard []*os.File
	defer func() {
		for _, f := range hoard {
			f.Close()
		}
	}()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hoard = append(hoard, f)
	}
	for range files {
		hoard[len(hoard)-1].Close()
		hoard = hoard[:len(hoard)-1]
	}
	begun := time.Now()
	r.run()
	r.waitFor("the files to be used up", func(s Stats) bool { return s.Connections == files && s.AcceptPauses > 0 })
	// A spinning loop would take all the time of a core. In truth this test takes
	// most of what is counted here, by looking on.
	cpu, since := cpuTime(t), time.Now()
	time.Sleep(150 * time.Millisecond)
	if used, passed := cpuTime(t)-cpu, time.Since(since); used > passed/2 {
		t.Errorf("while accepting paused for %v, %v of CPU time were used", passed, used)
	}
	served := -1
	for range 3 { // each time that one leaves, in goes the next
		left := r.Stats().Streams
		for i, c := range waiting {
			if c == nil {
				continue
			}
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if n, _ := c.Read(make([]byte, 1)); n == 1 {
				served = i
				break
			}
		}
		if served < 0 {
			t.Fatal("nobody is served")
		}
		waiting[served].Close()
		waiting[served] = nil
		served = -1
		// Two files are free: the client's was in this process as well.
		r.waitFor("the next to get in", func(s Stats) bool { return s.Streams > left })
	}
	r.waitFor("a further pause", func(s Stats) bool { return s.AcceptPauses > loops })
	// Each pause is long, but for one whenever a connection has left.
	s := r.Stats()
	if most := uint64(loops * (int(time.Since(begun)/acceptPause) + 1 + 3 + files)); s.AcceptPauses > most {
		t.Errorf("accepting paused %d times in %v, want %d at most: it spins", s.AcceptPauses, time.Since(begun), most)
	}
	if log := r.log.String(); !strings.Contains(log, "ulimit -n") || !strings.Contains(log, "open_files_limit=256") || strings.Count(log, "accepting pauses") > 1+int(time.Since(begun)/time.Second) {
		t.Errorf("the log does not say what to do, or too often:\n%s", log)
	}
	for _, f := range hoard {
		f.Close()
	}
	hoard = nil
	r.waitFor("all to be in", func(s Stats) bool { return s.Connections == clients-3 })
}
