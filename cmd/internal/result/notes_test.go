package result_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// TestCaveats: what limits the trust in a result stands in the table and in
// result.json.
func TestCaveats(t *testing.T) {
	r := run()
	r.Processes.Lost = []string{"comet memlog (pid 9) ended"}
	r.Messages.Faults = []string{"5 more were delivered than sent"}
	r.Notes = []string{"Memory per connection is not known: it was warm.\x1b[31m"}
	r.LimitedBy = result.Limits{{Part: "the flood", Evidence: "busy 99 % of the time"}}
	table := text(t, r)
	for _, want := range []string{"comet memlog (pid 9) ended", "does not add up: 5 more were delivered than sent", "it was warm.", "busy 99 %"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is missing in\n%s", want, table)
		}
	}
	if strings.Contains(table, "\x1b") {
		t.Error("a note reaches the terminal with its control characters")
	}
	folder := t.TempDir()
	if err := r.Write(folder); err != nil {
		t.Fatal(err)
	}
	read, err := result.Read(folder)
	if err != nil || len(read.Notes) != 1 || len(read.Messages.Faults) != 1 || read.Verdict == "" {
		t.Errorf("%+v, %v", read, err)
	}
}

// TestMedianOfNotes: each note once, what was lost in any run, and no histogram,
// of which each run has its own.
func TestMedianOfNotes(t *testing.T) {
	a, b := run(), run()
	a.Notes, b.Notes = []string{"one"}, []string{"one", "two"}
	a.Processes.Lost, b.Processes.Lost = []string{"x"}, []string{"y"}
	a.Histograms.Latency = "HISTFAAA"
	b.Interrupted, b.InterruptedBy = true, "it was enough"
	m := result.Median(a, b)
	if strings.Join(m.Notes, " ") != "one two" || strings.Join(m.Processes.Lost, " ") != "x y" || m.Histograms.Latency != "" || m.InterruptedBy != "it was enough" {
		t.Errorf("%q, %q, %q, %q", m.Notes, m.Processes.Lost, m.Histograms.Latency, m.InterruptedBy)
	}
	if len(a.Notes) != 1 || len(a.Processes.Lost) != 1 {
		t.Error("a run was changed by the median")
	}
	if alone := result.Median(a); alone.Histograms.Latency != "HISTFAAA" {
		t.Error("the only run has lost its histogram")
	}
}

func TestHistogramIsNullWithoutOne(t *testing.T) {
	text, err := json.Marshal(result.Histograms{Latency: "HISTFAAA"})
	if err != nil || string(text) != `{"latency":"HISTFAAA","connect":null,"first_byte":null,"service":null}` {
		t.Errorf("%s, %v", text, err)
	}
}

// TestReadRefuses names what is wrong with a file that is no result.
func TestReadRefuses(t *testing.T) {
	for _, test := range []struct{ text, says string }{
		{"", "is not a result"},
		{"{}", "has no schema"},
		{`{"schema":99}`, "schema 99"},
		{`{"schema":1,"connections":7}`, "is not a result"},
	} {
		path := filepath.Join(t.TempDir(), result.FileName)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := result.Read(path); err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want that it says %q of the file", test.text, err, test.says)
		}
	}
	if _, err := result.Read(t.TempDir()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "name a folder") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestLossAndErrors: targets will read these, so a figure that was not measured
// must not make them 0.
func TestLossAndErrors(t *testing.T) {
	r := run()
	r.Messages.Expected, r.Messages.Missing, r.Messages.Refused = result.Of(200), result.Of(50), result.Of(3)
	r.Connections.Failed, r.Connections.Closed = result.Of(2), result.Of(1)
	if v, ok := r.Loss().Value(); !ok || v != 0.25 {
		t.Errorf("a loss of %v, %v", v, ok)
	}
	if v, ok := r.Errors().Value(); !ok || v != 6 {
		t.Errorf("%v errors, %v", v, ok)
	}
	r.Messages.Missing, r.Messages.Refused = result.Figure{}, result.Figure{}
	if _, ok := r.Loss().Value(); ok {
		t.Error("a loss, and nobody knows what is missing")
	}
	if _, ok := r.Errors().Value(); ok {
		t.Error("a number of errors, and nobody knows what was refused")
	}
	r.Messages = result.Messages{Expected: result.Of(0), Missing: result.Of(0)}
	if v, ok := r.Loss().Value(); !ok || v != 0 {
		t.Errorf("of nothing a loss of %v, %v", v, ok)
	}
	if v, ok := r.Errors().Value(); !ok || v != 3 {
		t.Errorf("without messages %v errors, %v", v, ok)
	}
}

// broken fails to take what is written.
type broken struct{}

var errBroken = errors.New("nobody reads")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWritersFail(t *testing.T) {
	r := run()
	for name, err := range map[string]error{
		"table": r.Table(broken{}), "bench.txt": result.WriteBench(broken{}, r),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReasonIsHarmless: what a part quotes of a peer moves no cursor and turns no text.
func TestReasonIsHarmless(t *testing.T) {
	for _, said := range []string{"a\x1b[2Jb", "a\rb", "a\u202eb", "a\x00b", "a\xffb", "a\u0085b", "a\nb"} {
		r := &result.Result{Interrupted: true, InterruptedBy: said}
		table := text(t, r)
		if strings.ContainsAny(table, "\x1b\r\x00\u202e\u0085") || strings.Count(strings.TrimSpace(table), "\n") > 2 {
			t.Errorf("%q is written as %q", said, table)
		}
	}
}
