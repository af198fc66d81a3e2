package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/msggen"
	"example.org/comet/server"
)

// TestMetricsRefused: where nobody can listen, and where everybody could, nothing is
// started.
func TestMetricsRefused(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, command := range [][]string{{"bench", "-c", "10", "--out", out}, {"flood", "http://127.0.0.1:1/"}, {"msggen"}} {
		for _, c := range []struct{ args, says string }{
			{"--metrics " + busy.Addr().String(), "--metrics: cannot open the live page on " + busy.Addr().String()},
			{"--metrics :0", "--metrics: the live page on :0 can be reached from other machines: give it a token (--admin-token-file FILE, or COMET_ADMIN_TOKEN), or put it on 127.0.0.1"},
			{"--metrics :0 --admin-token-file " + empty, "is empty"},
			{"--metrics 9100", `--metrics: "9100" is not an address: write host:port, such as 127.0.0.1:9100`},
			{"--metrics http://127.0.0.1:9100", "is not an address"},
			{"--metrics 127.0.0.1:99999", "--metrics: cannot open the live page"},
		} {
			if got := refused(t, append(command, strings.Fields(c.args)...)...); !strings.Contains(got, c.says) {
				t.Errorf("%s %s: %q, want %q", command[0], c.args, got, c.says)
			}
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the bench has made its folder")
	}
	if got := refused(t, "bench", "--own-network", "--metrics", "127.0.0.1:0"); !strings.Contains(got, "--own-network has no way to it from outside") {
		t.Errorf("%q", got)
	}
}

// TestMetricsOfFlood: a run can be watched from its first moment to its end, and the
// page is gone with the command.
func TestMetricsOfFlood(t *testing.T) {
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served, flooded := make(chan error, 1), make(chan int, 1)
	go func() { served <- s.Run(ctx) }()
	env, _, stderr := testEnv(strings.NewReader(""))
	running, end := context.WithCancel(t.Context())
	go func() {
		flooded <- Run(running, env, []string{"flood", "http://" + s.Addr().String() + "/test/{id}?key=abc", "-c", "3", "--sample-interval", "20ms", "--metrics", "127.0.0.1:0"})
	}()
	var url string
	wait(t, "the page is announced", func() bool {
		found := regexp.MustCompile(`live page  (http://\S+)/\n  from another machine: ssh -L `).FindStringSubmatch(stderr.String())
		if found != nil {
			url = found[1]
		}
		return found != nil
	})
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	metrics := ""
	wait(t, "three are connected", func() bool {
		answer, err := client.Get(url + "/metrics")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		metrics = string(text)
		return strings.Contains(metrics, `comet_run_connections{state="open"} 3`)
	})
	if !strings.Contains(metrics, `comet_run_info{title="comet flood of http://`+s.Addr().String()) || strings.Contains(metrics, "abc") {
		t.Errorf("the page is called otherwise, or with a secret: %s", metrics)
	}
	events, err := client.Get(url + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	end()
	last := ""
	for lines := bufio.NewScanner(events.Body); lines.Scan(); {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	if want := `data: {"type":"end","verdict":"3 of 3 connected, 0 closed since, 0 failed."}`; last != want {
		t.Errorf("the last event is %s, want %s", last, want)
	}
	if code := <-flooded; code != exitDone {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if answer, err := client.Get(url + "/metrics"); err == nil {
		answer.Body.Close()
		t.Error("the page is still there")
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 s still not: %s", what)
		}
	}
}

// value returns a figure as a number, and -1 for one that was not measured.
func value(f result.Figure) float64 {
	if n, measured := f.Value(); measured {
		return n
	}
	return -1
}

// TestFloodMoments: rates are over the time since the last moment, what cannot be
// known is not measured, and the phase is what the flood does.
func TestFloodMoments(t *testing.T) {
	begun := time.Unix(1000, 0)
	p := new(floodPage)
	sample := func(after time.Duration, c flood.Counts) flood.Sample {
		return flood.Sample{Time: begun.Add(after), Elapsed: after, Counts: c}
	}
	first := sample(time.Second, flood.Counts{Connected: 10})
	m := p.moment(first)
	if m.Phase != "connect" || value(m.Connected) != 10 || value(m.Delivered) != 0 || value(m.ConnectedPerSecond) != -1 || value(m.CPU["flood"]) != -1 || value(m.Memory) != -1 || value(m.Latency.P50) != -1 {
		t.Errorf("%+v", m)
	}
	p.last, p.tried = first, true
	second := sample(3*time.Second, flood.Counts{Connected: 25, Closed: 5, Reconnect: flood.Reconnects{Attempts: 8, Back: 4}})
	if m = p.moment(second); m.Phase != "idle" || value(m.ConnectedPerSecond) != 12 || value(m.AttemptsPerSecond) != 4 || value(m.DeliveredPerSecond) != 0 {
		t.Errorf("%+v", m)
	}
	p.last = second
	third := sample(4*time.Second, flood.Counts{Connected: 25, Chunks: 7})
	if m = p.moment(third); m.Phase != "messages" || value(m.Delivered) != -1 || value(m.DeliveredPerSecond) != -1 {
		t.Errorf("messages without a stamp are not counted: %+v", m)
	}
	if m = p.moment(sample(4*time.Second, flood.Counts{Chunks: 7, Stamped: 6, Delivered: 5})); value(m.Delivered) != 5 || value(m.DeliveredPerSecond) != 5 {
		t.Errorf("%+v", m)
	}
}

// TestMsggenMoments: what was sent, and nothing of what arrived.
func TestMsggenMoments(t *testing.T) {
	begun := time.Unix(1000, 0)
	p := &msggenPage{begun: begun}
	var s msggen.Stats
	s.Sent, s.Unanswered, s.Refused = 90, 10, 3
	m := p.moment(begun.Add(2*time.Second), s, &msggen.Lateness{P50: 1, P99: 2, Max: 3})
	if value(m.Sent) != 100 || value(m.SentPerSecond) != -1 || value(m.Refused) != 3 || value(m.Late.P99) != 2 || value(m.Delivered) != -1 || value(m.Connected) != -1 {
		t.Errorf("%+v", m)
	}
	s.Sent = 190
	if m = p.moment(begun.Add(4*time.Second), s, nil); value(m.SentPerSecond) != 50 || value(m.Late.P99) != -1 {
		t.Errorf("%+v", m)
	}
	s.Unanswered, s.Refused = 0, 13 // what was on the wire was refused
	if m = p.moment(begun.Add(6*time.Second), s, nil); value(m.Sent) != 190 || value(m.SentPerSecond) != -1 {
		t.Errorf("a rate of messages that were refused: %+v", m)
	}
}

// TestServerOf: what may be a secret is not shown to who watches.
func TestServerOf(t *testing.T) {
	for url, want := range map[string]string{
		"http://h/{id}": "http://h", "https://a:b@h:1/x?key=c": "https://h:1", "ws://h?token=a": "ws://h", "http://[::1]:80#x@y": "http://[::1]:80",
	} {
		if got := serverOf(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// TestWithReason: what went wrong stands behind what came of the run.
func TestWithReason(t *testing.T) {
	for _, c := range []struct {
		verdict, want string
		err           error
	}{
		{"It held.", "It held.", nil},
		{"It held.", "It held. Msggen 1 was lost; p99 is 7 ms.", errors.Join(errors.New("msggen 1 was lost"), errors.New("p99 is 7 ms"))},
		{"", "Über alles.", errors.New("über alles")},
	} {
		if got := withReason(c.verdict, c.err); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
