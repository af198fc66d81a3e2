package memlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

func readLog(t *testing.T, path string) (text []byte, samples []series.Sample) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	samples, malformed, err := series.ReadAll(bytes.NewReader(text), path)
	if err != nil || len(malformed) > 0 {
		t.Fatalf("malformed %v, %v", malformed, err)
	}
	return text, samples
}

// TestMarkARunningLog puts events into a log to which another process appends
// a thousand times per second.
func TestMarkARunningLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mem.log")
	h := start(t, "log "+path)
	const n = 50
	for i := range n {
		s, err := Mark(path, fmt.Sprintf("event no. %d", i))
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := s.Field("event"); text != fmt.Sprintf("event no. %d", i) {
			t.Errorf("returned %+v", s)
		}
	}
	awaitOwn(t, path, 2) // a busy machine may have let it take no second one so far
	h.end()
	text, samples := readLog(t, path)
	if bytes.Contains(text, []byte("\n\n")) || text[len(text)-1] != '\n' {
		t.Error("there are blank or torn lines")
	}
	events, measured := 0, 0
	for _, s := range samples {
		event, ok := s.Field("event")
		if !ok {
			if s.RSSKB < 1 {
				t.Errorf("a sample: %+v", s)
			}
			continue
		}
		if event != fmt.Sprintf("event no. %d", events) || s.Connections != series.Unknown {
			t.Errorf("event %d: %+v", events, s)
		}
		events++
		if s.RSSKB > 0 {
			measured++
		}
	}
	if events != n || len(samples) < n+2 {
		t.Errorf("%d events among %d samples, want %d and the log's own", events, len(samples), n)
	}
	if measured < n {
		t.Errorf("%d of %d events carry the memory of the process", measured, n)
	}
}

// awaitOwn waits until a log has n samples that are no events.
func awaitOwn(t *testing.T, path string, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(text, []byte("\n"))-bytes.Count(text, []byte("\tevent=")) >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log has fewer than %d samples of its own after 20 s", n)
		}
	}
}

// TestMarkMeasuresTheSame gives Mark logs whose last sample may be of a process
// that runs, or only look like it.
func TestMarkMeasuresTheSame(t *testing.T) {
	h := start(t, "tree 8")
	whole, err := NewSampler(Config{PIDs: []int32{h.pid()}})
	if err != nil {
		t.Fatal(err)
	}
	both := take(t, whole).Sample()
	one, err := takeOnce(h.pid())
	if err != nil {
		t.Fatal(err)
	}
	alone := one.Sample()
	line := func(s series.Sample, key, value string) string {
		var b strings.Builder
		for i := range s.Fields {
			if s.Fields[i].Key == key {
				s.Fields = append([]series.Field(nil), s.Fields...)
				s.Fields[i].Value = value
			}
		}
		w := series.NewWriter(&b)
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	const event = "Mon Oct 20 16:58:24 BST 2008\t1224518304\t-\t-\tevent=x\n"
	tests := []struct {
		name, log string
		procs     string // measured; "" is not at all
	}{
		{"with its child", line(both, "", ""), "2"},
		{"without its child", line(alone, "", ""), "1"},
		{"behind an event", line(both, "", "") + event, "2"},
		{"a restart since", line(both, "start", "1224518000"), ""},
		{"a child more since", line(both, "procs", "1000"), ""},
		{"a process that is gone", line(both, "pid", "2147483646"), ""},
		{"pids that are none", line(both, "pid", "4711,x"), ""},
		{"waiting for the process", line(both, "", "") + "Mon Oct 20 16:58:24 BST 2008\t1224518304\t-\t-\tprocs=0\n", ""},
		{"the article's log", "Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\n", ""},
		{"events alone", event + event, ""},
		{"no line yet", "", ""},
		{"a torn line", line(both, "", "") + "Mon Oct 2", "2"},
		{"a long log", strings.Repeat(line(alone, "", ""), 1000) + line(both, "", ""), "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mem.log")
			if err := os.WriteFile(path, []byte(tt.log), 0o644); err != nil {
				t.Fatal(err)
			}
			s, err := Mark(path, "here\tnow")
			if err != nil {
				t.Fatal(err)
			}
			if procs, _ := s.Field("procs"); procs != tt.procs || (s.RSSKB == series.Unknown) != (tt.procs == "") {
				t.Errorf("measured %q processes: %+v", procs, s)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			added, ok := strings.CutPrefix(string(text), tt.log)
			if !ok || strings.Count(strings.TrimPrefix(added, "\n"), "\n") != 1 || !strings.HasSuffix(added, "\tevent=here%09now\n") {
				t.Errorf("added %q", added)
			}
			if torn := tt.log != "" && !strings.HasSuffix(tt.log, "\n"); strings.HasPrefix(added, "\n") != torn {
				t.Errorf("torn %v, added %q", torn, added)
			}
		})
	}
}

// The unix time of an event is as exact as that of the lines around it, or time
// would seem to go back.
func TestMarkKeepsThePrecision(t *testing.T) {
	for _, unix := range []string{"1224518244", "1224518244.250"} {
		path := filepath.Join(t.TempDir(), "mem.log")
		if err := os.WriteFile(path, []byte("Mon Oct 20 16:57:24 BST 2008\t"+unix+"\t40388\t1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		if _, err := Mark(path, "x"); err != nil {
			t.Fatal(err)
		}
		text, samples := readLog(t, path)
		last := strings.Split(strings.TrimSpace(string(text)), "\n")[1]
		if exact := strings.Contains(strings.Split(last, "\t")[1], "."); exact != strings.Contains(unix, ".") {
			t.Errorf("after %s: %q", unix, last)
		}
		if d := samples[1].Time.Sub(before); d < -time.Second-time.Millisecond || d > time.Minute {
			t.Errorf("the event is %v off", d)
		}
	}
}

func TestMarkRefuses(t *testing.T) {
	folder := t.TempDir()
	if _, err := Mark(filepath.Join(folder, "mem.log"), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, "mem.log")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a log was made")
	}
	if _, err := Mark(folder, "x"); err == nil {
		t.Error("a folder was marked")
	}
	for _, text := range []string{"", " \t"} {
		if _, err := Mark(filepath.Join(folder, "mem.log"), text); err == nil || !strings.Contains(err.Error(), "text") {
			t.Errorf("the text %q: %v", text, err)
		}
	}
}

// TestArticlesAwkOnAMarkedLog runs the article's awk on a log in which each of
// the lines that it picks is an event: none may look like a drop to nothing.
func TestArticlesAwkOnAMarkedLog(t *testing.T) {
	awk, err := exec.LookPath("awk")
	if err != nil {
		t.Skip("awk is not on PATH")
	}
	path := filepath.Join(t.TempDir(), "mem.log")
	h := start(t, "hold 4")
	out, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s := newSampler(t, Config{PIDs: []int32{h.pid()}})
	for i := range 30 {
		if i%10 == 9 {
			if _, err := Mark(path, "messages begin"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := out.Write(take(t, s).Sample()); err != nil {
			t.Fatal(err)
		}
	}
	const program = `BEGIN{FS="\t";} NR%10==0 {if(!t){t=$2} mins=($2-t)/60; printf("%d %d\n",mins,$3)}`
	printed, err := exec.CommandContext(t.Context(), awk, program, path).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(printed))
	if len(lines) != 6 {
		t.Fatalf("awk printed %q, want three lines", printed)
	}
	for i := 0; i < len(lines); i += 2 {
		var kb int
		if _, err := fmt.Sscan(lines[i+1], &kb); err != nil || kb < 4<<10 {
			t.Errorf("awk sees %s KB at an event, the process holds 4 MiB", lines[i+1])
		}
	}
}
