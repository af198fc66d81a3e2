package memlog

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.org/comet/memlog/internal/machine"
	"example.org/comet/memlog/series"
	"example.org/comet/memlog/sockdiag"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 4711 4711 0 -1 4194560 100 0 0 0 1 2 30 40 20 0 13 0 987654 1000000 500 18446744073709551615"
	ending := strings.Replace(tail, "4194560", "4194564", 1)
	tests := []struct {
		line      string
		ended, ok bool
	}{
		{"4711 (comet) S" + tail, false, true},
		{"4711 (comet) R" + ending, true, true},
		{"4711 (a (b) c) 1 2 3) Z" + tail, true, true},
		{"4711 (new\nline) R" + tail + "\n", false, true},
		{"4711 (comet) S 1", false, false},
		{"", false, false},
	}
	for _, tt := range tests {
		st, ended, ok := parseStat([]byte(tt.line))
		if ok != tt.ok || ended != tt.ended {
			t.Errorf("%q: ended %v, %v", tt.line, ended, ok)
		}
		if want := (status{parent: 1, start: 987654, threads: 13, cpu: 30 * time.Millisecond, reaped: 700 * time.Millisecond}); ok && st != want {
			t.Errorf("%q: %+v, want %+v", tt.line, st, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4711 (a (b) c) S 1 4711 4711 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 13 0 987654 1000000 500"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if st, _, ok := parseStat(line); !ok && st != (status{}) {
			t.Fatalf("%q gives %+v", line, st)
		}
	})
}

func TestPSS(t *testing.T) {
	h := start(t, "hold 16")
	u := take(t, newSampler(t, Config{PIDs: []int32{h.pid()}, PSS: true}))
	if u.PSSBytes == series.Unknown {
		t.Skip("smaps_rollup cannot be read here")
	}
	if u.PSSBytes < 16<<20 || u.PSSBytes > u.RSSBytes+1<<20 {
		t.Errorf("%d bytes proportional, %d resident", u.PSSBytes, u.RSSBytes)
	}
	if kb, ok := u.Sample().Number("pss_kb"); !ok || int64(kb) != u.PSSBytes>>10 {
		t.Errorf("pss_kb = %v, %v", kb, ok)
	}
}

// TestAStoppedProcess: a target that does not run still has its memory, files and
// threads, and none of them reads as 0.
func TestAStoppedProcess(t *testing.T) {
	h := start(t, "hold 16")
	s := newSampler(t, Config{PIDs: []int32{h.pid()}})
	if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { h.cmd.Process.Signal(syscall.SIGCONT) }) // before it is waited for
	if u := take(t, s); u.RSSBytes < 16<<20 || u.Files < 3 || u.Threads < 1 || u.Procs != 1 {
		t.Errorf("%+v", u)
	}
}

// TestChildrenThatHaveEnded: the processor time of a tree does not fall when a child
// ends, nor when its parent waits for it.
func TestChildrenThatHaveEnded(t *testing.T) {
	const burnt, least = 400 * time.Millisecond, 100 * time.Millisecond // it may have to share its processor
	h := start(t, "burnt "+burnt.String())
	s := newSampler(t, Config{PIDs: []int32{h.pid()}})
	alone := newSampler(t, Config{PIDs: []int32{h.pid()}, NoChildren: true})
	before := take(t, s)
	for end := time.Now().Add(10 * time.Second); before.Procs > 1 && time.Now().Before(end); {
		before = take(t, s)
	}
	if before.Procs != 1 || before.CPU < least {
		t.Fatalf("with a child that has ended %d processes used %v", before.Procs, before.CPU)
	}
	if _, err := h.stdin.Write([]byte("w")); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if list, err := appendDescendants([]int32{h.pid()}); err != nil || len(list) == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nobody waits for the child")
		}
	}
	after, own := take(t, s), take(t, alone)
	if after.CPU < before.CPU || after.CPU > before.CPU+burnt/2 {
		t.Errorf("%v after the child was waited for, %v before", after.CPU, before.CPU)
	}
	if own.CPU > after.CPU-least {
		t.Errorf("without children the process used %v, with them %v", own.CPU, after.CPU)
	}
}

// TestAReusedPID: a process of the same pid that was started at another time is
// another process, and is not measured in place of the one that was given.
func TestAReusedPID(t *testing.T) {
	s := newSampler(t, Config{PIDs: []int32{int32(os.Getpid())}})
	s.roots[0].start++
	u, err := s.Take()
	if !errors.Is(err, ErrTargetGone) || u.RSSBytes != series.Unknown || u.Files != series.Unknown {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestAFigureThatOneProcessHides makes the sum unknown, never smaller.
func TestAFigureThatOneProcessHides(t *testing.T) {
	s := newSampler(t, Config{PIDs: []int32{int32(os.Getpid())}})
	if got := plus(5, s.orUnknown("pss", 0, syscall.EACCES)); got != series.Unknown {
		t.Errorf("5 and what may not be read are %d", got)
	}
	if !errors.Is(s.failed["pss"], syscall.EACCES) {
		t.Errorf("nobody is told why: %v", s.failed)
	}
}

// playNamespace is a server in a network of its own, with n connections to
// itself. Its first line is the address it listens on.
func playNamespace(arg string) error {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	if err := machine.LoopbackUp(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for range n {
		client, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return err
		}
		server, err := listener.Accept()
		if err != nil {
			return err
		}
		keep = append(keep, client, server)
	}
	fmt.Println(listener.Addr())
	return nil
}

func TestConnectionsInAnotherNamespace(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	h := startCommand(t, cmd, "namespace 5") // skips where namespaces are not permitted
	s := newSampler(t, Config{
		PIDs:   []int32{h.pid()},
		Listen: []sockdiag.Filter{{Port: netip.MustParseAddrPort(h.first).Port()}},
	})
	if u := take(t, s); u.Connections != 5 {
		t.Errorf("%d connections in the other namespace, want 5", u.Connections)
	}
	c, err := sockdiag.OpenProcess(h.pid())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if why := c.Fallback(); why != nil {
		t.Logf("counted in /proc, because netlink in there is not permitted: %v", why)
	}
	own, err := netOf("self")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := netOf(fmt.Sprint(h.pid())); err != nil || other == own {
		t.Errorf("namespaces %d and %d (%v), want two", own, other, err)
	}
}

// BenchmarkSample takes whole samples of a process with n connections,
// from a second process, as memlog does.
func BenchmarkSample(b *testing.B) {
	for _, n := range []int{0, 1000, 15000} {
		b.Run(fmt.Sprintf("conns=%d", n), func(b *testing.B) {
			machine.RaiseFiles(b, n+100)
			h := start(b, "serve")
			for range n {
				conn, err := net.Dial("tcp", h.first)
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
			}
			local := netip.MustParseAddrPort(h.first)
			s := newSampler(b, Config{
				PIDs:   []int32{h.pid()},
				Listen: []sockdiag.Filter{{Prefix: netip.PrefixFrom(local.Addr(), 32), Port: local.Port()}},
			})
			before := machine.OwnCPU(b)
			b.ReportAllocs()
			for b.Loop() {
				u, err := s.Take()
				if err != nil || u.Connections != int64(n) {
					b.Fatal(u, err)
				}
			}
			b.ReportMetric((machine.OwnCPU(b)-before)*1e3/float64(b.N), "cpu-ms/sample")
		})
	}
}
