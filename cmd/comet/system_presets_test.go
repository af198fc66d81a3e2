//go:build system

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// otherServers is where the servers that are not ours are written.
const otherServers = "../../.ci/servers"

// otherServer is one of them, under test.
type otherServer struct{ addr string }

// startOther starts a server that says when it listens.
func startOther(t *testing.T, addr, program string, args ...string) *otherServer {
	t.Helper()
	_, out := background(t, program, args...)
	out.await(t, "listening")
	return &otherServer{addr}
}

// count returns what the server counts.
func (s *otherServer) count(t *testing.T) (n struct{ Connected, Sent, Pongs, Handshakes int }) {
	t.Helper()
	answer, err := http.Get("http://" + s.addr + "/count")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// noRegistry is what npm and go say where nothing can be fetched.
var noRegistry = regexp.MustCompile(`ENOTFOUND|ETIMEDOUT|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENOTCACHED|no such host|i/o timeout|connection refused|module lookup disabled|network is unreachable`)

// fetched runs a program that fetches what a test needs, for a minute at most, and
// skips the test where there is nothing to fetch it from.
func fetched(t *testing.T, folder, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
	case ctx.Err() != nil || noRegistry.Match(out):
		t.Skipf("what the servers need cannot be fetched: %s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	default:
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// nodeServers returns a folder with the servers for Node.js and what they need.
func nodeServers(t *testing.T) (folder string) {
	t.Helper()
	need(t, "node")
	npm := need(t, "npm")
	folder = t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(otherServers, "node"))); err != nil {
		t.Fatal(err)
	}
	fetched(t, folder, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	return folder
}

// goServers returns a folder with the servers in Go.
func goServers(t *testing.T) (folder string) {
	t.Helper()
	goTool := need(t, "go")
	folder = t.TempDir()
	fetched(t, otherServers, goTool, "mod", "download")
	build := exec.CommandContext(t.Context(), goTool, "build", "-o", folder+"/", "./...")
	build.Dir = otherServers
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	return folder
}

// benchOther takes a server through an experiment, and holds the figures against
// its own.
func benchOther(t *testing.T, s *otherServer, args ...string) {
	t.Helper()
	// More than warm up, so that the server shows when that is over.
	const n, rate, seconds = 300, 200, 2
	bench, out, folder := startBench(t, append([]string{"-c", strconv.Itoa(n), "-r", strconv.Itoa(rate), "-d", fmt.Sprintf("%ds", seconds), "--idle", "2s"}, args...)...)
	eventually(t, "all connections are there, or bench has ended", func() bool { return s.count(t).Connected == n || ended(bench) })
	before := s.count(t)
	eventually(t, "bench has ended", func() bool { return ended(bench) })
	if code := bench.ProcessState.ExitCode(); code != 0 {
		t.Errorf("bench's exit code is %d:\n%s", code, printed(out))
	}
	r, after := readResult(t, folder), s.count(t)
	if c := r.Connections; before.Connected != n || *c.Established != n || *c.Failed != 0 || *c.Closed != 0 {
		t.Errorf("%d connections of %d, %d failed, %d were closed; the server counts %d", *c.Established, n, *c.Failed, *c.Closed, before.Connected)
	}
	if m := r.Messages; m.Missing == nil || *m.Missing != 0 || *m.Sent != rate*seconds || *m.Delivered != *m.Sent || after.Sent-before.Sent != *m.Sent {
		t.Errorf("%d messages sent, %d delivered, missing %v; the server counts %d", *m.Sent, *m.Delivered, m.Missing, after.Sent-before.Sent)
	}
	eventually(t, "the server has seen all leave", func() bool { return s.count(t).Connected == 0 })
}

// printed returns what a program printed so far.
func printed(out *output) (text string) {
	out.locked(func() { text = out.text.String() })
	return text
}

// floodOther runs a flood to its end and checks its exit code and that it says
// each text.
func floodOther(t *testing.T, code int, says []string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "comet", append([]string{"flood"}, args...)...).CombinedOutput()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Errorf("comet flood %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	for _, text := range says {
		if !bytes.Contains(out, []byte(text)) {
			t.Errorf("comet flood %s says\n%s\nwant %q in it", strings.Join(args, " "), out, text)
		}
	}
}

// accounts writes two files of 300 users with a token each. In the second one is
// wrong.
func accounts(t *testing.T) (all, wrong string) {
	t.Helper()
	var lines strings.Builder
	lines.WriteString("id,token\n")
	for id := range 300 {
		fmt.Fprintf(&lines, "%d,token-%[1]d\n", id+1)
	}
	all, wrong = filepath.Join(t.TempDir(), "users.csv"), filepath.Join(t.TempDir(), "users.csv")
	if err := errors.Join(
		os.WriteFile(all, []byte(lines.String()), 0o600),
		os.WriteFile(wrong, []byte(strings.Replace(lines.String(), ",token-77\n", ",token-78\n", 1)), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return all, wrong
}

// logIn logs 300 users in, of whom none and then one has a wrong token, which
// must be explained.
func logIn(t *testing.T, says []string, args ...string) {
	t.Helper()
	all, wrong := accounts(t)
	args = append(args, "-d", "4s", "--connect-timeout", "2s", "--users")
	floodOther(t, 0, []string{"connected 300 of 300"}, append(args, all)...)
	floodOther(t, 1, append(says, "connected 299 of 300", "1 failed"), append(args, wrong)...)
}

// TestSystemPresetNode runs against ws, Socket.IO and graphql-ws.
func TestSystemPresetNode(t *testing.T) {
	t.Parallel()
	folder := nodeServers(t)
	start := func(t *testing.T, name, addr string) *otherServer {
		t.Helper()
		return startOther(t, addr, "node", filepath.Join(folder, name+".mjs"), addr)
	}
	t.Run("ws", func(t *testing.T) {
		t.Parallel()
		const addr = "127.73.1.1:8101"
		s := start(t, "ws", addr)
		benchOther(t, s, "--url", "ws://"+addr+"/sub/{id}", "--publish", "http://"+addr+"/pub/{id}")
		if s.count(t).Pongs == 0 {
			t.Error("no ping was answered")
		}
		logIn(t, []string{"401 Unauthorized", `Bearer realm="ws"`}, "ws://"+addr+"/private/{id}", "-H", "Authorization: Bearer {token}")
	})
	t.Run("socketio", func(t *testing.T) {
		t.Parallel()
		const addr = "127.73.1.1:8102"
		s := start(t, "socketio", addr)
		const url = "ws://" + addr + "/socket.io/?EIO=4&transport=websocket&id={id}"
		benchOther(t, s, "--preset", "socketio", "--url", url, "--publish", "http://"+addr+"/pub/{id}")
		if s.count(t).Pongs == 0 {
			t.Error("no ping was answered")
		}
		logIn(t, []string{`44{"message":"who are you?"}`}, "--preset", "socketio", url+"&login=1", "--first-message", `0{*=>40{"token":"{token}"}`)
		floodOther(t, 0, []string{"connected 3 of 3"}, "--preset", "socketio", url, "-c", "3", "-d", "2s",
			"--first-message", "0{*=>40", "--first-message", `40{*=>421["join","{id}"]`, "--ready", "431*")
	})
	t.Run("graphql-ws", func(t *testing.T) {
		t.Parallel()
		const addr = "127.73.1.1:8103"
		s := start(t, "graphql", addr)
		const (
			url       = "ws://" + addr + "/graphql"
			subscribe = `{"id":"1","type":"subscribe","payload":{"query":"subscription ($room: ID!) { messages(room: $room) }","variables":{"room":"{id}"}}}`
		)
		benchOther(t, s, "--preset", "graphql-ws", "--url", url, "--publish", "http://"+addr+"/pub/{id}",
			"--first-message", `{"type":"connection_init"}`, "--first-message", `*"connection_ack"*=>`+subscribe)
		logIn(t, []string{`code 4403, "Forbidden"`, "give it a token"}, "--preset", "graphql-ws", url,
			"--first-message", `{"type":"connection_init","payload":{"id":"{id}","token":"{token}"}}`)
		floodOther(t, 1, []string{`code 4401, "Unauthorized"`, "give it a token"}, "--preset", "graphql-ws", url, "-c", "2", "-d", "2s", "--first-message", subscribe)
		floodOther(t, 1, []string{"code 4408", "--first-message"}, "--preset", "graphql-ws", url, "-c", "2", "-d", "5s", "--first-message", "never=>x")
	})
}

// TestSystemPresetCentrifugo runs against the library that Centrifugo is made of.
func TestSystemPresetCentrifugo(t *testing.T) {
	t.Parallel()
	folder := goServers(t)
	const addr = "127.73.1.1:8104"
	const url = "ws://" + addr + "/connection/websocket"
	s := startOther(t, addr, filepath.Join(folder, "centrifuge"), addr)
	benchOther(t, s, "--preset", "centrifugo", "--url", url, "--publish", "http://"+addr+"/api/publish")
	const subscribe = `{"id":1,"connect":*=>{"id":2,"subscribe":{"channel":"news:{id}"}}`
	logIn(t, []string{`code 3500, "invalid token"`, "give it a token"}, "--preset", "centrifugo", url,
		"--first-message", `{"id":1,"connect":{"name":"{id}","token":"{token}"}}`, "--first-message", subscribe)
	floodOther(t, 1, []string{"permission denied"}, "--preset", "centrifugo", url, "-c", "2", "-d", "3s", "--connect-timeout", "1s",
		"--first-message", `{"id":1,"connect":{}}`, "--first-message", strings.Replace(subscribe, "news:{id}", "secret", 1))
	// The server's pings, each {} in a frame of its own or with messages.
	floodOther(t, 0, []string{"code 3012", "--reply"}, "--preset", "centrifugo", url, "-c", "2", "-d", "5s", "--reply", "never=>x")
}

// TestSystemPresetNchan measures nchan by each kind of its subscribers.
func TestSystemPresetNchan(t *testing.T) {
	t.Parallel()
	const addr = "127.73.1.1:8105"
	startNchan(t, addr, "nchan_subscriber; nchan_subscriber_first_message newest;")
	for name, args := range map[string][]string{
		"chunks":             {"--url", "http://" + addr + "/sub/{id}"},
		"server-sent events": {"--url", "http://" + addr + "/sub/{id}", "--protocol", "sse"},
		"WebSocket":          {"--url", "ws://" + addr + "/sub/{id}"},
		"long poll":          {"--url", "http://" + addr + "/sub/{id}", "--protocol", "poll", "-H", "TE:"},
	} {
		t.Run(name, func(t *testing.T) {
			bench, out, folder := startBench(t, append(args, "--preset", "nchan", "--publish", "http://"+addr+"/pub/{id}", "-c", "300", "-r", "200", "-d", "2s", "--idle", "1s")...)
			eventually(t, "bench has ended", func() bool { return ended(bench) })
			r := readResult(t, folder)
			if m := r.Messages; bench.ProcessState.ExitCode() != 0 || *r.Connections.Established != 300 || m.Missing == nil || *m.Missing != 0 || *m.Delivered != 400 {
				t.Errorf("%d connections, %d delivered, missing %v\n%s", *r.Connections.Established, *m.Delivered, m.Missing, printed(out))
			}
		})
	}
}
