package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

// smallServer starts a server with a limit that its flags set, for comet capacity to find:
// one core that is slow, as one thread works for some time on each message, or an accept
// queue that is emptied now and then only.
func smallServer() {
	var (
		addr    = flag.String("listen", "", "address")
		work    = flag.Duration("work", 0, "what a message costs the one thread")
		backlog = flag.Int("backlog", 4096, "of the listener")
		pause   = flag.Duration("pause", 0, "between two times that connections are accepted")
	)
	flag.Parse()
	ln, err := listenWith(*addr, *backlog)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := &slowRooms{streams: make(map[string]net.Conn), queue: make(chan func(), 1<<20)}
	go s.work(*work)
	http.HandleFunc("/sub/", s.subscribe)
	http.HandleFunc("/pub/", s.publish)
	fmt.Fprintln(os.Stderr, http.Serve(&pausing{Listener: ln, pause: *pause}, nil))
}

// slowRooms has a stream for each id.
type slowRooms struct {
	mu      sync.Mutex
	streams map[string]net.Conn
	queue   chan func()
}

// work does everything on one thread, each after some time of computing.
func (s *slowRooms) work(cost time.Duration) {
	runtime.LockOSThread()
	for do := range s.queue {
		for end := time.Now().Add(cost); time.Now().Before(end); {
			runtime.KeepAlive(do) // something to compute
		}
		do()
	}
}

func (s *slowRooms) subscribe(w http.ResponseWriter, r *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	out := bufio.NewWriter(conn)
	fmt.Fprint(out, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
	out.Flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[strings.TrimPrefix(r.URL.Path, "/sub/")] = conn
}

func (s *slowRooms) publish(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/pub/")
	s.queue <- func() {
		s.mu.Lock()
		conn := s.streams[id]
		s.mu.Unlock()
		if conn != nil {
			fmt.Fprintf(conn, "%x\r\n%s\r\n", len(body), body)
		}
	}
}

// pausing accepts what is there, and then nothing for a while.
type pausing struct {
	net.Listener
	pause time.Duration
	since time.Time
}

// burst is for how long connections are accepted.
const burst = 20 * time.Millisecond

func (p *pausing) Accept() (net.Conn, error) {
	if p.pause > 0 && time.Since(p.since) > burst {
		time.Sleep(p.pause)
		p.since = time.Now()
	}
	return p.Listener.Accept()
}
