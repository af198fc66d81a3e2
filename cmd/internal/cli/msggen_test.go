package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

// admin stands for the admin listener of a server where ids up to 3 are
// connected, twice each.
func admin(t *testing.T) (url string, lines *atomic.Int64) {
	t.Helper()
	lines = new(atomic.Int64)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		sent, reached := 0, 0
		for scanner := bufio.NewScanner(r.Body); scanner.Scan(); {
			sent++
			lines.Add(1)
			if id, _, _ := strings.Cut(scanner.Text(), " "); id <= "3" {
				reached++
			}
		}
		fmt.Fprintf(w, `{"sent":%d,"reached":%d,"unaddressed":%d}`, sent, 2*reached, sent-reached)
	})
	mux.HandleFunc("POST /send/{id}", func(w http.ResponseWriter, r *http.Request) {
		message, _ := io.ReadAll(r.Body)
		switch {
		case string(message) != "Hello World":
			http.Error(w, fmt.Sprintf("%q is another message", message), http.StatusBadRequest)
		case r.PathValue("id") <= "2":
			fmt.Fprintf(w, `{"reached":%s}`, r.PathValue("id"))
		default:
			fmt.Fprint(w, `{"reached":0}`)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, lines
}

func TestSend(t *testing.T) {
	url, _ := admin(t)
	tests := []struct {
		name, stdin string
		args        []string
		says        string
		code        int
	}{
		{"one", "", []string{"1", "Hello World"}, "reached 1 connection\n", exitDone},
		{"two", "", []string{"2", "Hello World"}, "reached 2 connections\n", exitDone},
		{"into the void", "", []string{"456", "Hello World"}, "reached nobody: no connection is logged in as 456\n", exitDone},
		{"json", "", []string{"2", "Hello World", "--json"}, `{"type":"result","reached":2}` + "\n", exitDone},
		{"standard input", "Hello World\n", []string{"1", "-"}, "reached 1 connection\n", exitDone},
		{"not accepted", "", []string{"1", "Bye"}, "", exitFailed},
		{"no number", "", []string{"me", "Hello World"}, "", exitUsage},
		{"too large a number", "", []string{"9223372036854775808", "Hello World"}, "", exitUsage},
		{"no message", "", []string{"1"}, "", exitUsage},
		{"no url", "", []string{"1", "Hello World", "--to", "nowhere"}, "", exitUsage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"--to", url}, test.args...)
			out, code, err := execute(t.Context(), strings.NewReader(test.stdin), append([]string{"send"}, args...)...)
			if out != test.says || code != test.code {
				t.Errorf("it printed %q and exited %d (%v), want %q and %d", out, code, err, test.says, test.code)
			}
		})
	}
}

func TestMsggen(t *testing.T) {
	url, lines := admin(t)
	out, code, err := execute(t.Context(), nil, "msggen",
		"--to", url, "--count", "20", "--interval", "1ms", "--max-id", "5", "--senders", "10", "--json", "--seed", "7")
	if code != exitDone {
		t.Fatalf("it exited %d: %v", code, err)
	}
	var result struct {
		Type                             string
		Seed, Asked, Sent, Reached, Void int
		Unaddressed                      int
		Run                              string
		Late                             *struct{ P50, P99, Max *float64 } `json:"late_ms"`
	}
	last := out[strings.LastIndexByte(strings.TrimSpace(out), '\n')+1:]
	if err := json.Unmarshal([]byte(last), &result); err != nil {
		t.Fatalf("%q: %v", last, err)
	}
	if result.Type != "result" || result.Seed != 7 || result.Asked != 200 || result.Sent != 200 || lines.Load() != 200 ||
		result.Reached+2*result.Unaddressed != 400 || result.Unaddressed == 0 || len(result.Run) != 8 ||
		result.Late == nil || result.Late.P99 == nil {
		t.Errorf("with %d lines it printed %s", lines.Load(), last)
	}

	out, code, err = execute(t.Context(), nil, "msggen", "--to", url, "--count", "10", "--rate", "max", "--max-id", "3")
	if code != exitDone || !strings.Contains(out, "sent 10, reached 20, unaddressed 0\nseed ") || strings.Contains(out, "late") {
		t.Errorf("it printed %q and exited %d: %v", out, code, err)
	}
}

func TestMsggenUsage(t *testing.T) {
	url, lines := admin(t)
	for _, args := range []string{
		"--rate 10 --interval 1s", "--rate fast", "--rate 0", "--rate -1", "--interval 0s", "--max-id 0",
		"--first-id 9 --max-id 8", "--senders 0 --to nowhere", "--to nowhere",
		"--distribution bell", "--distribution zipf:2000", "--arrivals now", "--arrivals ramp", "--rate max --arrivals poisson",
		"--size -1", "--size 2M", "--size uniform:9-1", "--log /nowhere/msggen.log",
		"--method PUT", "--body x", "-H A:b", "--publish-connections 3", "--publish http://127.0.0.1/{id}", // with --to
	} {
		_, code, err := execute(t.Context(), nil, append([]string{"msggen", "--to", url, "--count", "1"}, strings.Fields(args)...)...)
		if code != exitUsage {
			t.Errorf("%s: it exited %d (%v), want %d", args, code, err, exitUsage)
		}
	}
	if n := lines.Load(); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestMsggenInterrupted(t *testing.T) {
	url, lines := admin(t)
	for _, test := range []struct {
		args string
		code int
	}{
		{"--rate 1000", exitDone}, // has no planned end
		{"--rate 1000 -d 1h", 130},
		{"--rate 1000 --count 1M", 130},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		lines.Store(0)
		go func() {
			for lines.Load() < 10 {
				time.Sleep(time.Millisecond)
			}
			cancel(interrupted{syscall.SIGINT})
		}()
		out, code, err := execute(ctx, nil, append([]string{"msggen", "--to", url, "--json"}, strings.Fields(test.args)...)...)
		if code != test.code || !strings.Contains(out, `"type":"result"`) {
			t.Errorf("%s: it printed %q and exited %d (%v), want a result and %d", test.args, out, code, err, test.code)
		}
	}
}

// TestMsggenFeedback keeps to the window until told of what was delivered, and
// ends with its standard input.
func TestMsggenFeedback(t *testing.T) {
	url, lines := admin(t)
	stdin, tell := io.Pipe()
	go func() {
		defer tell.Close()
		for lines.Load() < 45 { // each line is queued twice: 100 are on their way
			time.Sleep(time.Millisecond)
		}
		fmt.Fprintln(tell, 40)
		for lines.Load() < 60 {
			time.Sleep(time.Millisecond)
		}
	}()
	out, code, err := execute(t.Context(), stdin, "msggen", "--to", url, "--rate", "max", "--max-id", "3", "--window", "100", "--feedback", "--json")
	if code != exitDone || !strings.Contains(out, `"type":"result"`) {
		t.Errorf("it printed %q and exited %d: %v", out, code, err)
	}
}

func TestMsggenServerAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	out, code, err := execute(t.Context(), nil, "msggen", "--to", server.URL, "--count", "1")
	if code != exitFailed || out != "" || !strings.Contains(err.Error(), "comet serve") {
		t.Errorf("it printed %q and exited %d: %v, want an error that says how to start a server", out, code, err)
	}
}

// posted takes one message a request, at POST /pub/{id}, and refuses those to
// id 2.
func posted(t *testing.T) (url string, messages *atomic.Int64) {
	t.Helper()
	messages = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/pub/2":
			http.Error(w, "not that one", http.StatusGone)
		case r.Method != http.MethodPut || r.Header.Get("X-Id") != "1" || !strings.HasPrefix(string(body), `{"to":1,"m":"Fake message Num = `):
			http.Error(w, fmt.Sprintf("%s %q", r.Method, body), http.StatusBadRequest)
		default:
			messages.Add(1)
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, messages
}

func TestMsggenPublish(t *testing.T) {
	url, messages := posted(t)
	args := []string{
		"msggen", "--publish", url + "/pub/{id}", "--method", "PUT", "-H", "X-Id: {id}", "--body", `{"to":{id},"m":"{message}"}`,
		"--rate", "2000", "--count", "100", "--max-id", "2", "--distribution", "sequential",
	}
	out, code, err := execute(t.Context(), nil, args...)
	if code != exitFailed || messages.Load() != 50 || !strings.Contains(err.Error(), "of 100 messages 50 were refused") ||
		!strings.Contains(out, ": sent 50, refused 50; late by") || strings.Contains(out, "reached") ||
		!strings.Contains(out, "answers: 50 x 202, 50 x 410\n") ||
		!strings.Contains(out, "the commonest refusal: PUT "+url+"/pub/2 was answered 410 Gone (not that one)\n") {
		t.Errorf("with %d messages it printed %q and exited %d: %v", messages.Load(), out, code, err)
	}
	out, code, err = execute(t.Context(), nil, append(args, "--json")...)
	if code != exitFailed || !strings.Contains(out, `"statuses":{"202":50,"410":50}`) ||
		strings.Count(out, `"reached":null`) != 1 || strings.Count(out, `"reached"`) != 1 || !strings.Contains(out, `"unaddressed":null`) {
		t.Errorf("it printed %q and exited %d: %v", out, code, err)
	}
	out, code, err = execute(t.Context(), nil, "msggen", "--publish", url+"/pub/{id}", "--count", "1")
	if code != exitFailed || !strings.Contains(err.Error(), "400 Bad Request (POST") {
		t.Errorf("it printed %q and exited %d: %v, want what the server said", out, code, err)
	}
}

func TestMsggenLog(t *testing.T) {
	url, _ := admin(t)
	name := filepath.Join(t.TempDir(), "msggen.log")
	for range 2 {
		_, code, err := execute(t.Context(), nil, "msggen", "--to", url, "--rate", "1k", "-d", "1200ms", "--max-id", "5", "--log", name, "--json")
		if code != exitDone {
			t.Fatalf("it exited %d: %v", code, err)
		}
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	samples, malformed, err := series.ReadAll(file, name)
	if err != nil || len(malformed) > 0 || len(samples) < 2 {
		t.Fatalf("the log has %d lines, %v malformed: %v", len(samples), malformed, err)
	}
	for _, s := range samples {
		asked, ok1 := s.Number("asked")
		sent, ok2 := s.Number("sent")
		refused, ok3 := s.Number("refused")
		p50, ok4 := s.Number("late_p50_ms")
		p99, ok5 := s.Number("late_p99_ms")
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || asked == 0 || sent != asked || refused != 0 || p50 > p99 ||
			s.RSSKB != series.Unknown || s.Connections != series.Unknown {
			t.Errorf("a line reads %+v", s)
		}
	}
}

// TestMsggenShapes: each shape comes through from its flag to the end of a run.
func TestMsggenShapes(t *testing.T) {
	url, lines := admin(t)
	for _, args := range []string{
		"--distribution zipf:0.9 --arrivals poisson --size exp:300",
		"--distribution hot:80/20 --arrivals bursts:10 --size uniform:10-200",
		"--distribution sequential --arrivals ramp:50ms,100 --size 1k",
	} {
		lines.Store(0)
		out, code, err := execute(t.Context(), nil,
			append([]string{"msggen", "--to", url, "--count", "100", "--rate", "1k", "--max-id", "50"}, strings.Fields(args)...)...)
		if code != exitDone || lines.Load() != 100 || !strings.Contains(out, "sent 100") {
			t.Errorf("%s: with %d lines it printed %q and exited %d: %v", args, lines.Load(), out, code, err)
		}
	}
}
