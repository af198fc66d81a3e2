//go:build system

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A chaosKind is a fault that can happen. It happens to part i and is undone when it
// returns.
type chaosKind struct {
	what string
	// of are the parts that it happens to.
	of []*chaosPart
	// costs says whose messages may be lost by it.
	costs func(i int) (groups []int)
	do    func(p *chaosPart)
}

// strike injects a random fault, and waits until it is over.
func (c *chaos) strike() {
	kinds := c.kinds()
	kind := kinds[c.rng.IntN(len(kinds))]
	i := c.rng.IntN(len(kind.of))
	part := kind.of[i]
	f := chaosFault{what: kind.what, groups: kind.costs(i)}
	f.from = time.Now()
	kind.do(part)
	undone := time.Now()
	over := c.whole(undone)
	c.Logf("%s %-32s %-12s %5.1f s, whole %.1f s later", f.from.Format("15:04:05"), kind.what, part.name, undone.Sub(f.from).Seconds(), over.Sub(undone).Seconds())
	// A message that was due just before may still have been on its way.
	f.from, f.to = f.from.Add(-time.Second), over
	c.faults = append(c.faults, f)
}

// length returns how long a fault lasts.
func (c *chaos) length() time.Duration {
	return 200*time.Millisecond + time.Duration(c.rng.Int64N(int64(3*time.Second)))
}

func (c *chaos) kinds() []chaosKind {
	own := func(i int) []int { return []int{i} }
	all := func(int) []int { return []int{0, 1, 2} }
	none := func(int) []int { return nil }
	kinds := []chaosKind{
		{"front end killed", c.fronts, own, c.kill},
		{"front end stopped and continued", c.fronts, own, c.pause},
		{"broker killed", c.brokers, all, c.kill},
		{"broker stopped and continued", c.brokers, all, c.pause},
		{"slow reader", c.fronts, none, c.slowReader},
		{"files exhausted", c.fronts, none, c.exhaustFiles},
	}
	if c.far.host != nil {
		kinds = append(kinds, chaosKind{"link down", c.fronts[2:], func(int) []int { return []int{2} }, c.cutLink})
	}
	if c.small {
		kinds = append(kinds, chaosKind{"disk full", c.fronts, none, c.fillDisk})
	}
	return kinds
}

func (c *chaos) kill(p *chaosPart) {
	p.cmd.Process.Kill()
	c.await(p.name+" is dead", func() bool { return ended(p.cmd) })
	time.Sleep(c.length())
	p.run(c.T)
}

func (c *chaos) pause(p *chaosPart) {
	p.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(c.length())
	p.cmd.Process.Signal(syscall.SIGCONT)
}

func (c *chaos) cutLink(p *chaosPart) {
	p.host.cable(c.T, "down")
	time.Sleep(c.length())
	p.host.cable(c.T, "up")
}

// slowReader connects a client that does not read and has much to. It is cut off, and nobody
// else notices.
func (c *chaos) slowReader(p *chaosPart) {
	before := p.stats(c.T)
	conn := c.connect(p, "GET /test/999999 HTTP/1.1\r\nHost: h\r\n\r\n")
	defer conn.Close()
	c.await("the slow reader is there", func() bool { return p.stats(c.T).Connections == before.Connections+1 })
	message := bytes.Repeat([]byte("m"), 100<<10)
	c.await("the slow reader is cut off", func() bool {
		p.ask("POST", "/send/999999", message)
		return p.stats(c.T).Disconnected > before.Disconnected
	})
}

// connect dials a front end and asks for something.
func (c *chaos) connect(p *chaosPart, request string) net.Conn {
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
	defer cancel()
	conn, err := c.here.dial(ctx, "tcp", p.listen)
	if err == nil {
		_, err = conn.Write([]byte(request))
	}
	if err != nil {
		c.Fatal(err)
	}
	return conn
}

// exhaustFiles leaves a front end no files for a while, in which clients come. They wait,
// and get their stream afterwards.
func (c *chaos) exhaustFiles(p *chaosPart) {
	pid, before := p.cmd.Process.Pid, p.stats(c.T)
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		c.Fatal(err)
	}
	short := limit
	highest, open := openFiles(pid)
	short.Cur = highest + 1
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &short, nil); err != nil {
		c.Fatal(err)
	}
	var waiting []net.Conn
	for range highest + 1 - open + 20 { // some find a number that is free
		waiting = append(waiting, c.connect(p, "GET /test/999998 HTTP/1.1\r\nHost: h\r\n\r\n"))
	}
	time.Sleep(c.length())
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		c.Fatal(err)
	}
	for _, conn := range waiting {
		head := make([]byte, len("HTTP/1.1 200"))
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Read(head); err != nil || string(head) != "HTTP/1.1 200" {
			c.Errorf("who came while there were no files got %q, error %v", head, err)
		}
		conn.Close()
	}
	if after := p.stats(c.T); after.AcceptPauses == before.AcceptPauses {
		c.Errorf("%s has not paused accepting, with files up to %d", p.name, short.Cur)
	}
	c.await("they have left", func() bool { return p.stats(c.T).Connections <= before.Connections })
}

// openFiles returns the highest number of a file that a process has open, and how many
// it has open.
func openFiles(pid int) (highest, open uint64) {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			highest = max(highest, n)
		}
	}
	return highest, uint64(len(entries))
}

// fillDisk leaves no room for the access logs, while there is something to log.
func (c *chaos) fillDisk(p *chaosPart) {
	before := p.stats(c.T)
	filler := filepath.Join(c.disk, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil || !strings.Contains(err.Error(), "no space left") {
		c.Fatalf("the disk is not full: %v", err)
	}
	c.await("lines are dropped", func() bool {
		conn := c.connect(p, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n")
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 64)) // its end is as good
		return p.stats(c.T).AccessLogDropped > before.AccessLogDropped
	})
	time.Sleep(c.length())
	if err := os.Remove(filler); err != nil {
		c.Fatal(err)
	}
}
