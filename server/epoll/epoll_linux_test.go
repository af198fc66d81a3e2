package epoll

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// socketPair is a connection with both its ends here.
func socketPair(t *testing.T) (ours, theirs int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]) })
	return pair[0], pair[1]
}

// wait returns the one event that there must be.
func wait(t *testing.T, p *Poller) Event {
	t.Helper()
	for range 100 { // EINTR returns none, and so does a Wake
		events, err := p.Wait(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 1 {
			return events[0]
		}
		if len(events) > 1 {
			t.Fatalf("%d events, want one", len(events))
		}
	}
	t.Fatal("no event")
	return Event{}
}

func none(t *testing.T, p *Poller) {
	t.Helper()
	if events, err := p.Wait(0); err != nil || len(events) > 0 {
		t.Fatalf("events %+v, error %v, want none", events, err)
	}
}

func write(t *testing.T, fd int, b string) {
	t.Helper()
	if n, err := WriteNow(fd, []byte(b)); n != len(b) || err != nil {
		t.Fatalf("wrote %d of %d, error %v", n, len(b), err)
	}
}

func TestPoller(t *testing.T) {
	p := newPoller(t)
	fd, peer := socketPair(t)
	const token = 0xdead_beef_0000_0001 // all 64 bits come back
	if err := p.Add(fd, Read, token); err != nil {
		t.Fatal(err)
	}
	none(t, p)
	write(t, peer, "a")
	if e := wait(t, p); e.Token != token || !e.Readable() || e.Writable() || e.Ended() {
		t.Errorf("bytes came: %+v readable %t writable %t ended %t", e, e.Readable(), e.Writable(), e.Ended())
	}
	none(t, p) // edge triggered: that was the news
	if err := p.Set(fd, Read, 7); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, p); e.Token != 7 || !e.Readable() {
		t.Errorf("asked anew: %+v", e)
	}
	if err := p.Set(fd, Read|Write, 7); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, p); !e.Writable() || e.Ended() {
		t.Errorf("there is room: %+v", e)
	}
	if err := unix.Shutdown(peer, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, p); !e.Readable() || !e.Ended() {
		t.Errorf("the peer has said all: %+v readable %t ended %t", e, e.Readable(), e.Ended())
	}
	unix.Close(peer)
	if e := wait(t, p); !e.Readable() || !e.Writable() || !e.Ended() {
		t.Errorf("the peer is gone: %+v", e)
	}
}

func TestPollerLevel(t *testing.T) {
	p := newPoller(t)
	fd, peer := socketPair(t)
	defer unix.Close(peer)
	if err := p.Add(fd, Read|Level, 5); err != nil {
		t.Fatal(err)
	}
	write(t, peer, "a")
	for range 3 {
		if e := wait(t, p); !e.Readable() {
			t.Errorf("%+v", e)
		}
	}
	if err := p.Set(fd, Level, 5); err != nil { // silenced
		t.Fatal(err)
	}
	none(t, p)
	if err := p.Set(fd, Read|Level, 5); err != nil {
		t.Fatal(err)
	}
	wait(t, p)
}

func TestPollerErrors(t *testing.T) {
	p := newPoller(t)
	fd, peer := socketPair(t)
	defer unix.Close(peer)
	if err := p.Set(fd, Read, 1); !errors.Is(err, unix.ENOENT) {
		t.Errorf("Set before Add: %v, want ENOENT", err)
	}
	if err := p.Add(fd, Read, 1); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(fd, Read, 1); !errors.Is(err, unix.EEXIST) {
		t.Errorf("Add twice: %v, want EEXIST", err)
	}
	if err := p.Add(-1, Read, 1); !errors.Is(err, unix.EBADF) {
		t.Errorf("no file: %v, want EBADF", err)
	}
}

func TestPollerTimeout(t *testing.T) {
	p := newPoller(t)
	start := time.Now()
	if events, err := p.Wait(3 * time.Millisecond); err != nil || len(events) > 0 {
		t.Errorf("events %+v, error %v", events, err)
	}
	if passed := time.Since(start); passed < 3*time.Millisecond {
		t.Errorf("it waited %v, less than it was to", passed)
	}
}

// TestWake: a Wake is never lost, whether Wait is under way or not, and many
// are one.
func TestWake(t *testing.T) {
	p := newPoller(t)
	for range 100 {
		p.Wake()
	}
	if events, err := p.Wait(-1); err != nil || len(events) > 0 {
		t.Errorf("events %+v, error %v", events, err)
	}
	var wakers sync.WaitGroup
	for range 3 {
		wakers.Go(func() {
			for range 1000 {
				p.Wake()
			}
		})
	}
	wakers.Wait()
	if _, err := p.Wait(-1); err != nil {
		t.Error(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := p.Wait(-1)
		waiting <- err
	}()
	p.Wake()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

// TestWakeAfterClose: the number of a closed file is soon somebody else's, whom
// a late Wake or a second Close must not touch.
func TestWakeAfterClose(t *testing.T) {
	ours, peer := socketPair(t)
	defer unix.Close(peer)
	before := descriptors(t)
	p := newPoller(t)
	opened := slices.DeleteFunc(descriptors(t), func(fd int) bool { return slices.Contains(before, fd) })
	if len(opened) == 0 {
		t.Fatal("a Poller without a file")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, fd := range opened {
		if err := unix.Dup3(ours, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	p.Wake()
	if n, err := ReadNow(peer, make([]byte, 16)); err != unix.EAGAIN { //nolint:errorlint // bare errnos
		t.Errorf("a Wake wrote %d bytes to somebody's connection (error %v)", n, err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	for _, fd := range opened {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			t.Errorf("a second Close closed somebody's connection: %v", err)
		}
	}
}

// descriptors lists this process's open files, in order.
func descriptors(t *testing.T) (all []int) {
	t.Helper()
	for fd := range 256 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			all = append(all, fd)
		}
	}
	return all
}

func TestAccept(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	accept := func() (fd int, err error) {
		if e := raw.Control(func(l uintptr) { fd, err = Accept(int(l)) }); e != nil {
			t.Fatal(e)
		}
		return fd, err
	}
	if _, err := accept(); err != unix.EAGAIN { //nolint:errorlint // bare errnos
		t.Errorf("nobody there: %v, want EAGAIN", err)
	}
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fd, err := accept()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
		t.Error("it would block")
	}
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("a child would inherit it")
	}
	b := make([]byte, 8)
	if _, err := ReadNow(fd, b); err != unix.EAGAIN { //nolint:errorlint // bare errnos
		t.Errorf("nothing sent: %v, want EAGAIN", err)
	}
	total := 0
	for { // until the socket is full
		n, err := WriteNow(fd, make([]byte, 64<<10))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	if total == 0 {
		t.Error("a fresh socket took nothing")
	}
	if _, err := WriteNow(-1, b); err != unix.EBADF { //nolint:errorlint // bare errnos
		t.Errorf("no socket: %v, want EBADF", err)
	}
}

func BenchmarkWake(b *testing.B) {
	p, err := New()
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for b.Loop() {
		p.Wake()
		if _, err := p.Wait(-1); err != nil {
			b.Fatal(err)
		}
	}
}

// keepingPoller returns a Poller that keeps its processor, and the peer of a connection
// that is registered with it.
func keepingPoller(t *testing.T) (p *Poller, peer int) {
	t.Helper()
	p = newPoller(t)
	p.Keep()
	t.Cleanup(Reserve(1))
	fd, peer := socketPair(t)
	t.Cleanup(func() { unix.Close(peer) })
	if err := p.Add(fd, Read, 5); err != nil {
		t.Fatal(err)
	}
	return p, peer
}

// TestKeep: a Poller that keeps its processor is woken, reports what comes soon and
// what comes late, ends its waits in time, and lets the garbage collector work.
func TestKeep(t *testing.T) {
	p, peer := keepingPoller(t)
	for range 50 {
		write(t, peer, "a")
		if e := wait(t, p); !e.Readable() {
			t.Errorf("%+v", e)
		}
	}
	for _, pause := range []time.Duration{0, time.Millisecond, 3 * keepTime, 0} {
		go func() {
			runtime.GC()
			time.Sleep(pause)
			p.Wake()
		}()
		for start := time.Now(); ; { // a Wait may end early
			events, err := p.Wait(-1)
			if err != nil || len(events) > 0 {
				t.Fatalf("events %+v, error %v", events, err)
			}
			if time.Since(start) >= pause {
				break
			}
		}
		write(t, peer, "a")
		if e := wait(t, p); !e.Readable() {
			t.Errorf("after %v: %+v", pause, e)
		}
	}
	for _, timeout := range []time.Duration{0, time.Microsecond, keepTime, 2 * keepTime} {
		if events, err := p.Wait(timeout); err != nil || len(events) > 0 {
			t.Errorf("events %+v, error %v", events, err)
		}
	}
}

// TestCallEndsInTime: the kernel ends a wait that nothing else does. A signal of the
// runtime's, which wants the processor after 10 ms, would end it otherwise.
func TestCallEndsInTime(t *testing.T) {
	p := newPoller(t)
	for deadline := time.Now().Add(10 * time.Second); ; {
		p.call(time.Millisecond)
		if p.errno == 0 {
			break // one that was not interrupted
		}
		if time.Now().After(deadline) {
			t.Fatalf("no wait of a millisecond ends by itself: the last ended with %v", p.errno)
		}
	}
}

// TestKeepQuiet: what comes while a Poller keeps its processor does not wake the
// runtime's poller as well.
func TestKeepQuiet(t *testing.T) {
	p, peer := keepingPoller(t)
	runtimes, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC) // as the runtime's
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(runtimes)
	if err := unix.EpollCtl(runtimes, unix.EPOLL_CTL_ADD, p.watched, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}); err != nil {
		t.Fatal(err)
	}
	woken := func() bool {
		n, err := unix.EpollWait(runtimes, make([]unix.EpollEvent, 1), 0)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	write(t, peer, "a")
	if !woken() {
		t.Error("the runtime does not see what comes while it is to wait")
	}
	wait(t, p)
	for begun := time.Now(); p.watches; { // until it keeps its processor
		if time.Since(begun) > time.Minute {
			t.Fatal("it never keeps its processor")
		}
		write(t, peer, "a")
		wait(t, p)
	}
	woken()
	for range 10 {
		write(t, peer, "a")
		if woken() {
			t.Fatal("the runtime is woken for nothing")
		}
		if wait(t, p); p.watches {
			return // the machine is slow, and it waits with the runtime again
		}
	}
}

// raw makes a system call that the runtime does not know of.
func raw(call uintptr, fd int, b []byte) {
	unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
}

// TestKeepForOthers: while a Poller keeps its processor, the rest of the program learns
// what comes for it. Until then all of it was idle, so that the thread that waited in
// the runtime's poller is the one that now runs the Poller, and the runtime's monitor
// sleeps.
func TestKeepForOthers(t *testing.T) {
	p := newPoller(t)
	p.Keep()
	t.Cleanup(Reserve(1))
	ticks, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK) // no timer of the runtime's
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ticks)
	if err := p.Add(ticks, Read, 5); err != nil {
		t.Fatal(err)
	}
	const (
		idle    = 30 * time.Millisecond
		tick    = time.Millisecond
		writeAt = 20 // turns
		enough  = 2000
	)
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ends := int(w.Fd()) // which is a system call that the runtime knows of
		var came atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Read(make([]byte, 1))
			came.Store(true)
		}()
		begin := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(idle)), Interval: unix.NsecToTimespec(int64(tick))}
		if err := unix.TimerfdSettime(ticks, 0, &begin, nil); err != nil {
			t.Fatal(err)
		}
		turns := 0
		for ; !came.Load() && turns < writeAt+enough; turns++ {
			if _, err := p.Wait(-1); err != nil {
				t.Fatal(err)
			}
			raw(unix.SYS_READ, ticks, make([]byte, 8))
			if turns == writeAt {
				raw(unix.SYS_WRITE, ends, make([]byte, 1))
			}
		}
		if !came.Load() {
			t.Errorf("nobody has read what came %d turns of %v ago", enough, tick)
		}
		if err := unix.TimerfdSettime(ticks, 0, &unix.ItimerSpec{}, nil); err != nil {
			t.Fatal(err)
		}
		<-done
		r.Close()
		w.Close()
	}
}

// TestProcessors: what is reserved is nobody's number of processors.
func TestProcessors(t *testing.T) {
	before, all := Processors(), runtime.GOMAXPROCS(0)
	release := Reserve(2)
	if Processors() != before || runtime.GOMAXPROCS(0) != all+2 {
		t.Errorf("%d processors of %d, want %d of %d", Processors(), runtime.GOMAXPROCS(0), before, all+2)
	}
	release()
	if Processors() != before || runtime.GOMAXPROCS(0) != all {
		t.Errorf("%d processors of %d are left, want %d of %d", Processors(), runtime.GOMAXPROCS(0), before, all)
	}
}
