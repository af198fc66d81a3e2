package adminhttp

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDivert: connections that somebody else takes, keeps, gives back and ends, while
// others take their places, and the server ends. None of them, no file and no place
// is left.
func TestDivert(t *testing.T) {
	files := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	warm, err := net.Listen("tcp", "127.0.0.1:0") // the runtime's own files are open from now on
	if err != nil {
		t.Fatal(err)
	}
	warm.Close()
	before := files()
	for seed := range uint64(5) {
		divertStorm(t, seed)
	}
	for deadline := time.Now().Add(20 * time.Second); files() != before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are open, %d were before", files(), before)
		}
	}
}

const healthz = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

func divertStorm(t *testing.T, seed uint64) {
	t.Helper()
	s, err := Listen(Config{Address: "127.0.0.1:0", MaxConnections: 6})
	if err != nil {
		t.Fatal(err)
	}
	s.AddPages(Pages{Ready: func() (string, bool) { return "", true }, Stats: func() any { return 1 }})
	var owners sync.WaitGroup
	random := rand.New(rand.NewPCG(seed, 1))
	var taking sync.Mutex
	over := false
	s.Divert(func(c *Conn) bool {
		taking.Lock()
		defer taking.Unlock()
		what := random.IntN(5)
		if what == 0 || over {
			return false
		}
		fd, err := c.Detach()
		if err != nil {
			return false
		}
		owners.Go(func() { own(s, c, fd, what) })
		return true
	})
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() { visit(s.Addr().String(), rand.New(rand.NewPCG(seed, uint64(n)))) })
	}
	if seed%2 == 0 {
		clients.Wait() // else the end comes amid them
	}
	taking.Lock() // no more are taken, and those that were have been left
	over = true
	taking.Unlock()
	owners.Wait()
	if err := s.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	clients.Wait()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		s.listener.mu.Lock()
		conns, holds := len(s.listener.conns), s.listener.holds
		s.listener.mu.Unlock()
		if conns == 0 && holds == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("seed %d: %d places are taken, %d held", seed, conns, holds)
		}
	}
}

// own does with a detached connection one of what its owner may do.
func own(s *Server, c *Conn, fd, what int) {
	held := c.Hold()
	time.Sleep(time.Duration(what) * time.Millisecond)
	if held {
		c.Served()
	}
	switch what {
	case 1:
		c.Done()
		unix.Close(fd)
	case 2:
		s.GiveBack(c, fd, []byte(healthz), nil)
	case 3:
		s.GiveBack(c, fd, []byte(healthz[:10]), []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	case 4:
		s.Farewell(c, fd, []byte("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"), 10*time.Millisecond)
	}
}

// visit connects again and again, and leaves in different ways.
func visit(address string, random *rand.Rand) {
	for range 40 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return // the server has ended
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, strings.Repeat(healthz, random.IntN(3)))
		switch random.IntN(3) {
		case 0:
			_ = conn.(*net.TCPConn).SetLinger(0)
		case 1:
			_, _ = conn.Read(make([]byte, 100))
		}
		conn.Close()
	}
}
