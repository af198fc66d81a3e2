package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"example.org/comet/memlog/series"
	"example.org/comet/msggen"
)

// msggenOutput prints and logs what a generator reports.
type msggenOutput struct {
	env       *Env
	generator *msggen.Generator
	json      bool
	planned   bool           // the run has a planned end
	attended  bool           // whoever started it reads what was refused
	log       *series.Writer // nil without --log
	page      *msggenPage
	close     func() // closes the log
	noted     time.Time
}

func newMsggenOutput(env *Env, generator *msggen.Generator, asJSON bool, logFile string) (*msggenOutput, error) {
	log, closeLog, err := openRunLog(env, logFile, "msggen")
	if err != nil {
		return nil, err
	}
	return &msggenOutput{env: env, generator: generator, json: asJSON, log: log, close: closeLog}, nil
}

// outcome is what came of a run.
type outcome struct {
	result msggen.Result
	err    error
}

// generate runs the generator and reports each second and at the end.
func (o *msggenOutput) generate(outer context.Context) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	ended := make(chan outcome, 1)
	go func() {
		result, err := o.generator.Run(ctx)
		ended <- outcome{result, err}
	}()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var unwritable error
	for {
		select {
		case now := <-second.C:
			stats, recent := o.generator.Stats(), o.generator.Recent()
			o.note(now, stats, recent)
			if unwritable == nil && (o.json || o.env.verbosity >= 0) {
				if unwritable = o.sample(stats, recent); unwritable != nil {
					cancel() // nobody reads on: end, and take the last answer
				}
			}
		case end := <-ended:
			if unwritable != nil {
				return unwritable
			}
			return o.end(outer, end)
		}
	}
}

// end reports what came of a run and returns its error.
func (o *msggenOutput) end(ctx context.Context, end outcome) error {
	// The end need not fall on a second, and what was left then counts.
	if now := time.Now(); now.Sub(o.noted) >= time.Second/2 {
		o.note(now, end.result.Stats, o.generator.Recent())
	}
	if end.err != nil && end.result.Asked == 0 {
		o.page.end(end.result, end.err)
		return end.err // nothing was sent: nothing to report
	}
	err := end.err
	if err == nil && !o.attended && (!o.planned || ctx.Err() == nil) {
		err = end.result.Err() // refused messages are a failure
	}
	o.page.end(end.result, err)
	said := err != nil && !o.json && ctx.Err() == nil
	if said { // the reason first, and then the figures
		printError(o.env.Stderr, err)
	}
	if err := o.report(end.result, o.planned && ctx.Err() != nil); err != nil {
		return err
	}
	if said {
		return reported(exitCode(err))
	}
	return err
}

// note appends to the log, and shows the same on the live page; recent is the lateness
// since the last call. A line that is lost, for a full disk, ends nothing.
func (o *msggenOutput) note(now time.Time, s msggen.Stats, recent *msggen.Lateness) {
	o.noted = now
	o.page.add(now, s, recent)
	if o.log == nil {
		return
	}
	if err := o.log.Write(s.Sample(now, recent)); err != nil {
		o.env.Logger().Warn("a line of the message log was lost", "error", err)
	}
}

// sample reports what has become of the messages so far.
func (o *msggenOutput) sample(s msggen.Stats, recent *msggen.Lateness) error {
	if !o.json {
		return textReport(o.env.Stdout, msggen.Result{Stats: s}, false)
	}
	return json.NewEncoder(o.env.Stdout).Encode(struct {
		Type string `json:"type"`
		msggen.Stats
		reach
		Recent *msggen.Lateness `json:"recent_late_ms"` // since the line before
	}{"sample", s, reachOf(&s), recent})
}

// report reports what became of them.
func (o *msggenOutput) report(r msggen.Result, interrupted bool) error {
	if !o.json {
		return textReport(o.env.Stdout, r, true)
	}
	return json.NewEncoder(o.env.Stdout).Encode(struct {
		Type string `json:"type"`
		msggen.Result
		reach
		Interrupted bool `json:"interrupted"`
	}{"result", r, reachOf(&r.Stats), interrupted})
}

// reach is whom messages reached, null where the server does not say. In a line of JSON
// it hides the fields of the same name, which lie deeper.
type reach struct {
	Reached     *uint64 `json:"reached"`
	Unaddressed *uint64 `json:"unaddressed"`
}

func reachOf(s *msggen.Stats) reach {
	if s.ReachUnknown {
		return reach{}
	}
	return reach{&s.Reached, &s.Unaddressed}
}

// textReport writes a line for a person, and the summary at the end.
func textReport(w io.Writer, r msggen.Result, last bool) error {
	var b strings.Builder
	if last {
		fmt.Fprintf(&b, "%d messages in %.1f s", r.Asked, r.Seconds)
		if r.Seconds > 0 {
			fmt.Fprintf(&b, ", %.0f/s", float64(r.Asked)/r.Seconds)
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "sent %d", r.Sent)
	if !r.ReachUnknown {
		fmt.Fprintf(&b, ", reached %d, unaddressed %d", r.Reached, r.Unaddressed)
	}
	for _, rare := range []struct {
		name string
		n    uint64
	}{{"not answered yet", r.Unanswered}, {"refused", r.Refused}, {"unknown", r.Unknown}, {"never seen delivered", r.WrittenOff}} {
		if rare.n > 0 {
			fmt.Fprintf(&b, ", %s %d", rare.name, rare.n)
		}
	}
	if r.Late != nil {
		fmt.Fprintf(&b, "; late by p50 %s, p99 %s, max %s", millis(r.Late.P50), millis(r.Late.P99), millis(r.Late.Max))
		if last {
			fmt.Fprintf(&b, ", %d (%.2f %%) by more than 1 ms", r.LateCount, 100*float64(r.LateCount)/float64(max(1, r.Late.Count)))
		}
	}
	if r.Away {
		b.WriteString("; the server is unreachable")
	}
	b.WriteString("\n")
	if last {
		answersReport(&b, r.Answers)
		fmt.Fprintf(&b, "seed %d, run %s\n", r.Seed, r.Run)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// answersReport writes what --publish was answered.
func answersReport(b *strings.Builder, a msggen.Answers) {
	if len(a.Statuses) == 0 {
		return
	}
	b.WriteString("answers:")
	for i, status := range slices.Sorted(maps.Keys(a.Statuses)) {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(b, " %d x %d", a.Statuses[status], status)
	}
	b.WriteString("\n")
	if a.Refusal != "" {
		fmt.Fprintf(b, "the commonest refusal: %s\n", strings.TrimPrefix(a.Refusal, "msggen: "))
	}
}
