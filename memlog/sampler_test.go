package memlog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.org/comet/memlog/series"
	"example.org/comet/memlog/sockdiag"
)

func newSampler(tb testing.TB, cfg Config) *Sampler {
	tb.Helper()
	s, err := NewSampler(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func take(tb testing.TB, s *Sampler) Usage {
	tb.Helper()
	u, err := s.Take()
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

// takeOnce measures one process without its descendants.
func takeOnce(pid int32) (Usage, error) {
	s, err := NewSampler(Config{PIDs: []int32{pid}, NoChildren: true})
	if err != nil {
		return unknownUsage(), err
	}
	return s.Take()
}

func TestTakeOneProcess(t *testing.T) {
	h := start(t, "hold 32")
	before := time.Now()
	u, err := takeOnce(h.pid())
	if err != nil {
		t.Fatal(err)
	}
	if u.RSSBytes < 32<<20 || u.RSSBytes > 1<<30 {
		t.Errorf("%d bytes resident for a process that holds 32 MiB", u.RSSBytes)
	}
	if u.CPU < 0 || u.CPU > time.Since(before)+time.Hour || u.Procs != 1 || !slices.Equal(u.PIDs, []int32{h.pid()}) {
		t.Errorf("%+v", u)
	}
	if u.Connections != series.Unknown || u.PSSBytes != series.Unknown {
		t.Errorf("figures that nobody asked for: %+v", u)
	}
	if since := before.Sub(u.Start); since < -time.Hour || since > time.Hour {
		t.Errorf("started %v before the sample", since)
	}
	if runtime.GOOS == "linux" && (u.Files < 3 || u.Threads < 1) {
		t.Errorf("%d files, %d threads", u.Files, u.Threads)
	}
}

func TestRSSAgreesWithPS(t *testing.T) {
	ps, err := exec.LookPath("ps")
	if err != nil {
		t.Skip("ps is not on PATH")
	}
	h := start(t, "hold 20")
	asPS := func() int64 {
		out, err := exec.Command(ps, "-o", "rss=", "-p", fmt.Sprint(h.pid())).Output()
		if err != nil {
			t.Skipf("ps does not work here: %v", err)
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return kb
	}
	before := asPS()
	u, err := takeOnce(h.pid())
	if err != nil {
		t.Fatal(err)
	}
	after := asPS()
	const slack = 1024 // a runtime's background work
	if kb := u.RSSBytes >> 10; kb < min(before, after)-slack || kb > max(before, after)+slack {
		t.Errorf("%d KB; ps said %d before and %d after", kb, before, after)
	}
}

func TestChildrenAreSummed(t *testing.T) {
	h := start(t, "tree 40") // the first line comes from the child
	alone := take(t, newSampler(t, Config{PIDs: []int32{h.pid()}, NoChildren: true}))
	both := take(t, newSampler(t, Config{PIDs: []int32{h.pid()}}))
	if alone.Procs != 1 || both.Procs != 2 {
		t.Fatalf("%d and %d processes, want 1 and 2", alone.Procs, both.Procs)
	}
	if extra := both.RSSBytes - alone.RSSBytes; extra < 40<<20 {
		t.Errorf("the child that holds 40 MiB adds %d bytes", extra)
	}
	if runtime.GOOS == "linux" && both.Threads <= alone.Threads {
		t.Errorf("%d threads with the child, %d without", both.Threads, alone.Threads)
	}
	if !slices.Equal(both.PIDs, []int32{h.pid()}) {
		t.Errorf("PIDs %v, want the one that was asked for", both.PIDs)
	}
}

// Children that come and go while they are counted are no error, and the
// process that starts them is always there.
func TestChildrenComeAndGo(t *testing.T) {
	command, err := exec.LookPath("true")
	if err != nil {
		t.Skip("there is no program that ends at once")
	}
	h := start(t, "churn "+command)
	alone := take(t, newSampler(t, Config{PIDs: []int32{h.pid()}, NoChildren: true}))
	s := newSampler(t, Config{PIDs: []int32{h.pid()}, PSS: pssSupported, Listen: []sockdiag.Filter{{Port: 1}}})
	samples, most := 100, 0
	if runtime.GOOS != "linux" {
		samples = 20 // each reads the whole process table
	}
	// A busy machine may start no child while so many are taken.
	for end := time.Now().Add(20 * time.Second); samples > 0 || runtime.GOOS == "linux" && most < 2 && time.Now().Before(end); samples-- {
		u := take(t, s)
		if u.Procs < 1 || !slices.Equal(u.PIDs, []int32{h.pid()}) || u.RSSBytes < alone.RSSBytes/2 {
			t.Fatalf("%+v", u)
		}
		if runtime.GOOS == "linux" && (u.Files < 3 || u.Threads < 1 || u.Connections != 0 || u.PSSBytes <= 0) {
			t.Fatalf("a figure is missing: %+v", u)
		}
		most = max(most, u.Procs)
	}
	if runtime.GOOS == "linux" && most < 2 {
		t.Errorf("never more than %d process in 20 s", most)
	}
}

// A log that is resumed must tell the same start, or it shows a restart.
func TestStartIsTheSameForEverybody(t *testing.T) {
	h := start(t, "log "+filepath.Join(t.TempDir(), "mem.log"))
	u, err := takeOnce(h.pid())
	if err != nil {
		t.Fatal(err)
	}
	if since := time.Since(u.Start); since < -2*time.Second || since > time.Minute {
		t.Errorf("started %v ago", since)
	}
	ps, err := exec.LookPath("ps")
	if err != nil {
		t.Skip("ps is not on PATH")
	}
	out, err := exec.Command(ps, "-o", "lstart=", "-p", fmt.Sprint(h.pid())).Output()
	if err != nil {
		t.Skipf("ps does not work here: %v", err)
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	asPS, err := time.ParseInLocation("Mon Jan 2 15:04:05 2006", text, time.Local)
	if err != nil {
		t.Skipf("ps says %q", text)
	}
	if d := u.Start.Sub(asPS); d < -time.Second || d > 2*time.Second {
		t.Errorf("started at %v, ps says %v", u.Start, asPS)
	}
}

func TestScanDescendants(t *testing.T) {
	h := start(t, "tree 1")
	tree, err := scanDescendants([]int32{h.pid()})
	if err != nil {
		t.Fatal(err)
	}
	quick, err := appendDescendants([]int32{h.pid()})
	if err != nil || len(tree) != 2 || !slices.Equal(tree, quick) {
		t.Errorf("the process table gives %v, the quick way %v, %v", tree, quick, err)
	}
}

func TestThisProcessIsSummedOnlyWhenAskedFor(t *testing.T) {
	self := int32(os.Getpid())
	if u := take(t, newSampler(t, Config{PIDs: []int32{self}, NoChildren: true})); u.Procs != 1 {
		t.Errorf("asked for: %+v", u)
	}
	s := newSampler(t, Config{PIDs: []int32{int32(os.Getppid())}})
	tree, err := s.expand()
	if err != nil || slices.Contains(tree, self) {
		t.Errorf("a descendant of what is watched: %v, %v", tree, err)
	}
}

func TestNoTarget(t *testing.T) {
	h := start(t, "hold 1")
	h.end()
	for name, cfg := range map[string]Config{
		"ended":   {PIDs: []int32{h.pid()}},
		"pattern": {Match: "no process has this " + "in its command line"},
	} {
		if _, err := NewSampler(cfg); !errors.Is(err, ErrNoTarget) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := takeOnce(h.pid()); !errors.Is(err, ErrNoTarget) {
		t.Errorf("Take: %v", err)
	}
}

func TestTargetGone(t *testing.T) {
	one, two := start(t, "hold 1"), start(t, "hold 1")
	var log strings.Builder
	s := newSampler(t, Config{PIDs: []int32{one.pid(), two.pid()}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if u := take(t, s); u.Procs != 2 {
		t.Fatalf("%+v", u)
	}
	one.end()
	if u := take(t, s); u.Procs != 1 || !slices.Equal(u.PIDs, []int32{two.pid()}) {
		t.Fatalf("after one ended: %+v", u)
	}
	if !strings.Contains(log.String(), fmt.Sprintf("pid=%d", one.pid())) {
		t.Errorf("nobody was told: %s", log.String())
	}
	two.end()
	u, err := s.Take()
	if !errors.Is(err, ErrTargetGone) || u.RSSBytes != series.Unknown || u.Procs != 0 {
		t.Errorf("after both ended: %+v, %v", u, err)
	}
}

// A zombie has a pid, and no memory: that is not 0 KB, it is gone.
func TestZombieIsGone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the state of a process is read on Linux only")
	}
	h := start(t, "hold 1")
	s := newSampler(t, Config{PIDs: []int32{h.pid()}})
	h.stdin.Close() // it ends, and nobody waits for it
	deadline := time.After(10 * time.Second)
	for {
		u, err := s.Take()
		if errors.Is(err, ErrTargetGone) {
			return
		}
		if err != nil || u.RSSBytes == 0 {
			t.Fatalf("%+v, %v", u, err)
		}
		select {
		case <-deadline:
			t.Fatal("the process does not end")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestMatchFollowsARestart(t *testing.T) {
	word := marker(t)
	first := start(t, "hold 1", word)
	s := newSampler(t, Config{Match: word})
	if u := take(t, s); !slices.Equal(u.PIDs, []int32{first.pid()}) {
		t.Fatalf("%+v, want pid %d", u, first.pid())
	}
	first.end()
	for range 2 {
		if u, err := s.Take(); !errors.Is(err, ErrTargetGone) || u.Connections != series.Unknown {
			t.Fatalf("between: %+v, %v", u, err)
		}
	}
	second := start(t, "hold 1", word)
	if u := take(t, s); !slices.Equal(u.PIDs, []int32{second.pid()}) {
		t.Fatalf("%+v, want pid %d", u, second.pid())
	}
}

func TestMatchInOneTreeIsOne(t *testing.T) {
	word := marker(t)
	h := start(t, "tree 1", word)
	// The child has no arguments; the whole tree matches by the program's name
	// too, and so do we, who are not to be found.
	s := newSampler(t, Config{Match: word})
	if u := take(t, s); u.Procs != 2 || !slices.Equal(u.PIDs, []int32{h.pid()}) {
		t.Errorf("%+v, want pid %d and its child", u, h.pid())
	}
}

func TestUnrelatedMatchesAreAnError(t *testing.T) {
	word := marker(t)
	one, two := start(t, "hold 1", word, "one"), start(t, "hold 1", word, "two")
	_, err := NewSampler(Config{Match: word})
	var ambiguous *AmbiguousError
	if !errors.As(err, &ambiguous) || len(ambiguous.Processes) != 2 {
		t.Fatalf("got %v", err)
	}
	for _, h := range []*helper{one, two} {
		if !strings.Contains(err.Error(), fmt.Sprintf("  %d  ", h.pid())) {
			t.Errorf("pid %d is not named: %v", h.pid(), err)
		}
	}
	if !strings.Contains(err.Error(), word+" one") {
		t.Errorf("no command lines: %v", err)
	}
	s := newSampler(t, Config{Match: word + " (one|1)"})
	if u := take(t, s); !slices.Equal(u.PIDs, []int32{one.pid()}) {
		t.Errorf("a regular expression: %+v", u)
	}
}

// The shell that starts a memlog has the pattern in its command line.
func TestMatchDoesNotFindItsOwnShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	word := marker(t)
	ask := func(script string) string {
		h := startCommand(t, exec.Command(sh, "-c", script, os.Args[0]), "match "+word)
		h.end() // or the next one finds this shell
		return h.first
	}
	for _, script := range []string{
		`"$0" memlog --match ` + word + `; true`,
		`: ` + word + `; "$0" ` + word + `; true`,
		`sh -c '"$0" memlog --match=` + word + `; true' "$0"; true`,
	} {
		if got := ask(script); got != "[] <nil>" {
			t.Errorf("%s\nfound %s", script, got)
		}
	}
	h := start(t, "hold 1", word)
	want := fmt.Sprintf("[{%d ", h.pid())
	if got := ask(`"$0" memlog --match ` + word + `; true`); !strings.HasPrefix(got, want) || strings.Count(got, "{") != 1 {
		t.Errorf("found %s, want pid %d alone", got, h.pid())
	}
}

func TestMatchable(t *testing.T) {
	tests := []struct {
		args     []string
		ancestor bool
		want     string
		ok       bool
	}{
		{[]string{"nginx: master process /usr/sbin/nginx"}, false, "nginx: master process /usr/sbin/nginx", true},
		{[]string{"beam", "-sname", "n1"}, false, "beam -sname n1", true},
		{[]string{"tmux", "new", "comet memlog --match tmux"}, true, "tmux", true},
		{[]string{"/usr/bin/comet", "memlog", "--match", "n1"}, false, "", false},
		{[]string{"timeout", "60", "comet", "memlog", "--match", "n1"}, false, "timeout 60 comet", true},
		{[]string{"bash", "-c", "x; comet memlog --match=n1"}, false, "bash -c x; comet", true},
		{[]string{"comet", "bench", "--url", "http://h/{id}", "--match=n1"}, false, "", false},
		{[]string{"comet", "capacity", "--match", "n1"}, false, "", false},
		{[]string{"comet", "bench", "-c", "10"}, false, "comet bench -c 10", true},
		{[]string{"timeout", "60", "comet", "bench", "--match", "n1"}, false, "timeout 60 comet", true},
		{[]string{"grep", "a memlog of"}, false, "grep a memlog of", true},
	}
	for _, tt := range tests {
		if got, ok := matchable(tt.args, tt.ancestor); got != tt.want || ok != tt.ok {
			t.Errorf("%q, ancestor %v: %q, %v; want %q, %v", tt.args, tt.ancestor, got, ok, tt.want, tt.ok)
		}
	}
}

func TestConnectionsOfAProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sockets are counted on Linux only")
	}
	h := start(t, "serve")
	local := netip.MustParseAddrPort(h.first)
	s := newSampler(t, Config{
		PIDs:   []int32{h.pid()},
		Listen: []sockdiag.Filter{{Prefix: netip.PrefixFrom(local.Addr(), 32), Port: local.Port()}},
	})
	if u := take(t, s); u.Connections != 0 {
		t.Errorf("%d connections before the first", u.Connections)
	}
	for range 7 {
		conn, err := net.Dial("tcp", h.first)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	u := take(t, s)
	if u.Connections != 7 {
		t.Errorf("%d connections, want 7", u.Connections)
	}
	if ss, err := exec.LookPath("ss"); err != nil {
		t.Log("ss is not on PATH: not compared with it")
	} else if out, err := exec.Command(ss, "-Htn", "state", "established", "src", h.first).Output(); err != nil {
		t.Logf("ss does not work here: %v", err)
	} else if n := int64(strings.Count(string(out), "\n")); n != u.Connections {
		t.Errorf("%d connections; ss says %d", u.Connections, n)
	}
	if got := u.Sample(); got.Connections != 7 || got.RSSKB != u.RSSBytes>>10 {
		t.Errorf("as a line: %+v", got)
	}
}

// TestNothingListens: who names a port of nobody's is told so, once.
func TestNothingListens(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sockets are counted on Linux only")
	}
	h := start(t, "serve")
	port := netip.MustParseAddrPort(h.first).Port()
	everywhere, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer everywhere.Close()
	anywhere := netip.MustParseAddrPort(everywhere.Addr().String()).Port()
	here := netip.MustParsePrefix("127.0.0.1/32")
	for _, c := range []struct {
		listen sockdiag.Filter
		warns  bool
	}{
		{sockdiag.Filter{Port: port}, false},
		{sockdiag.Filter{Prefix: here, Port: anywhere}, false}, // [::] has it too
		{sockdiag.Filter{Prefix: here}, false},                 // of any port
		{sockdiag.Filter{Port: 1}, true},
		{sockdiag.Filter{Prefix: here, Port: 1}, true},
	} {
		var log bytes.Buffer
		s := newSampler(t, Config{PIDs: []int32{h.pid()}, Listen: []sockdiag.Filter{c.listen}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 2 {
			take(t, s)
		}
		if n := strings.Count(log.String(), "nothing listens"); n > 1 || n == 1 != c.warns {
			t.Errorf("%+v: %d warnings, want %v: %s", c.listen, n, c.warns, &log)
		}
	}
}

func TestUsageAsALine(t *testing.T) {
	u := Usage{
		Time: time.Unix(1224518244, 0).UTC(), PIDs: []int32{7, 8}, Start: time.Unix(1224518000, 0),
		Procs: 3, RSSBytes: 40388 << 10, PSSBytes: series.Unknown, CPU: 1234 * time.Millisecond,
		Files: 9, Threads: series.Unknown, Connections: 1,
	}
	var line strings.Builder
	w := series.NewWriter(&line)
	if err := w.Write(u.Sample()); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(func() series.Sample { u := unknownUsage(); u.Time = time.Unix(1224518304, 0).UTC(); return u.Sample() }()); err != nil {
		t.Fatal(err)
	}
	want := "Mon Oct 20 15:57:24 UTC 2008\t1224518244\t40388\t1\tpid=7,8\tstart=1224518000\tprocs=3\tcpu_s=1.23\tfds=9\n" +
		"Mon Oct 20 15:58:24 UTC 2008\t1224518304\t-\t-\tprocs=0\n"
	if line.String() != want {
		t.Errorf("got %q, want %q", line.String(), want)
	}
}

// TestCountInterval leaves out counts that come too soon after the last.
func TestCountInterval(t *testing.T) {
	h := start(t, "hold 1")
	s := newSampler(t, Config{PIDs: []int32{h.pid()}, Listen: []sockdiag.Filter{{Port: 1}}, CountInterval: time.Hour})
	if s.counter == nil {
		t.Skip("connections cannot be counted here")
	}
	for i, want := range []int64{0, series.Unknown, series.Unknown, 0} {
		if i == 3 {
			s.counted = s.counted.Add(-time.Hour)
		}
		if u := take(t, s); u.Connections != want || u.RSSBytes <= 0 {
			t.Errorf("sample %d: %d connections, %d bytes, want %d", i, u.Connections, u.RSSBytes, want)
		}
	}
}
