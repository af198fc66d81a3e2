package memlog

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.org/comet/memlog/series"
)

// The tests watch real processes: this test binary, started again in one of
// the roles below. A role ends when its standard input does.
const roleVariable = "COMET_MEMLOG_TEST_ROLE"

func TestMain(m *testing.M) {
	role, arg, _ := strings.Cut(os.Getenv(roleVariable), " ")
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := play(role, arg); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	io.Copy(io.Discard, os.Stdin)
}

// keep holds what a role must not lose to the garbage collector.
var keep []any

func play(role, arg string) error {
	switch role {
	case "hold": // memory, in MiB
		mib, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		b := make([]byte, mib<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		keep = append(keep, b)
		fmt.Println("ready")
	case "tree": // a child that holds memory, in MiB
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVariable+"=hold "+arg)
		child.Stdin = os.Stdin
		child.Stdout = os.Stdout
		keep = append(keep, child)
		return child.Start()
	case "burn": // as much processor time as it says, and no more
		d, err := time.ParseDuration(arg)
		if err != nil {
			return err
		}
		for begun := time.Now(); time.Since(begun) < d; {
			runtime.Gosched()
		}
		fmt.Println("burnt")
		os.Exit(0)
	case "burnt": // a child that has burnt, and that it waits for once it reads a byte
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVariable+"=burn "+arg)
		out, err := child.StdoutPipe()
		if err != nil {
			return err
		}
		if err := child.Start(); err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, out)
		fmt.Println("ready")
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = child.Wait()
	case "serve": // accept whoever comes, at an address or anywhere
		listener, err := net.Listen("tcp", cmp.Or(arg, "127.0.0.1:0"))
		if err != nil {
			return err
		}
		fmt.Println(listener.Addr())
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				keep = append(keep, conn)
			}
		}()
	case "dial": // connections to an address, as many as it says
		address, count, _ := strings.Cut(arg, " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		for range n {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return err
			}
			keep = append(keep, conn)
		}
		fmt.Println("ready")
	case "churn": // children that come and go, some at a time, by this command
		for range 4 {
			go func() {
				for {
					if exec.Command(arg).Run() != nil {
						return
					}
				}
			}()
		}
		fmt.Println("ready")
	case "log": // its own log, at every millisecond, into this file
		out, err := series.OpenAppend(arg)
		if err != nil {
			return err
		}
		first := sync.OnceFunc(func() { fmt.Println("ready") })
		log, err := New(Config{
			PIDs: []int32{int32(os.Getpid())}, NoChildren: true, Interval: time.Millisecond,
			Out: out, OnSample: func(series.Sample) { first() },
		})
		if err != nil {
			return err
		}
		go log.Run(context.Background())
	case "fulldisk": // a log on a disk that gets full and has room again
		return playFullDisk(arg)
	case "namespace": // connections to itself, in a network of its own
		return playNamespace(arg)
	case "match": // say what the pattern finds
		found, err := matches(regexp.MustCompile(arg))
		fmt.Println(found, err)
		os.Exit(0)
	default:
		return fmt.Errorf("there is no role %q", role)
	}
	return nil
}

type helper struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	first string // its first line of output
}

func (h *helper) pid() int32 { return int32(h.cmd.Process.Pid) }

// end ends the process and waits for it.
func (h *helper) end() {
	h.stdin.Close()
	h.cmd.Wait()
}

func start(tb testing.TB, role string, args ...string) *helper {
	tb.Helper()
	h := startCommand(tb, exec.Command(os.Args[0], args...), role)
	return h
}

func startCommand(tb testing.TB, cmd *exec.Cmd, role string) *helper {
	tb.Helper()
	// Under the race detector a process sleeps for a second before it exits.
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Skipf("a process cannot be started: %v", err)
	}
	h := &helper{cmd: cmd, stdin: stdin}
	tb.Cleanup(h.end)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		tb.Fatalf("the helper %q said nothing: %v", role, err)
	}
	h.first = strings.TrimSpace(line)
	if strings.HasPrefix(h.first, "failed:") {
		tb.Skipf("the helper %q %s", role, h.first)
	}
	return h
}

// marker is a word that stands in no other command line.
func marker(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("marker-%d-%s", os.Getpid(), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")))
}
