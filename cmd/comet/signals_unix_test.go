//go:build unix

package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is comet as a child of the test, without a controlling terminal.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr *bytes.Buffer
	ended  chan struct{}
}

// start runs comet with its standard input open and empty. The words before
// "comet", if any, are what it is run by.
func start(t *testing.T, before []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "comet")); err != nil {
		t.Fatal(err)
	}
	words := append(append([]string{}, before...), append([]string{filepath.Join(dir, "comet")}, args...)...)
	p := &process{t: t, cmd: exec.Command(words[0], words[1:]...), stderr: new(bytes.Buffer), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.cmd.Stderr = p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.stdout = w, stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.stdin.Close()
		p.stdout.Close()
	})
	return p
}

// says waits until standard output has the text.
func (p *process) says(text string) string {
	p.t.Helper()
	var all []byte
	buffer := make([]byte, 4096)
	for !strings.Contains(string(all), text) {
		n, err := p.stdout.Read(buffer)
		all = append(all, buffer[:n]...)
		if err != nil {
			<-p.ended
			p.t.Fatalf("comet ended after %q: %s", all, p.stderr)
		}
	}
	return string(all)
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// code waits for the end and returns the exit code, 128 + n for a process that
// signal n has killed.
func (p *process) code() int {
	p.t.Helper()
	go func() { _, _ = io.Copy(io.Discard, p.stdout) }()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("comet %q did not end", p.cmd.Args[1:])
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// goesOn fails if the process has ended.
func (p *process) goesOn(why string) { p.t.Helper(); p.goesOnFor(moments[0], why) }

func (p *process) goesOnFor(moment time.Duration, why string) {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("%s ended it with code %d: %s", why, p.cmd.ProcessState.ExitCode(), p.stderr)
	case <-time.After(moment):
	}
}

// startedAndSignaled starts comet, which says ready, or nothing, signals it, and
// returns its end once that has the exit code that is wanted.
func startedAndSignaled(t *testing.T, before []string, ready string, sig syscall.Signal, want int, args ...string) (p *process) {
	t.Helper()
	code := -1
	for _, moment := range moments {
		p = start(t, before, args...)
		if ready != "" {
			p.says(ready)
		} else {
			p.goesOnFor(moment, "nothing")
		}
		p.signal(sig)
		if code = p.code(); code == want || ready != "" {
			break
		}
	}
	if code != want {
		t.Errorf("comet %q: exit code %d after %v, want %d: %s", args, code, sig, want, p.stderr)
	}
	return p
}

// serve starts a server and returns where its streams are.
func serve(t *testing.T, args ...string) (p *process, url string) {
	t.Helper()
	p = start(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	said := p.says("streams on ")
	_, rest, _ := strings.Cut(said, "streams on ")
	url, _, _ = strings.Cut(rest, ",")
	return p, url
}

// A silent peer takes connections and says nothing.
func silentPeer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// TestSignalsEnd: each signal that a person, a terminal, a supervisor or a
// container runtime ends a process with, in each state that it may be in.
func TestSignalsEnd(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	silent := silentPeer(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	states := []struct {
		name  string
		args  []string
		ready string // on standard output; "" waits a moment
		wants func(sig syscall.Signal) int
	}{
		{"a planned end", []string{"flood", url, "-c", "1", "-d", "60s"}, "Stats: {1,", plannedCode},
		{"reading URLs", []string{"flood", "--urls", "-"}, "", plannedCode},
		{"reading a message", []string{"send", "1", "-"}, "", plannedCode},
		{"reading a log", []string{"plot", "-o", "mem.png", "-"}, "", plannedCode},
		{"a silent peer of send", []string{"send", "--to", "http://" + silent, "1", "hi"}, "", plannedCode},
		{"a pipe that nobody writes to, as a log", []string{"plot", "-o", "mem.png", pipe}, "", plannedCode},
		{"a pipe that nobody writes to, as URLs", []string{"flood", "--urls", pipe}, "", plannedCode},
		{"a log without end", []string{"plot", "-o", "mem.png", endless(t)}, "", plannedCode},
		{"last answers of a silent peer", []string{"msggen", "--publish", "http://" + silent + "/{id}", "-r", "50", "--max-id", "9", "-d", "100ms"}, "", plannedCode},
		{"a silent peer of flood", []string{"flood", "http://" + silent + "/{id}", "-c", "1", "-d", "60s"}, "Stats: {0,", plannedCode},
	}
	for _, state := range states {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			t.Run(state.name+"/"+sig.String(), func(t *testing.T) {
				t.Parallel()
				p := startedAndSignaled(t, nil, state.ready, sig, state.wants(sig), state.args...)
				if strings.Contains(p.stderr.String(), "goroutine ") {
					t.Errorf("it printed %s", p.stderr)
				}
			})
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		serving := []string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
		startedAndSignaled(t, nil, "streams on ", sig, 0, serving...)
		startedAndSignaled(t, nil, "", sig, 0, append(serving, "--router", "nats://"+silent)...)
	}
}

// endless returns a pipe whose writer writes lines of a log until the test ends.
func endless(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "endless")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // which waits for no reader
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipe.Close() })
	line := []byte("Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\n")
	go func() {
		for err == nil {
			_, err = pipe.Write(line)
			time.Sleep(time.Millisecond)
		}
	}()
	return path
}

// TestLimitOfProcessorTime: what reaches the limit ends in order and says why, also
// if it has no planned end.
func TestLimitOfProcessorTime(t *testing.T) {
	t.Parallel()
	server, url := serve(t)
	flood := start(t, nil, "flood", url, "-c", "1", "-d", "60s")
	flood.says("Stats: {1,")
	for _, p := range []*process{flood, server} {
		p.signal(syscall.SIGXCPU)
		if code := p.code(); code != plannedCode(syscall.SIGXCPU) || !strings.Contains(p.stderr.String(), "ulimit -t") {
			t.Errorf("comet %q: exit code %d: %s", p.cmd.Args[1:], code, p.stderr)
		}
	}
}

// TestFullOutput: a command whose output cannot be written fails; a server goes on.
func TestFullOutput(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	_, url := serve(t)
	full := []string{"sh", "-c", `exec "$0" "$@" >/dev/full`}
	for _, args := range [][]string{
		{"--help"},
		{"flood", "--help"},
		{"version"},
		{"completion", "bash"},
		{"flood", url, "-c", "1", "-d", "100ms"},
		{"flood", url, "-c", "1", "-d", "100ms", "--json"},
		{"memlog", "--pid", strconv.Itoa(os.Getpid()), "--interval", "10ms", "-d", "100ms"},
		{"sysctl", "-c", "10", "--role", "client"},
	} {
		p := start(t, full, args...)
		if code := p.code(); code != 1 || p.stderr.Len() == 0 {
			t.Errorf("comet %q exited %d and said %q; want 1 and why", args, code, p.stderr)
		}
	}
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
		{"router", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"},
	} {
		startedAndSignaled(t, full, "", syscall.SIGTERM, 0, args...)
	}
}

func plannedCode(sig syscall.Signal) int { return 128 + int(sig) }

// TestSecondSignal ends at once what the first lets go on.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p, _ := serve(t, "--drain-delay", "60s")
	p.signal(syscall.SIGTERM)
	p.goesOn("the first SIGTERM")
	p.signal(syscall.SIGINT)
	if code := p.code(); code != 130 {
		t.Errorf("exit code %d, want 130: %s", code, p.stderr)
	}
}

// TestIgnoredSignals: what was ignored when comet started stays ignored.
func TestIgnoredSignals(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	for _, test := range []struct {
		before  []string
		ignored []syscall.Signal
	}{
		{[]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, []syscall.Signal{syscall.SIGHUP}},
		// As of a background job of a script.
		{[]string{"sh", "-c", `trap "" INT QUIT; exec "$0" "$@"`}, []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}},
	} {
		p := start(t, test.before, "flood", url, "-c", "1", "-d", "60s")
		p.says("Stats: {1,")
		for _, sig := range test.ignored {
			p.signal(sig)
			p.goesOn(sig.String())
		}
		p.signal(syscall.SIGTERM)
		if code := p.code(); code != 143 {
			t.Errorf("%q: exit code %d after SIGTERM, want 143", test.before, code)
		}
	}
}

// TestReopenSignals: USR1 reopens a log that was renamed, HUP too without a
// terminal; a command without a log goes on at USR1.
func TestReopenSignals(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP} {
		log := filepath.Join(t.TempDir(), "access.log")
		p, url := serve(t, "--access-log", log)
		if err := os.Rename(log, log+".1"); err != nil {
			t.Fatal(err)
		}
		p.signal(sig)
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(log); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%v: the log was not opened again: %s", sig, p.stderr)
			}
		}
		start(t, nil, "flood", strings.Replace(url, "/test/{id}", "/nowhere", 1), "-c", "1", "-d", "60s")
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if text, _ := os.ReadFile(log); strings.Contains(string(text), "/nowhere") {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%v: nothing is in the new log: %s", sig, p.stderr)
			}
		}
		p.signal(syscall.SIGTERM)
		if code := p.code(); code != 0 {
			t.Errorf("exit code %d: %s", code, p.stderr)
		}
	}
	_, url := serve(t)
	p := start(t, nil, "flood", url, "-c", "1", "-d", "60s")
	p.says("Stats: {1,")
	p.signal(syscall.SIGUSR1)
	p.goesOn("SIGUSR1")
}

// TestBrokenPipe: when the reader has gone, comet ends and says nothing.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	p, url := serve(t)
	for _, args := range [][]string{
		{"--help"},
		{"flood", "--help"},
		{"version"},
		{"completion", "bash"},
		{"flood", url, "-c", "1", "-d", "60s"},
		{"flood", url, "-c", "1", "--json"},
		{"memlog", "--pid", "1", "--interval", "10ms"},
		{"plot", "--help"},
	} {
		c := start(t, []string{"sh", "-c", `read line; exec "$0" "$@"`}, args...)
		c.stdout.Close()
		if _, err := c.stdin.Write([]byte("begin\n")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.ended:
		case <-time.After(30 * time.Second):
			t.Fatalf("comet %q goes on without a reader", args)
		}
		if code := c.cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGPIPE) || c.stderr.Len() > 0 {
			t.Errorf("comet %q exited %d and said %q; want 141 and nothing", args, code, c.stderr)
		}
	}
	// A server goes on.
	p.stdout.Close()
	p.goesOn("the end of its reader")
}
