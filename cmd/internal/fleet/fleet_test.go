package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// role is the variable by which a copy of this test knows what to play.
const role = "FLEET_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		goleak.VerifyTestMain(m)
	case "echo": // answers each line, ends with its standard input
		fmt.Printf("not JSON\n{\"type\":\"ready\",\"args\":%q,\"env\":%q}\n", strings.Join(os.Args[1:], " "), os.Getenv("FLEET_TEST_MORE"))
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Printf("{\"type\":\"line\",\"text\":%q}\n", lines.Text())
		}
	case "samples": // speaks until its standard input ends
		go func() {
			for i := 0; ; i++ {
				fmt.Printf("{\"type\":\"sample\",\"n\":%d}\n", i)
				time.Sleep(5 * time.Millisecond)
			}
		}()
		_ = bufio.NewScanner(os.Stdin).Scan()
		fmt.Println(`{"type":"result"}`)
	case "dies":
		for i := range 2 * lastWords {
			fmt.Fprintln(os.Stderr, "word", i)
		}
		os.Exit(7)
	case "ends":
	case "is deaf":
		fmt.Println(`{"type":"ready"}`)
		time.Sleep(time.Hour)
	}
}

// patience is for what takes no time on a machine with nothing else to do.
const patience = time.Minute

// launch starts a copy of this test in a role.
func launch(t *testing.T, f *Fleet, name, as string, change ...func(*Spec)) *Process {
	t.Helper()
	f.Executable = os.Args[0]
	spec := Spec{Name: name, Env: []string{role + "=" + as}}
	for _, c := range change {
		c(&spec)
	}
	p, err := f.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(0) }) // killed, if the test did not end it
	return p
}

func TestAProcessIsToldAndHeard(t *testing.T) {
	p := launch(t, new(Fleet), "serve", "echo", func(s *Spec) {
		s.Args = []string{"--json"}
		s.Env = append(s.Env, "FLEET_TEST_MORE=more")
	})
	var ready struct{ Args, Env string }
	if err := p.Await(t.Context(), "ready", patience, &ready); err != nil || ready.Args != "serve --json" || ready.Env != "more" {
		t.Errorf("%+v, %v; want its arguments and its environment", ready, err)
	}
	if err := p.Tell("first"); err != nil {
		t.Error(err)
	}
	var line struct{ Text string }
	if err := p.Await(t.Context(), "line", patience, &line); err != nil || line.Text != "first" {
		t.Errorf("%+v, %v; want what it was told", line, err)
	}
	if err := p.Tell("second"); err != nil {
		t.Error(err)
	}
	if err := p.Stop(patience); err != nil {
		t.Error(err)
	}
	// Its last line of a type is there after its end as well.
	if err := p.Await(t.Context(), "line", 0, &line); err != nil || line.Text != "second" {
		t.Errorf("%+v, %v; want the line that was told", line, err)
	}
	if !p.Ended() || p.CPU() < 0 || p.Silent() != 0 {
		t.Errorf("ended %v, %v of processor time, silent for %v", p.Ended(), p.CPU(), p.Silent())
	}
	if err := p.Tell("too late"); err == nil {
		t.Error("a process that has ended is told something")
	}
}

func TestAwaitEnds(t *testing.T) {
	f := new(Fleet)
	echo := launch(t, f, "serve", "echo")
	err := echo.Await(t.Context(), "never", 10*time.Millisecond, nil)
	hung, ok := errors.AsType[*HungError](err)
	if !ok || hung.Process != echo || !strings.Contains(err.Error(), fmt.Sprintf("comet serve (pid %d) did not report \"never\" within 10ms", echo.PID)) {
		t.Errorf("%v; want the process that did not report, by name", err)
	}
	cause := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := echo.Await(ctx, "never", 0, nil); !errors.Is(err, cause) {
		t.Errorf("%v, want the cause of the context", err)
	}
	var wrong struct{ Args int }
	if err := echo.Await(t.Context(), "ready", patience, &wrong); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("%v, want that the line cannot be read", err)
	}
	dead := launch(t, f, "flood", "dies")
	err = dead.Await(t.Context(), "ready", 0, nil)
	for _, want := range []string{fmt.Sprintf("comet flood (pid %d) ended (exit status 7)", dead.PID), fmt.Sprintf("\n  word %d\n", lastWords), fmt.Sprintf("word %d", 2*lastWords-1)} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), fmt.Sprintf("word %d\n", lastWords-1)) {
		t.Errorf("%v; want its last words alone", err)
	}
	if err := launch(t, f, "memlog", "ends").Await(t.Context(), "ready", 0, nil); err == nil || !strings.Contains(err.Error(), "(without an error) and said nothing") {
		t.Errorf("%v, want that it said nothing", err)
	}
}

func TestWhatAProcessComplainsOfIsPassedOn(t *testing.T) {
	var mu sync.Mutex
	var said []string
	f := &Fleet{Say: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, line)
	}}
	_ = launch(t, f, "serve", "dies").Lost()
	if len(said) != 2*lastWords || said[0] != "serve: word 0" {
		t.Errorf("%q", said)
	}
}

func TestSamples(t *testing.T) {
	came := make(chan string, 1)
	p := launch(t, new(Fleet), "flood", "samples", func(s *Spec) {
		s.OnSample = func(line []byte) {
			select {
			case came <- string(line):
			default:
			}
		}
	})
	if line := <-came; !strings.Contains(line, `"n":`) {
		t.Errorf("the sample is %q", line)
	}
	if err := p.Stop(patience); err != nil {
		t.Error(err)
	}
	if err := p.Await(t.Context(), "result", 0, nil); err != nil {
		t.Error(err)
	}
}

func TestStopKillsTheDeaf(t *testing.T) {
	p := launch(t, new(Fleet), "serve", "is deaf")
	err := p.Stop(10 * time.Millisecond)
	if _, ok := errors.AsType[*HungError](err); !ok || !strings.Contains(err.Error(), "did not end within 10ms and was killed") {
		t.Errorf("%v, want that it had to be killed", err)
	}
	if !p.Ended() {
		t.Error("it runs on")
	}
	if err := launch(t, new(Fleet), "serve", "dies").Stop(patience); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("%v, want how it ended", err)
	}
}

// TestKill ends what would not end, and nothing starts after it.
func TestKill(t *testing.T) {
	f := new(Fleet)
	deaf, echo := launch(t, f, "serve", "is deaf"), launch(t, f, "flood", "echo")
	f.Retire(echo) // about to end, and not ended yet
	f.Kill()
	for _, p := range []*Process{deaf, echo} {
		select {
		case <-p.Done():
		case <-time.After(patience):
			t.Errorf("%v runs on", p)
		}
	}
	if p, err := f.Start(t.Context(), Spec{Name: "serve", Env: []string{role + "=ends"}}); !errors.Is(err, errKilled) {
		t.Errorf("%v, %v; want no process after that", p, err)
	}
}

// TestExpect: a process that was to speak and has not is silent since then.
func TestExpect(t *testing.T) {
	p := launch(t, new(Fleet), "flood", "is deaf")
	if silent := p.Silent(); silent != 0 {
		t.Errorf("silent for %v before anything was expected", silent)
	}
	p.Expect()
	for p.Silent() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := p.Stop(0); err == nil || p.Silent() != 0 {
		t.Errorf("%v; silent for %v after its end", err, p.Silent())
	}
}

func TestStart(t *testing.T) {
	f := &Fleet{Executable: "/nowhere/comet"}
	if _, err := f.Start(t.Context(), Spec{Name: "serve"}); err == nil || !strings.Contains(err.Error(), "cannot start comet serve") {
		t.Errorf("%v", err)
	}
	cause := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := f.Start(ctx, Spec{Name: "serve"}); !errors.Is(err, cause) {
		t.Errorf("%v, want nothing started after the end", err)
	}
	// Every schedule is a wish: a process starts with it, here or not.
	p := launch(t, new(Fleet), "serve", "echo", func(s *Spec) { s.Pin = Pin{Batch: true, Processor: 3, Nice: true} })
	if err := p.Await(t.Context(), "ready", patience, nil); err != nil {
		t.Error(err)
	}
}

func TestWatch(t *testing.T) {
	untilEnd := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	t.Run("nothing ends", func(t *testing.T) {
		f := new(Fleet)
		launch(t, f, "serve", "echo")
		failure := errors.New("failed")
		if err := f.Watch(t.Context(), func(context.Context) error { return failure }, untilEnd); !errors.Is(err, failure) {
			t.Errorf("%v, want what it returned", err)
		}
		if err := f.Watch(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	t.Run("a process ends", func(t *testing.T) {
		f := new(Fleet)
		p := launch(t, f, "serve", "dies")
		if err := f.Watch(t.Context(), untilEnd); err == nil || !strings.Contains(err.Error(), "comet serve (pid ") {
			t.Errorf("%v, want the process that ended", err)
		}
		if !f.Lost(p) || len(f.Running()) != 0 {
			t.Errorf("lost %v, running %v", f.Lost(p), f.Running())
		}
		if err := f.StopAll(t.Context(), Grace{Each: patience}, []*Process{p}); err != nil {
			t.Errorf("%v: it was named already", err)
		}
	})
	t.Run("a process ends, and what is done ends with it", func(t *testing.T) {
		f := new(Fleet)
		p := launch(t, f, "serve", "dies")
		f.OnLoss = func(p *Process) error {
			time.Sleep(20 * time.Millisecond)
			return p.Lost()
		}
		err := f.Watch(t.Context(), func(context.Context) error {
			for !f.Lost(p) {
				time.Sleep(time.Millisecond)
			}
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "comet serve (pid ") {
			t.Errorf("%v, want the process that ended", err)
		}
	})
	t.Run("a process ends that others stand in for", func(t *testing.T) {
		var lost []string
		f := &Fleet{OnLoss: func(p *Process) error {
			lost = append(lost, p.Name)
			return nil
		}}
		p := launch(t, f, "flood", "ends")
		launch(t, f, "serve", "echo")
		err := f.Watch(t.Context(), func(ctx context.Context) error {
			<-p.Done()
			for !f.Lost(p) {
				if err := Wait(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			return f.Lose(p) // a second time, which is nothing
		})
		if err != nil || len(lost) != 1 || lost[0] != "flood" || len(f.Running()) != 1 {
			t.Errorf("%v; lost %q, running %v", err, lost, f.Running())
		}
		// It is not watched again.
		if err := f.Watch(t.Context(), func(context.Context) error { return nil }); err != nil || len(lost) != 1 {
			t.Errorf("%v; lost %q", err, lost)
		}
	})
	t.Run("a guard fails", func(t *testing.T) {
		failure := errors.New("the server has gone")
		err := new(Fleet).Watch(t.Context(), untilEnd, func(context.Context) error { return failure })
		if !errors.Is(err, failure) {
			t.Errorf("%v, want the guard's", err)
		}
	})
	t.Run("its context ends", func(t *testing.T) {
		cause := errors.New("Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := new(Fleet).Watch(ctx, untilEnd, untilEnd); !errors.Is(err, cause) {
			t.Errorf("%v, want the cause", err)
		}
	})
}

func TestStopAllGoesInOrder(t *testing.T) {
	f := new(Fleet)
	first, second, rest := launch(t, f, "msggen", "echo"), launch(t, f, "serve", "is deaf"), launch(t, f, "router", "echo")
	// The first has ended by the time the second is waited for.
	go func() {
		<-first.Done()
		second.peer.Kill()
	}()
	err := f.StopAll(t.Context(), Grace{Each: patience}, []*Process{first, nil}, []*Process{second})
	if err == nil || !strings.Contains(err.Error(), "comet serve") || strings.Contains(err.Error(), "msggen") {
		t.Errorf("%v, want the one that did not end well", err)
	}
	if !rest.Ended() || len(f.Running()) != 0 {
		t.Error("what is in no group was not ended")
	}
}

func TestStopAllHurries(t *testing.T) {
	f := new(Fleet)
	var groups [][]*Process
	for range 3 {
		groups = append(groups, []*Process{launch(t, f, "serve", "is deaf")})
	}
	// Somebody presses Ctrl-C while the first is waited for.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	begun := time.Now()
	err := f.StopAll(ctx, Grace{Each: patience, Hurry: 50 * time.Millisecond}, groups...)
	if err == nil || strings.Count(err.Error(), "was killed") != 3 {
		t.Errorf("%v, want all three killed", err)
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("it took %v", took)
	}
}

func TestEach(t *testing.T) {
	var mu sync.Mutex
	done := make(map[int]bool)
	note := func(i int) {
		mu.Lock()
		defer mu.Unlock()
		done[i] = true
	}
	if err := Each(10, 3, func(i int) error { note(i); return nil }); err != nil || len(done) != 10 {
		t.Errorf("%v; done %v", err, done)
	}
	clear(done)
	failure := errors.New("failed")
	if err := Each(1000, 2, func(i int) error {
		note(i)
		if i == 3 {
			return failure
		}
		return nil
	}); !errors.Is(err, failure) || len(done) > 6 {
		t.Errorf("%v; %d done after the failure", err, len(done))
	}
	if err := Each(0, 4, func(int) error { return failure }); err != nil {
		t.Error(err)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, cause := time.Now(), errors.New("Ctrl-C")
		if err := Wait(t.Context(), time.Hour); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := Wait(ctx, time.Hour); !errors.Is(err, cause) {
			t.Errorf("%v", err)
		}
	})
}

// The clock is made up: a process is silent if its last sample lies back.
func TestHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		close(ended)
		f := &Fleet{running: []*Process{
			{Name: "serve", PID: 1, done: make(chan struct{})}, // gives no samples
			{Name: "msggen", PID: 2, done: ended, sample: time.Now()},
			{Name: "flood", PID: 3, done: make(chan struct{}), sample: time.Now()},
		}}
		time.Sleep(20 * time.Second)
		if err := f.Hung(20 * time.Second); err != nil {
			t.Errorf("%v, want nothing yet", err)
		}
		time.Sleep(time.Second)
		err := f.Hung(20 * time.Second)
		if hung, ok := errors.AsType[*HungError](err); !ok || hung.Process.Name != "flood" || !strings.Contains(err.Error(), "comet flood (pid 3) has reported nothing for 21s") {
			t.Errorf("%v, want the silent one that runs", err)
		}
	})
}

func TestAFiniteProcessMayEnd(t *testing.T) {
	f := new(Fleet)
	p := launch(t, f, "msggen", "ends", func(s *Spec) { s.Finite = true })
	err := f.Watch(t.Context(), func(ctx context.Context) error {
		<-p.Done()
		return Wait(ctx, 20*time.Millisecond)
	})
	if err != nil || f.Lost(p) {
		t.Errorf("%v, lost %v", err, f.Lost(p))
	}
}

func TestRetire(t *testing.T) {
	f := new(Fleet)
	p := launch(t, f, "msggen", "echo")
	f.Retire(p)
	if len(f.Running()) != 0 || f.Lost(p) || f.Lose(p) != nil {
		t.Errorf("running %v, lost %v", f.Running(), f.Lost(p))
	}
	if err := f.StopAll(t.Context(), Grace{Each: patience}, []*Process{p}); err != nil || p.Ended() {
		t.Errorf("%v: it is somebody else's to stop", err)
	}
}

// Whatever a process prints, the last line of a type is kept and nothing waits.
func FuzzListen(f *testing.F) {
	f.Add("{\"type\":\"ready\"}\nnoise\n{\"type\":\"sample\",\"n\":1}\n{\"type\":\"ready\",\"n\":2}")
	f.Add("{\"type\":7}\n{}\n\x00\n")
	f.Fuzz(func(t *testing.T, text string) {
		p := &Process{done: make(chan struct{}), lines: make(map[string][]byte), changed: make(chan struct{})}
		samples := 0
		p.listen(strings.NewReader(text), func([]byte) { samples++ })
		p.hear(strings.NewReader(text), func(string) {})
		if line, _ := p.line("sample"); line != nil {
			t.Error("a sample is kept as a line")
		}
		if len(p.words) > lastWords || (samples > 0) == p.sample.IsZero() {
			t.Errorf("%d words, %d samples, the last at %v", len(p.words), samples, p.sample)
		}
	})
}
