//go:build system

package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestSystemPresetWebSocket is RFC 6455, sections 5 and 7, against coder/websocket
// as the other end: as a server of flood, and as a client of both engines.
func TestSystemPresetWebSocket(t *testing.T) {
	t.Parallel()
	coder := filepath.Join(goServers(t), "coder")
	t.Run("flood", func(t *testing.T) {
		const addr = "127.73.1.2:8101"
		s := startOther(t, addr, coder, "serve", addr)
		t.Run("fragments, and pings between them", func(t *testing.T) {
			for _, how := range []string{"whole", "fragments", "pings"} {
				framed(t, s, how)
			}
		})
		t.Run("close codes", func(t *testing.T) { closings(t, s) })
		t.Run("talk", func(t *testing.T) {
			// What is said comes back; a heartbeat does not.
			floodOther(t, 0, []string{"connected 3 of 3"}, "ws://"+addr+"/sub/whole/{id}", "-c", "3", "-d", "1s", "--subprotocol", "comet",
				"--first-message", "Grüße, {id}", "--ready", "Grüße, *", "--send-every", "50ms=alive")
			floodOther(t, 1, []string{"subprotocol"}, "ws://"+addr+"/sub/whole/{id}", "-d", "1s", "--subprotocol", "another")
		})
	})
	for _, engine := range []string{"epoll", "goroutine"} {
		t.Run("serve, "+engine, func(t *testing.T) {
			t.Parallel()
			_, addr, admin := startServer(t, "--engine", engine)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, coder, "dial", "ws://"+addr+"/ws/7", "http://"+admin+"/send/7").CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("39 checks")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// framed has messages sent in a way, with a connection for each of 50 ids.
func framed(t *testing.T, s *otherServer, how string) {
	t.Helper()
	const n, count = 50, 200
	before := s.count(t)
	flood, out := background(t, "comet", "flood", "--json", "-c", strconv.Itoa(n), "-d", "60s", "ws://"+s.addr+"/sub/"+how+"/{id}")
	eventually(t, "all are connected", func() bool { return s.count(t).Connected == n })
	run(t, "comet", "msggen", "--publish", "http://"+s.addr+"/pub/{id}", "--max-id", strconv.Itoa(n), "--count", strconv.Itoa(count), "--interval", "1ms")
	out.await(t, `"stamped":`+strconv.Itoa(count)+`,`)
	flood.Process.Signal(syscall.SIGINT)
	out.await(t, `"type":"result".*"stamped":200,"delivered":200,"duplicated":0,"reordered":0,"missing":0,`)
	eventually(t, "all have left", func() bool { return s.count(t).Connected == 0 })
	after := s.count(t)
	if after.Sent-before.Sent != count || (how == "pings") != (after.Pongs > before.Pongs) {
		t.Errorf("%s: the server sent %d messages, and %d pings were answered", how, after.Sent-before.Sent, after.Pongs-before.Pongs)
	}
}

// closings has the server close with each code that it may send. Flood answers
// with the same code, and explains those of a fault.
func closings(t *testing.T, s *otherServer) {
	t.Helper()
	for _, c := range []struct {
		code int
		says string
	}{
		{1000, "1 closed since, 0 failed"},
		{1001, "1 closed since, 0 failed"},
		{1005, "1 closed since, 0 failed"},
		{1002, "does not take what it was sent"},
		{1003, "does not take what it was sent"},
		{1007, "does not take what it was sent"},
		{1008, "give it a token"},
		{1009, "too long"},
		{1010, "code 1010"},
		{1011, "its log should say why"},
		{1012, "its log"},
		{1013, "overloaded"},
		{3000, "give it a token"},
		{3999, "code 3999"},
		{4000, "code 4000"},
		{4999, `code 4999, "as asked"`},
	} {
		before := s.count(t).Handshakes
		floodOther(t, 0, []string{c.says}, "ws://"+s.addr+"/close/"+strconv.Itoa(c.code), "-d", "500ms")
		if after := s.count(t).Handshakes; after != before+1 {
			t.Errorf("%d: flood did not answer with the same code", c.code)
		}
	}
}
