package live

import (
	"io"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// full returns a moment with every figure, each of another value, and how many there
// are.
func full(t *testing.T) (m result.Moment, figures int) {
	t.Helper()
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for _, f := range v.Fields() {
			switch f.Interface().(type) {
			case result.Figure:
				figures++
				f.Set(reflect.ValueOf(result.Of(1000 * figures)))
			case result.Quantiles:
				fill(f)
			}
		}
	}
	fill(reflect.ValueOf(&m).Elem())
	m.Seconds, m.Phase, m.CPU = 7, "messages", map[string]result.Figure{"flood": result.Of(0.5), "server": result.Of(1.5)}
	return m, figures
}

// TestMetrics: the text is what Prometheus reads, by its conventions, with every
// figure of a moment, the versions and the figures of the process.
func TestMetrics(t *testing.T) {
	s, _ := start(t, Config{Title: `a "run" \ of it`, Version: "1.2.3"})
	m, figures := full(t)
	s.Add(m, result.Quantiles{P50: result.Of(8)})
	body, err := io.ReadAll(ask(t, s, "GET", "/metrics", nil).Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	sample := regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="[^"]*")*\})? [0-9.]+$`)
	kinds, seen, runs := make(map[string]string), make(map[string]bool), 0
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if words := strings.Fields(line); words[0] == "#" {
			if words[1] == "TYPE" {
				kinds[words[2]] = words[3]
			}
			continue
		}
		parts := sample.FindStringSubmatch(line)
		if parts == nil || kinds[parts[1]] == "" || seen[parts[1]+parts[2]] {
			t.Fatalf("%q is no sample, or has no type, or stands there twice", line)
		}
		name := parts[1]
		if seen[name] && last != name {
			t.Errorf("the lines of %s do not stand together", name)
		}
		seen[name], seen[name+parts[2]], last = true, true, name
		if strings.HasSuffix(name, "_total") != (kinds[name] == "counter") {
			t.Errorf("%s is a %s", name, kinds[name])
		}
		if strings.HasPrefix(name, "comet_run_") {
			runs++
		}
	}
	// Three rates are those of counters, and so not there, as what is on the wire; info, ended, elapsed, phase,
	// two of CPU and one of the latency so far are there besides.
	if want := figures - 4 + 7; runs != want {
		t.Errorf("%d lines of the run, want %d:\n%s", runs, want, text)
	}
	lines := []string{
		`comet_run_info{title="a \"run\" \\ of it"} 1`, "comet_run_elapsed_seconds 7", `comet_run_phase{phase="messages"} 1`,
		`comet_run_connections{state="open"} 1000`, `comet_run_latency_seconds{over="run",percentile="50"} 0.008`, `comet_run_cpu_cores{role="server"} 1.5`,
		`comet_build_info{version="1.2.3"`, "process_start_time_seconds ",
	}
	if runtime.GOOS == "linux" {
		lines = append(lines, "process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds ", "process_max_fds ")
	}
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// TestCountersNeverFall: what was on the wire and is refused was never counted as sent,
// and the next run of a series counts on from the last.
func TestCountersNeverFall(t *testing.T) {
	s, _ := start(t, Config{})
	of := result.Of[int]
	for _, c := range []struct {
		m     result.Moment
		lines []string
	}{
		{result.Moment{Seconds: 1, Sent: of(300), Accepted: of(250), Refused: of(7), Delivered: of(200), Attempts: of(3)}, []string{"messages_sent_total 250", "messages_refused_total 7", "messages_delivered_total 200", "reconnect_attempts_total 3"}},
		{result.Moment{Seconds: 2, Sent: of(250), Accepted: of(250), Refused: of(57), Delivered: of(250), Attempts: of(3)}, []string{"messages_sent_total 250", "messages_refused_total 57", "messages_delivered_total 250"}},
		{result.Moment{Seconds: 0, Delivered: of(0), Attempts: of(0)}, []string{"messages_sent_total 250", "messages_refused_total 57", "messages_delivered_total 250", "reconnect_attempts_total 3"}},
		{result.Moment{Seconds: 1, Sent: of(400), Accepted: of(400), Refused: of(1), Delivered: of(390), Attempts: of(2)}, []string{"messages_sent_total 650", "messages_refused_total 58", "messages_delivered_total 640", "reconnect_attempts_total 5"}},
	} {
		s.Add(c.m, result.Quantiles{})
		body, err := io.ReadAll(ask(t, s, "GET", "/metrics", nil).Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range c.lines {
			if !strings.Contains(string(body), "\ncomet_run_"+line+"\n") {
				t.Errorf("no %q in\n%s", line, body)
			}
		}
	}
}
