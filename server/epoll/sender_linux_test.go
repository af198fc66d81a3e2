package epoll

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// senderT is a test of one way to send.
type senderT struct {
	*testing.T
	*Sender
}

// eachSender runs a test with every way to send.
func eachSender(t *testing.T, test func(t senderT)) {
	t.Helper()
	for _, way := range []string{"pinned", "unpinned", "plain"} {
		t.Run(way, func(t *testing.T) {
			if way == "pinned" {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			s := NewSender(way == "pinned")
			defer s.Close()
			if way == "plain" {
				s.Close()
			} else if why := s.Plain(); why != nil {
				t.Skipf("this kernel has or permits no io_uring: %v", why)
			}
			test(senderT{t, s})
			if why := s.Plain(); why != nil && way != "plain" {
				t.Errorf("the ring was given up: %v", why)
			}
		})
	}
}

// freshPair returns two connected sockets that nobody closes.
func freshPair(t *testing.T) (ours, theirs int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pair[0], pair[1]
}

// drain reads what a socket has.
func drain(t *testing.T, fd int) (all []byte) {
	t.Helper()
	for buf := make([]byte, 64<<10); ; {
		n, err := ReadNow(fd, buf)
		if errors.Is(err, unix.EAGAIN) || n == 0 && err == nil {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, buf[:n]...)
	}
}

// TestSenderResults has one batch meet everything that can become of a send.
func TestSenderResults(t *testing.T) {
	eachSender(t, func(t senderT) {
		pair := func() (ours, theirs int) {
			ours, theirs = freshPair(t.T)
			t.Cleanup(func() { unix.Close(ours); unix.Close(theirs) })
			return ours, theirs
		}
		free, freePeer := pair()
		short, shortPeer := pair()
		full, fullPeer := freshPair(t.T)
		defer unix.Close(fullPeer)
		filled := 0
		for n := 1; n > 0; filled += n {
			var err error
			if n, err = WriteNow(full, make([]byte, 4096)); err != nil {
				t.Fatal(err)
			}
		}
		gone, gonePeer := freshPair(t.T)
		defer unix.Close(gone)
		unix.Close(gonePeer)
		closed, closedPeer := freshPair(t.T)
		unix.Close(closedPeer)
		unix.Close(closed)
		long := bytes.Repeat([]byte("long"), 1<<20)
		sends := []Send{
			{FD: free, Bytes: []byte("hello"), N: 99, Err: errors.New("of last time")},
			{FD: short, Bytes: long},
			{FD: full, Bytes: []byte("full")},
			{FD: gone, Bytes: []byte("gone")},
			{FD: closed, Bytes: []byte("closed")},
			{FD: -1, Bytes: []byte("none")},
		}
		t.Send(sends)
		if one := sends[0]; one.N != 5 || one.Err != nil || string(drain(t.T, freePeer)) != "hello" {
			t.Errorf("a free socket: %d, %v", one.N, one.Err)
		}
		if one := sends[1]; one.N == 0 || one.N == len(long) || one.Err != nil {
			t.Errorf("%d bytes: %d, %v", len(long), one.N, one.Err)
		} else if got := drain(t.T, shortPeer); !bytes.Equal(got, long[:one.N]) {
			t.Errorf("%d bytes of %d were taken, %d came", one.N, len(long), len(got))
		}
		if one := sends[2]; one.N != 0 || one.Err != nil || len(drain(t.T, fullPeer)) != filled {
			t.Errorf("a full socket: %d, %v", one.N, one.Err)
		}
		for i, want := range map[int]error{3: unix.EPIPE, 4: unix.EBADF, 5: unix.EBADF} {
			if one := sends[i]; one.N != 0 || !errors.Is(one.Err, want) {
				t.Errorf("send %d: %d, %v; want %v", i, one.N, one.Err, want)
			}
		}
		t.Send(sends[:1]) // it goes on
		if one := sends[0]; one.N != 5 || one.Err != nil || string(drain(t.T, freePeer)) != "hello" {
			t.Errorf("afterwards: %d, %v", one.N, one.Err)
		}
		t.Send(nil)

		// The ring keeps no socket open, not even one that it could not send to.
		unix.Close(full)
		if n, err := ReadNow(fullPeer, make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("after close the peer reads %d, %v; want the end", n, err)
		}
	})
}

// TestSenderMany sends more than go in one call, again and again while the stack
// and the heap move on: each socket gets its own bytes, in order.
func TestSenderMany(t *testing.T) {
	eachSender(t, func(t senderT) {
		const sockets, rounds = 2*senderBatch/4 + 300, 20
		ours, theirs := make([]int, sockets), make([]int, sockets)
		for i := range ours {
			ours[i], theirs[i] = freshPair(t.T)
			defer unix.Close(ours[i])
			defer unix.Close(theirs[i])
		}
		for round := range rounds {
			var sends []Send
			for i, fd := range ours {
				sends = append(sends, Send{FD: fd, Bytes: fmt.Appendf(nil, "%d of %d;", round, i)})
			}
			if round%5 == 0 {
				runtime.GC()
			}
			t.Send(sends)
			for i, one := range sends {
				if one.N != len(one.Bytes) || one.Err != nil {
					t.Fatalf("round %d, socket %d: %d of %d, %v", round, i, one.N, len(one.Bytes), one.Err)
				}
			}
		}
		for i, fd := range theirs {
			var want []byte
			for round := range rounds {
				want = fmt.Appendf(want, "%d of %d;", round, i)
			}
			if got := drain(t.T, fd); !bytes.Equal(got, want) {
				t.Fatalf("socket %d got %q", i, got)
			}
		}
	})
}

// TestSenderFails has the ring refuse: a pinned one takes nothing from another
// thread. What was to be sent is sent all the same.
func TestSenderFails(t *testing.T) {
	made := make(chan *Sender)
	leave := make(chan bool)
	go func() {
		runtime.LockOSThread() // and keeps the thread for itself until the end
		made <- NewSender(true)
		<-leave
	}()
	s := <-made
	defer close(leave)
	defer s.Close()
	if why := s.Plain(); why != nil {
		t.Skipf("this kernel has or permits no io_uring: %v", why)
	}
	ours, theirs := freshPair(t)
	defer unix.Close(ours)
	defer unix.Close(theirs)
	for range 2 {
		sends := []Send{{FD: ours, Bytes: []byte("hello")}}
		s.Send(sends)
		if got := string(drain(t, theirs)); got != "hello" || sends[0].N != 5 || sends[0].Err != nil {
			t.Errorf("got %q; %d, %v", got, sends[0].N, sends[0].Err)
		}
	}
	if s.Plain() == nil {
		t.Skip("this kernel does not know SINGLE_ISSUER")
	}
}

func TestSenderGarbage(t *testing.T) {
	eachSender(t, func(t senderT) {
		ours, theirs := freshPair(t.T)
		defer unix.Close(ours)
		defer unix.Close(theirs)
		sends := []Send{{FD: ours, Bytes: []byte("x")}}
		if garbage := testing.AllocsPerRun(100, func() { t.Send(sends) }); garbage > 0 {
			t.Errorf("%v allocations for a batch", garbage)
		}
	})
}
