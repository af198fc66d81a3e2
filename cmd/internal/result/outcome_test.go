package result_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

func ExampleCheck() {
	var fast, whole result.Target
	_ = fast.UnmarshalText([]byte("p99<50ms"))
	_ = whole.UnmarshalText([]byte("loss=0"))
	var r result.Result
	r.Latency.P99, r.Messages.Missing, r.Messages.Expected = result.Of(81), result.Of(0), result.Of(60_000)
	r.Targets = result.Check(result.Targets{fast, whole}, &r)
	fmt.Println(r.Targets)
	// Output: 1 of 2 targets met: p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms
}

// measured returns a run with figures to hold targets against.
func measured(texts ...string) *result.Result {
	r := run()
	r.Connections.Established, r.Connections.Failed = result.Of(9_000), result.Of(469)
	r.Latency.P99 = result.Of(81)
	r.Memory.RSSPeak = result.Of(220e6)
	r.Messages.Expected, r.Messages.Missing, r.Messages.Refused = result.Of(60_000), result.Of(1200), result.Of(0)
	var targets result.Targets
	for _, text := range texts {
		var target result.Target
		if err := target.UnmarshalText([]byte(text)); err != nil {
			panic(err)
		}
		targets = append(targets, target)
	}
	r.Targets = result.Check(targets, r)
	return r
}

func TestOutcomeSays(t *testing.T) {
	for text, want := range map[string]string{
		"p99<50ms":                           "p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms",
		"latency_ms.p99 < 0.05s":             "latency_ms.p99 was 81.0 ms, 31.0 ms (62 %) over the target latency_ms.p99<0.05s",
		"p99<100ms":                          "p99 was 81.0 ms, as the target p99<100ms asks",
		"p99<81ms":                           "p99 was 81.0 ms, not under the target p99<81ms",
		"p99>81ms":                           "p99 was 81.0 ms, not over the target p99>81ms",
		"p99<80.9ms":                         "p99 was 81.0 ms, 0.100 ms (under 1 %) over the target p99<80.9ms",
		"p90<50ms":                           "p90 was not measured, which the target p90<50ms needs",
		"errors=0":                           "errors was 469, 469 over the target errors=0",
		"errors=500":                         "errors was 469, 31 (6 %) under the target errors=500",
		"errors!=469":                        "errors was 469, which the target errors!=469 excludes",
		"rss<200MB":                          "rss was 220 MB, 20.0 MB (10 %) over the target rss<200MB",
		"rss<0.1GB":                          "rss was 220 MB, 120 MB (120 %) over the target rss<0.1GB",
		"rss<219999KB":                       "rss was 220 MB, 1.00 KB (under 1 %) over the target rss<219999KB",
		"rss<100MiB":                         "rss was 209.8 MiB, 109.8 MiB (110 %) over the target rss<100MiB",
		"rss=0":                              "rss was 209.8 MiB, 209.8 MiB over the target rss=0",
		"per_connection<66B":                 "per_connection was 67 B, 1 B (2 %) over the target per_connection<66B",
		"loss<1%":                            "loss was 2.00 %, 1.00 % (100 %) over the target loss<1%",
		"connections.established>=10k":       "connections.established was 9,000, 1,000 (10 %) under the target connections.established>=10k",
		"messages.delivered_per_second>2k/s": "messages.delivered_per_second was 1,000/s, 1,000/s (50 %) under the target messages.delivered_per_second>2k/s",
		"connect.seconds<100ms":              "connect.seconds was 0.500 s, 0.400 s (400 %) over the target connect.seconds<100ms",
	} {
		if got := measured(text).Targets[0].String(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	newer := result.Outcomes{{Expr: "p77~5\nms"}, {Expr: "p77~6ms", Held: true}}
	if got := newer[0].String() + ", " + newer[1].String(); got != "the target p77~5; ms was not met, the target p77~6ms was met" {
		t.Errorf("of a newer version: %q", got)
	}
}

// TestVerdictOfTargets: the verdict counts them and names what was missed, the table
// has each with its figure.
func TestVerdictOfTargets(t *testing.T) {
	r := measured("p99<50ms", "connections.failed<500", "errors=0", "p90<1s", "errors!=469")
	page := text(t, r)
	for _, want := range []string{
		"; nothing limited it; 1 of 5 targets met: p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms, and errors was 469, 469 over the target errors=0, and p90 was not measured, which the target p90<1s needs, and errors was 469, which the target errors!=469 excludes.\n",
		"\nTargets\n",
		"  p99<50ms: missed by 31.0 ms (62 %)    81.0 ms\n",
		"  connections.failed<500: met            469\n",
		"  errors=0: missed by 469                469\n",
		"  p90<1s: not met                          -\n",
		"  errors!=469: not met                   469\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if got := text(t, measured("p99<1s")); !strings.Contains(got, "; nothing limited it; 1 of 1 target met.\n") {
		t.Errorf("all met:\n%s", got)
	}
	if got := text(t, measured()); strings.Contains(strings.ToLower(got), "target") {
		t.Errorf("none stated:\n%s", got)
	}
}

func TestOutcomesJSON(t *testing.T) {
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(measured("p99<50ms", "missing < 2k", "p90<1s").Targets)
	const want = `[{"expr":"p99<50ms","key":"latency_ms.p99","figure":81,"held":false,"by":31},` +
		`{"expr":"missing<2k","key":"messages.missing","figure":1200,"held":true,"by":null},` +
		`{"expr":"p90<1s","key":"latency_ms.p90","figure":null,"held":false,"by":null}]` + "\n"
	if got := b.String(); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if got, err := json.Marshal(result.Outcomes(nil)); err != nil || string(got) != "[]" {
		t.Errorf("none: %s, %v", got, err)
	}
}

// TestTargetsInTheFile reads them as people write them.
func TestTargetsInTheFile(t *testing.T) {
	folder := t.TempDir()
	if err := measured("p99<50ms").Write(folder); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(folder, result.FileName))
	if err != nil || strings.Count(string(file), "p99<50ms") != 2 {
		t.Errorf("%v\n%s", err, file)
	}
}

// TestMedianHasNoTargets of the first run: the caller holds it against them.
func TestMedianHasNoTargets(t *testing.T) {
	if got := result.Median(measured("p99<50ms"), measured("p99<50ms")); got.Targets != nil {
		t.Errorf("%v", got.Targets)
	}
}

// TestScaleNamesMissedTargets, step by step.
func TestScaleNamesMissedTargets(t *testing.T) {
	s := &result.Scale{Asked: []int{5, 10_000}}
	s.Add("5", measured("p99<1s"))
	s.Add("10000", measured("p99<1s", "p99<50ms"))
	var b strings.Builder
	if err := s.Table(&b); err != nil || !strings.Contains(b.String(), "\n10,000 connections: 1 of 2 targets met: p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms\n") ||
		strings.Count(b.String(), "target") != 2 {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestTargetsName(t *testing.T) {
	var p99, errs result.Target
	_ = p99.UnmarshalText([]byte("p99<50ms"))
	_ = errs.UnmarshalText([]byte("errors<10"))
	for _, tt := range []struct {
		targets result.Targets
		want    bool
	}{{nil, false}, {result.Targets{p99}, false}, {result.Targets{p99, errs}, true}} {
		if got := tt.targets.Names("messages.refused", "errors"); got != tt.want {
			t.Errorf("%v: %v", tt.targets, got)
		}
	}
	if !(result.Targets{p99}).Names("latency_ms.p99") {
		t.Error("a short name is not its key")
	}
}
