package epoll

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	benchConns    = 9_900 // of at most 20,000 files, two for a connection if it comes to the worst
	benchMessages = 10    // to all of them, in each turn
	benchReader   = "COMET_TEST_READER"
)

var benchMessage = slices.Repeat([]byte("x"), 100)

// way is how a message goes to many sockets.
type way struct {
	name string
	send func(sends []Send)
}

// BenchmarkFanOut sends a message to thousands of connections that another
// process reads: plain writes and batches take turns, and what is reported is the
// median of the CPU time of the sending thread for a send. Each iteration is a
// turn of each (use -benchtime 7x); /write is the median ratio within a turn.
func BenchmarkFanOut(b *testing.B) {
	for _, pace := range []string{"wait", "rush"} { // for the reader, after each message or after ten
		b.Run("pace="+pace, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			fds, seen := startReader(b)
			ways := fanOutWays(b)
			sends := make([]Send, len(fds))
			for i, fd := range fds {
				sends[i] = Send{FD: fd, Bytes: benchMessage}
			}
			perSend := make([][]float64, len(ways))
			turn := 0
			for b.Loop() {
				for i := range ways {
					i = (i + turn) % len(ways)
					perSend[i] = append(perSend[i], timeFanOut(b, ways[i], sends, seen, pace == "wait"))
				}
				turn++
			}
			for i, w := range ways {
				ratios := make([]float64, turn)
				for at := range ratios {
					ratios[at] = perSend[i][at] / perSend[0][at]
				}
				b.ReportMetric(median(perSend[i]), w.name+"-ns/send")
				b.ReportMetric(median(ratios), w.name+"/write")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// timeFanOut returns the nanoseconds of this thread for a send.
func timeFanOut(b *testing.B, w way, sends []Send, seen *bufio.Reader, wait bool) float64 {
	b.Helper()
	var used time.Duration
	await := func(messages int) {
		for range messages {
			if _, err := seen.ReadByte(); err != nil {
				b.Fatalf("the reader has ended: %v", err)
			}
		}
	}
	for range benchMessages {
		begun := threadTime(b)
		w.send(sends)
		used += threadTime(b) - begun
		for _, one := range sends {
			if one.N != len(benchMessage) || one.Err != nil {
				b.Fatalf("%s: sent %d, %v", w.name, one.N, one.Err)
			}
		}
		if wait {
			await(1)
		}
	}
	if !wait {
		await(benchMessages)
	}
	return float64(used.Nanoseconds()) / float64(benchMessages*len(sends))
}

func threadTime(b *testing.B) time.Duration {
	b.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// fanOutWays returns plain writes, and rings of both kinds in batches of all
// sizes.
func fanOutWays(b *testing.B) []way {
	b.Helper()
	ways := []way{{"write", func(sends []Send) {
		for i := range sends {
			sends[i].plain()
		}
	}}}
	for _, pinned := range []bool{false, true} {
		s := NewSender(pinned)
		if why := s.Plain(); why != nil {
			b.Skipf("this kernel has or permits no io_uring: %v", why)
		}
		b.Cleanup(s.Close)
		for _, size := range []int{64, 256, 512} {
			name := map[bool]string{false: "free", true: "pinned"}[pinned] + "-" + strconv.Itoa(size)
			ways = append(ways, way{name, func(sends []Send) {
				for some := range slices.Chunk(sends, size) {
					s.Send(some)
				}
			}})
		}
	}
	return ways
}

// startReader starts a process that opens the connections and returns this end of
// them, with what it prints: a byte for each message that all of them have got.
func startReader(b *testing.B) (fds []int, seen *bufio.Reader) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.77.9:0")
	if err != nil {
		b.Fatal(err)
	}
	reader := exec.Command(os.Args[0], "-test.run", "^TestReaderProcess$")
	reader.Env = append(os.Environ(), benchReader+"="+ln.Addr().String())
	reader.Stderr = os.Stderr
	out, err := reader.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
		reader.Wait()
	})
	file, err := ln.(*net.TCPListener).File() // blocking
	if err != nil {
		b.Fatal(err)
	}
	ln.Close()
	defer file.Close()
	unix.SetNonblock(int(file.Fd()), false)
	for len(fds) < benchConns {
		fd, err := Accept(int(file.Fd()))
		if err != nil {
			b.Fatal(err)
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		fds = append(fds, fd)
	}
	return fds, bufio.NewReader(out)
}

// TestReaderProcess is that process: it ends when its connections do.
func TestReaderProcess(t *testing.T) {
	addr := os.Getenv(benchReader)
	if addr == "" {
		t.Skip("BenchmarkFanOut runs it")
	}
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range benchConns {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
			t.Fatal(err)
		}
		if err := p.Add(fd, Read, NewToken(uint32(fd), 1)); err != nil {
			t.Fatal(err)
		}
	}
	readMessages(t, p, os.Stdout)
}

// readMessages says to out when a message is complete on all connections.
func readMessages(t *testing.T, p *Poller, out io.Writer) {
	t.Helper()
	const whole = benchConns * 100
	for got, told := 0, 0; ; {
		events, err := p.Wait(-1)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			n, err := ReadNow(int(e.Token.Slot()), make([]byte, 4096))
			if n == 0 && err == nil {
				return
			}
			got += n
		}
		for ; told < got/whole; told++ {
			fmt.Fprint(out, ".")
		}
	}
}
