//go:build system

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSystemHostile: 5,000 honest clients notice nothing of 10,000 that never end their
// heads, of 100,000 that come and leave at any stage, of 10,000 on one id, and of one with
// 10,000 ids; and nothing of all these is left.
func TestSystemHostile(t *testing.T) {
	const honest = 5000
	server, addr, admin := startServer(t, "--max-head-bytes", "128k")
	at := &serverNode{addr: addr, admin: admin}
	flood := startFlood(t, streams(addr, 1, honest))
	filesBefore, goroutinesBefore := filesOf(t, server.Process.Pid), goroutinesOf(t, admin)
	to := "http://" + admin + "/send"
	traffic := func(what string, hostile func()) {
		before := flood.now(t).Delivered
		cmd, out := background(t, "comet", "msggen", "--json", "--to", to, "--rate", "1000", "--max-id", fmt.Sprint(honest))
		g := &generator{cmd, out}
		begun := time.Now()
		hostile()
		took := time.Since(begun)
		eventually(t, "there was traffic", func() bool { return flood.now(t).Delivered > before+1000 })
		sent := g.stop(t)
		got := flood.settle(t)
		t.Logf("%s: took %.1f s; meanwhile %s, delivered %d", what, took.Seconds(), sent, got.Delivered-before)
		if sent.Sent != sent.Asked || got.Delivered-before != sent.Sent || got.Closed > 0 || got.Duplicated > 0 {
			t.Errorf("%s: of %s, %d were delivered; %d honest clients were lost", what, sent, got.Delivered-before, got.Closed)
		}
	}
	traffic("10,000 slow heads", func() {
		slow := make([]net.Conn, 10_000)
		inParallel(len(slow), func(i int) { slow[i] = dialAndSay(t, addr, "GET /test/1 HTTP/1.1\r\nHost: h\r\nX: ") })
		for range 3 {
			inParallel(len(slow), func(i int) { _, _ = io.WriteString(slow[i], "y") }) // those that are late are closed
		}
		var answered atomic.Int64
		inParallel(len(slow), func(i int) {
			defer slow[i].Close()
			_ = slow[i].SetReadDeadline(time.Now().Add(60 * time.Second))
			b := make([]byte, len("HTTP/1.1 408"))
			if _, err := io.ReadFull(slow[i], b); err == nil && string(b) == "HTTP/1.1 408" {
				answered.Add(1)
			}
		})
		if answered.Load() != int64(len(slow)) {
			t.Errorf("%d of %d slow heads were answered 408", answered.Load(), len(slow))
		}
	})
	stages := []string{"", "G", "GET /test/1 HTTP/1.1\r\nHost: h\r\n", "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "\x16\x03\x01"}
	traffic("100,000 connects and leaves", func() {
		inParallel(100_000, func(i int) {
			conn := dialAndSay(t, addr, stages[i%len(stages)])
			if i%12 == 3 { // once the stream is there
				_, _ = conn.Read(make([]byte, 16))
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset
			conn.Close()
		})
	})
	eventually(t, "those have left", func() bool { return at.stats(t).Connections == honest })
	crowd := startFlood(t, slices.Repeat(streams(addr, honest+1, honest+1), 10_000))
	if got := run(t, "comet", "send", "--to", "http://"+admin, fmt.Sprint(honest+1), "to all"); !strings.Contains(got, "reached 10,000") && !strings.Contains(got, "reached 10000") {
		t.Errorf("one id with 10,000 connections: %s", got)
	}
	crowd.end(t)
	var ids []string
	for id := range 10_000 {
		ids = append(ids, fmt.Sprint(honest+2+id))
	}
	many := dialAndSay(t, addr, "GET /test/"+strings.Join(ids, ",")+" HTTP/1.1\r\nHost: h\r\n\r\n")
	for _, id := range []string{ids[0], ids[len(ids)-1]} {
		eventually(t, "the connection with 10,000 ids is reached as "+id, func() bool {
			return strings.Contains(run(t, "comet", "send", "--to", "http://"+admin, id, "hello"), "reached 1")
		})
	}
	many.Close()
	var left string
	defer func() { t.Log("in the end", left) }()
	eventually(t, "nothing is left of them", func() bool {
		connections, files, goroutines := at.stats(t).Connections, filesOf(t, server.Process.Pid), goroutinesOf(t, admin)
		left = fmt.Sprintf("%d streams, %d files and %.0f goroutines; before %d, %d and %.0f", connections, files, goroutines, honest, filesBefore, goroutinesBefore)
		return connections == honest && files <= filesBefore+16 && goroutines <= goroutinesBefore+4 // some of ours, to ask
	})
}

// inParallel calls do for 0 to n-1, a few at a time.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}

// dialAndSay connects, from one of many addresses, and begins to talk.
func dialAndSay(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	from := net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.0.3.%d", 1+time.Now().UnixNano()%200))}
	conn, err := (&net.Dialer{LocalAddr: &from, Timeout: 20 * time.Second}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Error(err)
		return &net.TCPConn{} // fails in all that it is asked
	}
	_, _ = io.WriteString(conn, text) // who was refused finds out by reading
	return conn
}

// filesOf returns how many files a process has open.
func filesOf(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// goroutinesOf returns how many goroutines a server says it has.
func goroutinesOf(t *testing.T, admin string) float64 {
	t.Helper()
	_, body := askAdmin(t, "http://"+admin+"/metrics")
	m := regexp.MustCompile(`(?m)^go_goroutines (\d+)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("/metrics has no go_goroutines: %.200q", body)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
