package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// about returns targets.
func about(t *testing.T, texts ...string) (targets result.Targets) {
	t.Helper()
	for _, text := range texts {
		target, err := parseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, target)
	}
	return targets
}

// TestTargetFlags: --slo and --fail-if give the targets of a run, each once, in bench
// and in flood.
func TestTargetFlags(t *testing.T) {
	args := []string{"--slo", "p99 < 50ms", "--slo", "loss=0,errors<10", "--fail-if", "p99>=50ms", "--fail-if", "rss>200MB"}
	const want = "[p99<50ms loss=0 errors<10 rss<=200MB]"
	o := benchOf(t, args...)
	if got := fmt.Sprint(o.Config.Targets); got != want {
		t.Errorf("bench: %s, want %s", got, want)
	}
	if s := o.Config.Settings; s["slo"] != "[p99<50ms,loss=0,errors<10]" || s["fail-if"] != "[p99>=50ms,rss>200MB]" {
		t.Errorf("the result is told of %v and %v", s["slo"], s["fail-if"])
	}
	if o := benchOf(t); o.Config.Targets != nil || o.Config.Settings["slo"] != nil || o.Config.Settings["fail-if"] != nil {
		t.Errorf("without: %v, %v", o.Config.Targets, o.Config.Settings)
	}
	env, _, _ := testEnv(nil)
	cmd := newFlood(env, func(_ context.Context, _ *Env, o *floodOptions) error {
		if got := fmt.Sprint(o.Targets.all()); got != want {
			t.Errorf("flood: %s, want %s", got, want)
		}
		return nil
	})
	cmd.SetArgs(append(args, "http://h/{id}"))
	cmd.SetErr(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnknownTargets refuses them before anything starts, and names what was meant.
func TestUnknownTargets(t *testing.T) {
	for _, command := range [][]string{{"bench", "--out", "none"}, {"flood", "http://127.0.0.1:1/{id}", "-c", "1"}} {
		for text, says := range map[string]string{
			"p98<50ms":              `there is no figure "p98": did you mean p90? comet help targets lists them all`,
			"latency_ms.p98<50ms":   "did you mean latency_ms.p90?",
			"mesages.missing=0":     "did you mean messages.missing?",
			"something.else=0":      `there is no figure "something.else": use one that comet help targets lists`,
			"processes.engine=best": "cannot be a target",
			"p99<50":                `p99: "50" has no unit: write 50ms`,
			"p99":                   "in quotes, such as 'p99<50ms'",
			"":                      "names nothing",
			"p99<50ms,":             `"" is not a target`,
		} {
			for _, flag := range []string{"--slo", "--fail-if"} {
				if got := refused(t, append(command, flag, text)...); !strings.Contains(got, flag) || !strings.Contains(got, says) {
					t.Errorf("%s %s %q: %q, want %q", command[0], flag, text, got, says)
				}
			}
		}
	}
}

// TestTargetsTopic lists every figure with how its value is written.
func TestTargetsTopic(t *testing.T) {
	out, code, err := execute(t.Context(), nil, "help", "targets")
	if code != exitDone {
		t.Fatal(err)
	}
	for _, name := range result.TargetNames() {
		m, _ := result.Lookup(name)
		if !strings.Contains(out, "\n  "+name+" ") || !strings.Contains(out, m.Unit.Example()) {
			t.Errorf("%s is not in\n%s", name, out)
		}
	}
	// Every example of a value is one.
	for _, m := range result.Catalogue() {
		for value := range strings.SplitSeq(strings.ReplaceAll(m.Unit.Example(), " or ", ", "), ", ") {
			about(t, m.Key+"<"+value)
		}
	}
	if out, _, _ := execute(t.Context(), nil, "__complete", "bench", "--slo", "p9"); !strings.Contains(out, "p99\n") || !strings.Contains(out, "p99.9\n") {
		t.Errorf("completion offers %q", out)
	}
}

func TestMissedTargets(t *testing.T) {
	held := func(figure float64) *result.Result {
		r := new(result.Result)
		r.Connections.Asked, r.Connections.Established = result.Of(1000), result.Of(1000)
		r.Latency.P99 = result.Of(figure)
		r.Targets = result.Check(about(t, "p99<50ms", "loss=0"), r)
		return r
	}
	series := new(result.Scale)
	for _, p99 := range []float64{20, 81, 90} {
		r := held(p99)
		r.Messages.Missing, r.Messages.Expected = result.Of(0), result.Of(9)
		r.Connections.Asked = result.Of(p99 * 100)
		r.Targets = result.Check(about(t, "p99<50ms", "loss=0"), r)
		series.Add("x", r)
	}
	nothing := new(result.Result)
	nothing.Targets = result.Check(about(t, "p99<50ms"), nothing)
	const slow = "p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms"
	for _, tt := range []struct {
		o    bench.Outcome
		want string
	}{
		{bench.Outcome{Result: new(result.Result)}, ""},
		{bench.Outcome{Result: nothing}, ""}, // the reason is told instead
		{bench.Outcome{Result: held(81)}, "2 of 2 targets not met\n  " + slow + "\n  loss was not measured, which the target loss=0 needs"},
		{bench.Outcome{Result: held(20)}, "1 of 2 targets not met\n  loss was not measured, which the target loss=0 needs"},
		{bench.Outcome{Scale: series}, "8,100 connections, the first step that missed a target: 1 of 2 targets not met\n  " + slow},
	} {
		err := missedTargets(&tt.o)
		if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") || err != nil && exitCode(err) != exitTarget {
			t.Errorf("%q, exit %d; want %q", got, exitCode(err), tt.want)
		}
	}
	err := missedByFlood(held(20).Targets, []string{"A note."})
	if !strings.HasSuffix(fmt.Sprint(err), "needs\n  A note.\n  A flood by itself measures its connections and the stamped messages that come; comet bench measures the rest.") || exitCode(err) != exitTarget {
		t.Errorf("%v", err)
	}
	if err := missedByFlood(held(81).Targets[:1], []string{"A note."}); strings.Contains(fmt.Sprint(err), "note") || !errors.As(err, new(targetError)) {
		t.Errorf("%v", err)
	}
}

// TestFloodTargets: what fails a flood beats a missed target, unless a target is about
// it; a signal beats both. What was missed is told each time.
func TestFloodTargets(t *testing.T) {
	interrupt, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted{syscall.SIGINT})
	well := flood.Result{Counts: flood.Counts{Asked: 10, Connected: 10}, ConnectSeconds: 1}
	some := flood.Result{Counts: flood.Counts{Asked: 10, Connected: 8, Failed: 2}, ConnectSeconds: 1}
	none := flood.Result{Counts: flood.Counts{Asked: 10, Failed: 10}}
	silent := flood.Result{Counts: flood.Counts{Asked: 10}}
	const slow = "connect.seconds was 1.00 s, 0.500 s (100 %) over the target connect.seconds<500ms"
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		endless bool
		r       flood.Result
		targets []string
		code    int
		says    []string
	}{
		{"none stated", t.Context(), false, well, nil, 0, nil},
		{"met", t.Context(), false, well, []string{"errors=0", "connect.seconds<2s"}, 0, nil},
		{"missed", t.Context(), false, well, []string{"errors=0", "connect.seconds<500ms"}, 3, []string{"1 of 2 targets not met\n  " + slow}},
		{"unknown", t.Context(), false, well, []string{"loss=0"}, 3, []string{"loss was not measured", "A flood by itself measures"}},
		{"failed", t.Context(), false, some, []string{"connect.seconds<500ms"}, 1, []string{"2 of 10 connections failed", slow}},
		{"failed, as few as may", t.Context(), false, some, []string{"errors<3"}, 0, nil},
		{"failed, as few as may, by their key", t.Context(), false, some, []string{"connections.failed<3"}, 0, nil},
		{"failed, and too many", t.Context(), false, some, []string{"errors<2"}, 3, []string{"errors was 2, not under"}},
		{"all failed", t.Context(), false, none, []string{"errors<20"}, 1, []string{"10 of 10 connections failed"}},
		{"none answered", t.Context(), false, silent, []string{"errors=0"}, 1, []string{"none of 10 connections was answered"}},
		{"interrupted, and missed", interrupt, false, well, []string{"connect.seconds<500ms"}, 130, []string{slow}},
		{"interrupted, and met", interrupt, false, well, []string{"errors=0"}, 130, nil},
		{"interrupted, and failed", interrupt, false, some, []string{"connect.seconds<500ms"}, 130, []string{slow, "2 of 10 connections failed"}},
		{"ended on purpose, and missed", interrupt, true, well, []string{"connect.seconds<500ms"}, 3, []string{slow}},
	} {
		for _, asJSON := range []bool{false, true} {
			env, out, errs := testEnv(nil)
			o := &floodOutput{env: env, json: asJSON, config: new(flood.Config), targets: about(t, tt.targets...)}
			err := o.end(tt.ctx, !tt.endless, tt.r, nil)
			printError(errs, err)
			if code := exitCode(err); code != tt.code {
				t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
			}
			for _, want := range tt.says {
				if strings.Count(errs.String(), want) != 1 {
					t.Errorf("%s: want %q once in %q", tt.name, want, errs)
				}
			}
			if len(tt.says) == 0 && strings.Contains(errs.String(), "target") {
				t.Errorf("%s: %q", tt.name, errs)
			}
			want := fmt.Sprintf("of %d target", len(tt.targets))
			if asJSON {
				want = `"interrupted":` + fmt.Sprint(tt.code == 130) + `,"targets":[`
			}
			if tt.r.Established() > 0 && (len(tt.targets) > 0 || asJSON) && !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in %q", tt.name, want, out)
			}
		}
	}
}
