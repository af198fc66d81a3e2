package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.yaml.in/yaml/v3"

	"example.org/comet/cmd/internal/cli"
	"example.org/comet/cmd/internal/flags"
)

func noEnv(string) string { return "" }

// shown returns a preset as --show prints it.
func shown(t *testing.T, preset string) string {
	t.Helper()
	var out, errs bytes.Buffer
	env := &cli.Env{Stdin: strings.NewReader(""), Getenv: noEnv, Stdout: &out, Stderr: &errs}
	if code := cli.Run(t.Context(), env, []string{"flood", "--preset", preset, "--show"}); code != 0 {
		t.Fatalf("%s: exit code %d: %s", preset, code, errs.String())
	}
	return out.String()
}

var presetFlags = regexp.MustCompile(`(?m)^#   (?:\S.*  )?(--.*)$`)

// TestPresetCommands parses the commands that the presets show, and the flags that
// they show alone beside those of a command.
func TestPresetCommands(t *testing.T) {
	inAFolder(t)
	parse := func(preset string, args []string) {
		var errs bytes.Buffer
		env := &cli.Env{Stdin: strings.NewReader(""), Getenv: noEnv, Stdout: io.Discard, Stderr: &errs}
		if code := cli.Run(t.Context(), env, append(args, "--help")); code != 0 {
			t.Errorf("%s: %q exits %d: %s", preset, args, code, errs.String())
		}
	}
	for _, preset := range flags.Presets() {
		text := shown(t, preset)
		commands := commandLine.FindAllStringSubmatch(strings.ReplaceAll(text, "#   ", ""), -1)
		for _, m := range commands {
			if parse(preset, flagsOf(m[1])); !strings.Contains(m[1], "--preset "+preset+" ") {
				t.Errorf("%s shows %q", preset, m[1])
			}
		}
		if len(commands) == 0 || !strings.Contains(text, "https://") {
			t.Errorf("%s shows no command, or names no document", preset)
		}
		args := []string{"bench", "--preset", preset}
		for _, m := range presetFlags.FindAllStringSubmatch(text, -1) {
			args = append(args, flagsOf(m[1])...)
		}
		parse(preset, args)
	}
}

// TestPresetWithoutPublishing: what a preset says of publishing is no flag too many
// where nothing is published.
func TestPresetWithoutPublishing(t *testing.T) {
	for _, preset := range flags.Presets() {
		scheme := "ws"
		if preset == "nchan" || preset == "mercure" || preset == "openai-chat" {
			scheme = "http"
		}
		out, err := exec.CommandContext(t.Context(), "comet", "bench", "--preset", preset, "--url", scheme+"://127.0.0.1:1/{id}",
			"-c", "1", "-r", "none", "--out", filepath.Join(t.TempDir(), "report")).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || bytes.Contains(out, []byte("which is not given")) {
			t.Errorf("%s: %v: %s", preset, err, out)
		}
	}
}

// beatOf returns what a preset sends again and again, and checks that it does so
// twice in the time after which its server closes a silent connection.
func beatOf(t *testing.T, preset string, limit time.Duration) (text string) {
	t.Helper()
	var p struct {
		SendEvery string `yaml:"send-every"`
	}
	if err := yaml.Unmarshal([]byte(shown(t, preset)), &p); err != nil {
		t.Fatal(err)
	}
	every, text, _ := strings.Cut(p.SendEvery, "=")
	if d, err := time.ParseDuration(every); err != nil || d > limit/2 {
		t.Errorf("%s sends a heartbeat each %s, and its server waits for %v", preset, every, limit)
	}
	return text
}

// replayed is a documented exchange: what begins with > is sent by the server,
// what begins with < has to come from the client, to the byte. ID is the
// client's.
type replayed []string

// hold plays the server's part to a WebSocket, and returns what went wrong.
func (steps replayed) hold(c io.ReadWriter, id string) error {
	for _, step := range steps {
		text := strings.ReplaceAll(step[1:], "ID", id)
		if step[0] == '>' {
			if err := wsutil.WriteServerText(c, []byte(text)); err != nil {
				return err
			}
			continue
		}
		got, err := wsutil.ReadClientText(c)
		if err != nil {
			return fmt.Errorf("instead of %q: %w", text, err)
		}
		if string(got) != text {
			return fmt.Errorf("%q came, want %q", got, text)
		}
	}
	return nil
}

// stamped returns a message as msggen makes it, of sequence 7.
func stamped(n int) string {
	return fmt.Sprintf("Fake message Num = %d s=0badcafe.%d f=7 t=%d", n, n, time.Now().UnixNano())
}

// floodResult is what these tests read of a flood's last line.
type floodResult struct {
	Connected, Closed, Failed, Delivered, Missing, Completed int
	CompletedMessages                                        int `json:"completed_messages"`
}

// watcher keeps what is written, and closes seen once text is in it.
type watcher struct {
	bytes.Buffer
	text string
	seen chan struct{}
}

func (w *watcher) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.text != "" && strings.Contains(w.String(), w.text) {
		w.text = ""
		close(w.seen)
	}
	return n, err
}

// floodUntil runs a flood in this process until it has printed text and done is
// closed, unless that is nil, and returns what it printed last.
func floodUntil(t *testing.T, text string, done <-chan struct{}, args ...string) (r floodResult) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var errs bytes.Buffer
	out := &watcher{text: text, seen: make(chan struct{})}
	go func() {
		defer cancel()
		for _, c := range []<-chan struct{}{out.seen, done} {
			if c == nil {
				continue
			}
			select {
			case <-c:
			case <-ctx.Done():
			}
		}
	}()
	env := &cli.Env{Stdin: strings.NewReader(""), Getenv: noEnv, Stdout: out, Stderr: &errs}
	cli.Run(ctx, env, append([]string{"flood", "--json", "--sample-interval", "20ms"}, args...))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), errs.String())
	}
	if errs.Len() > 0 {
		t.Log(errs.String())
	}
	return r
}

// TestPresetReplay replays the documented exchange of the servers that the system
// tests do not have, to three clients.
func TestPresetReplay(t *testing.T) {
	for _, c := range []struct {
		preset, path string
		steps        replayed
		limit        time.Duration // after which the server closes a silent connection
	}{
		{"phoenix", "/socket/websocket?vsn=2.0.0", replayed{
			`<["1","1","room:ID","phx_join",{}]`,
			`>["1","1","room:ID","phx_reply",{"response":{},"status":"ok"}]`,
			`<[null,"2","phoenix","heartbeat",{}]`,
			`>[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]`,
			`>["1",null,"room:ID","new_msg",{"body":"STAMP"}]`,
			`<[null,"2","phoenix","heartbeat",{}]`,
		}, 60 * time.Second},
		{"signalr", "/hub", replayed{
			"<{\"protocol\":\"json\",\"version\":1}\x1e",
			">{}\x1e",
			"<{\"type\":6}\x1e",
			">{\"type\":6}\x1e{\"type\":1,\"target\":\"send\",\"arguments\":[\"STAMP\"]}\x1e",
			"<{\"type\":6}\x1e",
		}, 30 * time.Second},
		{"pusher", "/app/KEY?protocol=7&client=comet&version=1", replayed{
			`>{"event":"pusher:connection_established","data":"{\"socket_id\":\"123.456\",\"activity_timeout\":120}"}`,
			`<{"event":"pusher:subscribe","data":{"channel":"ID"}}`,
			`>{"event":"pusher_internal:subscription_succeeded","channel":"ID","data":"{}"}`,
			`<{"event":"pusher:ping","data":{}}`,
			`>{"event":"pusher:pong","data":"{}"}`,
			`>{"event":"message","channel":"ID","data":"STAMP"}`,
			`<{"event":"pusher:ping","data":{}}`,
		}, 120 * time.Second},
	} {
		t.Run(c.preset, func(t *testing.T) {
			t.Parallel()
			const n = 3
			done := make(chan struct{})
			var mu sync.Mutex
			met, ids := 0, []string{}
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RequestURI() != c.path {
					t.Errorf("asked for %s, want %s", r.URL.RequestURI(), c.path)
				}
				conn, _, _, err := ws.UpgradeHTTP(r, w)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				mu.Lock()
				met++
				id := r.Header.Get("X-ID")
				ids = append(ids, id)
				mu.Unlock()
				steps := slices.Clone(c.steps)
				for i := range steps {
					steps[i] = strings.ReplaceAll(steps[i], "STAMP", stamped(1))
				}
				if err := steps.hold(conn, id); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if met--; met == 0 && len(ids) == n {
					close(done)
				}
				mu.Unlock()
				io.Copy(io.Discard, conn)
			}))
			defer srv.Close()
			r := floodUntil(t, `"delivered":3,`, done, "--preset", c.preset, "ws"+strings.TrimPrefix(srv.URL, "http")+c.path, "-c", fmt.Sprint(n), "--ids", "7-9", "-H", "X-ID: {id}",
				"--send-every", "20ms="+beatOf(t, c.preset, c.limit))
			slices.Sort(ids)
			if r.Connected != n || r.Failed != 0 || r.Delivered != n || r.Missing != 0 || !slices.Equal(ids, []string{"7", "8", "9"}) {
				t.Errorf("%+v, ids %q", r, ids)
			}
		})
	}
}

// TestPresetPings: Pusher's server pings, too.
func TestPresetPings(t *testing.T) {
	steps := replayed{
		`>{"event":"pusher:connection_established","data":"{}"}`,
		`<{"event":"pusher:subscribe","data":{"channel":"1"}}`,
		`>{"event":"pusher:ping","data":{}}`,
		`<{"event":"pusher:pong","data":{}}`,
		`>{"event":"pusher_internal:subscription_succeeded","channel":"1"}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if err := steps.hold(conn, "1"); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, conn)
	}))
	defer srv.Close()
	if r := floodUntil(t, `"connected":1,`, nil, "--preset", "pusher", "ws"+strings.TrimPrefix(srv.URL, "http")); r.Connected != 1 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
}

// TestPresetMercure replays a hub, whose documents have updates come as forms and
// go out as server-sent events, to a whole experiment.
func TestPresetMercure(t *testing.T) {
	t.Parallel()
	type topic = chan string
	var mu sync.Mutex
	hub := map[string][]topic{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/mercure" {
			t.Errorf("asked for %s", r.URL)
		}
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			form, err := url.ParseQuery(string(body))
			// What a form encodes in two ways, with %20 and +, is one here.
			if want := "topic=" + form.Get("topic") + "&data=" + strings.ReplaceAll(url.QueryEscape(form.Get("data")), "+", "%20"); err != nil || string(body) != want {
				t.Errorf("published %q (%v), want %q", body, err, want)
			}
			if kind, token := r.Header.Get("Content-Type"), r.Header.Get("Authorization"); kind != "application/x-www-form-urlencoded" || token != "Bearer publisher" {
				t.Errorf("published as %q by %q", kind, token)
			}
			mu.Lock()
			for _, c := range hub[form.Get("topic")] {
				c <- form.Get("data")
			}
			mu.Unlock()
			io.WriteString(w, "urn:uuid:e1ee88e2-532a-4d6f-ba70-f0f8bd584022")
			return
		}
		if accept, token := r.Header.Get("Accept"), r.Header.Get("Authorization"); accept != "text/event-stream" || token != "Bearer subscriber" {
			t.Errorf("subscribed for %q by %q", accept, token)
		}
		c := make(topic, 100)
		name := r.URL.Query().Get("topic")
		mu.Lock()
		hub[name] = append(hub[name], c)
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, ":\n")
		for id := 1; ; id++ {
			w.(http.Flusher).Flush()
			select {
			case data := <-c:
				fmt.Fprintf(w, "id: urn:uuid:%d\ndata: %s\n\n", id, data)
			case <-r.Context().Done():
				mu.Lock()
				hub[name] = slices.DeleteFunc(hub[name], func(other topic) bool { return other == c })
				mu.Unlock()
				return
			}
		}
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	folder := filepath.Join(t.TempDir(), "report")
	at := srv.URL + "/.well-known/mercure"
	out, err := exec.CommandContext(ctx, "comet", "bench", "--preset", "mercure", "--url", at+"?topic={id}", "-H", "Authorization: Bearer subscriber",
		"--publish", at, "--publish-header", "Authorization: Bearer publisher", "-c", "20", "-r", "50", "-d", "1s", "--idle", "1s", "--out", folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Messages struct{ Sent, Delivered, Missing int }
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Messages.Sent != 50 || r.Messages.Delivered != 50 || r.Messages.Missing != 0 {
		t.Errorf("%v, %+v\n%s", err, r, out)
	}
}

// TestPresetOpenAIChat replays an answer that ends by itself.
func TestPresetOpenAIChat(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		const want = `{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Count to 50."}]}`
		h := r.Header
		if r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" || string(body) != want || h.Get("Content-Type") != "application/json" || h.Get("Authorization") != "Bearer key" || h.Get("Accept") != "text/event-stream" {
			t.Errorf("%s %s %v: %s", r.Method, r.URL, h, body)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for _, token := range []string{"One", ", two"} {
			fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", token)
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, "data: [DONE]\n\n")
	}))
	defer srv.Close()
	if r := floodUntil(t, `"completed":1,`, nil, "--preset", "openai-chat", srv.URL+"/v1/chat/completions", "-H", "Authorization: Bearer key"); r.Failed != 0 || r.Completed != 1 || r.CompletedMessages != 3 {
		t.Errorf("%+v", r)
	}
}
