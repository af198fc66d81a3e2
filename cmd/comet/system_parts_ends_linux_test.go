//go:build system

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The matrix of endings of each command alone: what ends it, how often, in which
// state, with a terminal or without.

// partEnding is a case: what happens to a command in a state.
type partEnding struct {
	partState
	name, event string
	twice       bool
	terminal    bool

	moment time.Duration // long enough for something to happen

	cmd   *exec.Cmd
	out   *output
	errs  *output
	tty   *os.File // the other end of its terminal
	pipe  *os.File // where its output comes out
	ended chan struct{}
}

// TestSystemEndingsOfParts ends each command in each way, in each of its states:
// the exit code is the documented one, what was measured is printed, and the end
// comes at once. COMET_ENDINGS=all takes all cases instead of all pairs.
func TestSystemEndingsOfParts(t *testing.T) {
	t.Parallel() // it waits more than it works
	server, addr, admin := startServer(t)
	states := partStates(t, "http://"+addr+"/test/{id}", "http://"+admin, silentPeer(t))
	var names []string
	for name := range states {
		names = append(names, name)
	}
	cases := product(func(c []string) bool {
		terminal, once := c[3] == "terminal", c[2] == "once"
		switch c[1] {
		case "HUP-ignored", "INT-ignored", "PIPE", "TSTP":
			return !terminal && (once || c[1] == "TSTP")
		case "hangup":
			return terminal && once
		}
		return true
	}, names, []string{"INT", "TERM", "QUIT", "HUP", "HUP-ignored", "INT-ignored", "PIPE", "TSTP", "hangup"}, []string{"once", "twice"}, []string{"plain", "terminal"})
	if os.Getenv("COMET_ENDINGS") != "all" {
		cases = pairwise(cases)
	}
	var (
		mu      sync.Mutex
		longest time.Duration
		which   string
		workers sync.WaitGroup
		next    = make(chan []string)
	)
	for range 6 { // most of the time of each is a wait
		workers.Go(func() {
			for c := range next {
				e := &partEnding{partState: states[c[0]], name: strings.Join(c, " "), event: c[1], twice: c[2] == "twice", terminal: c[3] == "terminal"}
				took, err := e.try(t)
				mu.Lock()
				if took > longest {
					longest, which = took, e.name
				}
				mu.Unlock()
				if took > 2*time.Second {
					t.Logf("%s: ended after %v", e.name, took.Round(10*time.Millisecond))
				}
				if err != nil {
					t.Errorf("%s: %v\nit printed %q\nand said %q", e.name, err, tail(e.out.said()), tail(e.errs.said()))
				}
			}
		})
	}
	for _, c := range cases {
		next <- c
	}
	close(next)
	workers.Wait()
	t.Logf("%d cases; the longest took %v to end: %s", len(cases), longest.Round(10*time.Millisecond), which)
	if ended(server) {
		t.Error("the server that they used has ended")
	}
}

// errTooEarly: the signal came before the command heard any.
var errTooEarly = errors.New("the signal has killed it")

// try makes one command end and returns how long that took. Where nothing shows
// that a state is reached, it gives the command more time if that was too little.
func (e *partEnding) try(t *testing.T) (took time.Duration, err error) {
	t.Helper()
	for e.moment = 300 * time.Millisecond; ; e.moment *= 3 {
		again := *e
		took, err := again.once(t)
		if e.ready != "" || !errors.Is(err, errTooEarly) || e.moment > 5*time.Second {
			*e = again
			return took, err
		}
	}
}

func (e *partEnding) once(t *testing.T) (took time.Duration, err error) {
	t.Helper()
	if err := e.start(t); err != nil {
		return 0, err
	}
	defer e.kill()
	if err := e.reach(); err != nil {
		return 0, err
	}
	begun := time.Now()
	want, err := e.happen()
	if err != nil {
		return 0, err
	}
	if want < 0 { // it goes on, and something else is to end it
		if err := e.goesOn(); err != nil {
			return 0, err
		}
		begun = time.Now()
		want = e.code(syscall.SIGTERM)
		if err := e.send(syscall.SIGTERM); err != nil {
			return 0, err
		}
	}
	return e.end(begun, want)
}

// start starts the command, without a terminal or with one of its own.
func (e *partEnding) start(t *testing.T) error {
	t.Helper()
	e.ended, e.out, e.errs = make(chan struct{}), new(output), new(output)
	words := append([]string{"comet"}, e.args...)
	switch e.event {
	case "HUP-ignored": // as by nohup(1)
		words = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, words...)
	case "INT-ignored": // as a background job of a script
		words = append([]string{"sh", "-c", `trap "" INT QUIT; exec "$@"`, "sh"}, words...)
	}
	e.cmd = exec.Command(words[0], words[1:]...)
	e.cmd.Dir = t.TempDir()
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if e.event == "TSTP" { // which does nothing to a session of its own
		e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if e.terminal {
		return e.startInTerminal()
	}
	stdin, stdinEnd, err1 := os.Pipe()
	stdout, stdoutEnd, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	e.pipe = stdout
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = stdin, stdoutEnd, e.errs
	err := e.cmd.Start()
	stdin.Close()
	stdoutEnd.Close()
	if err != nil {
		return err
	}
	go e.copy(stdout)
	go func() {
		e.cmd.Wait()
		stdinEnd.Close()
		close(e.ended)
	}()
	return nil
}

// startInTerminal makes a terminal the controlling one of the command (pty(7)).
func (e *partEnding) startInTerminal() error {
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	e.tty = ptmx
	raw, err := ptmx.SyscallConn()
	if err != nil {
		return err
	}
	number := 0
	var failed error
	err = raw.Control(func(fd uintptr) {
		number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		failed = errors.Join(failed, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer end.Close()
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = end, end, end
	e.cmd.SysProcAttr.Setctty = true
	if err := e.cmd.Start(); err != nil {
		return err
	}
	go e.copy(ptmx)
	go func() {
		e.cmd.Wait()
		close(e.ended)
	}()
	return nil
}

func (e *partEnding) copy(from *os.File) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		e.out.Write(buffer[:n])
		if err != nil {
			return
		}
	}
}

// kill leaves nothing behind.
func (e *partEnding) kill() {
	e.cmd.Process.Kill()
	<-e.ended
	for _, f := range []*os.File{e.tty, e.pipe} {
		if f != nil {
			f.Close()
		}
	}
}

// reach waits until the command is in its state.
func (e *partEnding) reach() error {
	if e.ready == "" {
		return e.goesOn() // until it reads, or has asked
	}
	for end := time.Now().Add(30 * time.Second); !strings.Contains(e.said(), e.ready); time.Sleep(10 * time.Millisecond) {
		if e.over() {
			return errors.New("it ended before anything ended it")
		}
		if time.Now().After(end) {
			return fmt.Errorf("it has not said %q", e.ready)
		}
	}
	if e.draining {
		if err := e.send(syscall.SIGTERM); err != nil {
			return err
		}
		return e.goesOn() // for as long that a second signal is another request
	}
	return nil
}

// happen makes the event happen and returns the exit code that it is to end with,
// -1 if it is to go on.
func (e *partEnding) happen() (code int, err error) {
	sig := map[string]syscall.Signal{
		"INT": syscall.SIGINT, "INT-ignored": syscall.SIGINT, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT,
		"HUP": syscall.SIGHUP, "HUP-ignored": syscall.SIGHUP, "hangup": syscall.SIGHUP,
	}[e.event]
	switch e.event {
	case "PIPE":
		e.pipe.Close()
		if e.prints {
			return 128 + int(syscall.SIGPIPE), nil
		}
		return -1, nil
	case "TSTP":
		return -1, e.suspend()
	case "hangup":
		e.tty.Close()
		return e.code(sig), nil
	case "INT-ignored":
		return -1, errors.Join(e.send(sig), e.send(syscall.SIGQUIT))
	case "HUP-ignored":
		return -1, e.send(sig)
	}
	goesOn := sig == syscall.SIGHUP && e.reopens && !e.terminal
	if err := e.send(sig); err != nil || goesOn && !e.twice {
		return -1, err
	}
	if e.twice {
		select {
		case <-e.ended:
		case <-time.After(400 * time.Millisecond): // sooner it is the same request
			e.cmd.Process.Signal(sig) // it may have ended just now
		}
	}
	if goesOn {
		return -1, nil
	}
	return e.code(sig), nil
}

// suspend stops the command as Ctrl-Z does, and has it go on.
func (e *partEnding) suspend() error {
	for range map[bool]int{false: 1, true: 2}[e.twice] {
		if err := e.send(syscall.SIGTSTP); err != nil {
			return err
		}
		stat := fmt.Sprintf("/proc/%d/stat", e.cmd.Process.Pid)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			text, _ := os.ReadFile(stat)
			if strings.Contains(string(text), ") T ") {
				break
			}
			if time.Now().After(end) {
				return errors.New("SIGTSTP does not suspend it")
			}
		}
		time.Sleep(200 * time.Millisecond)
		if err := e.send(syscall.SIGCONT); err != nil {
			return err
		}
	}
	return nil
}

func (e *partEnding) send(sig syscall.Signal) error {
	if err := e.cmd.Process.Signal(sig); err != nil {
		<-e.ended
		return e.endedEarly(fmt.Sprintf("it ended before %v", sig))
	}
	return nil
}

// endedEarly returns the error of a command that has ended.
func (e *partEnding) endedEarly(what string) error {
	if status, _ := e.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return errTooEarly
	}
	return fmt.Errorf("%s, with %v", what, e.cmd.ProcessState)
}

// code returns the exit code after a signal that ends it (DESIGN, "Exit codes").
func (e *partEnding) code(sig syscall.Signal) int {
	if e.forever {
		return 0
	}
	return 128 + int(sig)
}

func (e *partEnding) over() bool {
	select {
	case <-e.ended:
		return true
	default:
		return false
	}
}

// goesOn fails if the command has ended.
func (e *partEnding) goesOn() error {
	select {
	case <-e.ended:
		return e.endedEarly("it was to go on, and ended")
	case <-time.After(e.moment):
		return nil
	}
}

// tick is how often an end is looked for. Ticks are counted, and not the time: a
// machine that stalls holds up both this test and what it waits for.
const tick = 20 * time.Millisecond

// end waits for the end and looks at it. What takes longer than it should is a
// failure far beyond that, since the machine may be busy.
func (e *partEnding) end(begun time.Time, want int) (took time.Duration, err error) {
	const limit = 10 * time.Second
	for waited := time.Duration(0); !e.over(); waited += tick {
		if waited > limit {
			return time.Since(begun), fmt.Errorf("it has not ended after %v", limit)
		}
		time.Sleep(tick)
	}
	took = time.Since(begun)
	status, _ := e.cmd.ProcessState.Sys().(syscall.WaitStatus)
	code := e.cmd.ProcessState.ExitCode()
	if status.Signaled() {
		return took, fmt.Errorf("%w (%v), want exit code %d", errTooEarly, status.Signal(), want)
	}
	if code == 2 && strings.Contains(e.errs.said(), "SIGQUIT: quit") { // Go's runtime ended it
		return took, fmt.Errorf("%w (SIGQUIT), want exit code %d", errTooEarly, want)
	}
	if !e.wanted(code, want) {
		return took, fmt.Errorf("exit code %d, want %d", code, want)
	}
	if strings.Contains(e.said(), "goroutine ") {
		return took, errors.New("it printed its goroutines")
	}
	if left := e.left(); len(left) > 0 {
		return took, fmt.Errorf("processes %v are left", left)
	}
	cut := e.event == "PIPE" || e.event == "hangup" || e.twice
	if e.measured == "" || cut {
		return took, nil
	}
	re := regexp.MustCompile(e.measured)
	for end := time.Now().Add(5 * time.Second); !re.MatchString(e.out.said()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) { // what is in the pipe was read long ago
			return took, fmt.Errorf("what was measured, %s, is not printed", e.measured)
		}
	}
	return took, nil
}

// said returns all that it has printed.
func (e *partEnding) said() string { return e.errs.said() + e.out.said() }

// left returns the processes that run in its folder, as its parts do.
func (e *partEnding) left() (pids []string) {
	folders, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range folders {
		if folder, _ := os.Readlink(link); folder == e.cmd.Dir {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}

// wanted reports whether an exit code is right. A second signal may come before
// the first has ended what has no planned end.
func (e *partEnding) wanted(code, want int) bool {
	if e.twice && e.forever && e.event != "TSTP" {
		return code == want || code > 128
	}
	return code == want
}

func (o *output) said() (text string) {
	o.locked(func() { text = o.text.String() })
	return text
}

// tail returns the end of a text.
func tail(text string) string { return text[max(0, len(text)-400):] }
