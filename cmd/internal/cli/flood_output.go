package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog/series"
)

// floodOutput prints what a flood reports.
type floodOutput struct {
	env     *Env
	json    bool
	config  *flood.Config
	targets result.Targets
	log     *series.Writer // nil without --log
	last    time.Time
	page    *floodPage // nil without --metrics
	// away is what came of it on the hosts of agents; nil for a flood of this host.
	away   *agent.Outcome
	clocks *result.Figure // how far those of the agents may be off, in milliseconds
	// close closes the log.
	close func()
}

func newFloodOutput(env *Env, o *floodOptions) (*floodOutput, error) {
	log, closeLog, err := openRunLog(env, o.Log, "flood")
	if err != nil {
		return nil, err
	}
	return &floodOutput{env: env, json: o.JSON, config: &o.Config, targets: o.Targets.all(), log: log, close: closeLog}, nil
}

// line prints one JSON line: {"type":kind, …}.
func (o *floodOutput) line(kind string, body any) error {
	return jsonLine(o.env.Stdout, kind, body)
}

func (o *floodOutput) sample(s flood.Sample) {
	if o.json {
		// If nobody reads it, the outlet ends the run.
		_ = o.line("sample", s)
		if s.Connected != nil {
			_ = o.line("connected", s.Connected)
		}
		if s.Lap != nil {
			_ = o.line("lap", s.Lap)
		}
	} else {
		fmt.Fprintf(o.env.Stdout, "Stats: {%d,%d,%d}\n", s.Counts.Connected, s.Closed, s.Chunks)
	}
	o.page.add(s)
	if o.log == nil || s.Time.Sub(o.last) < time.Second/2 {
		return
	}
	o.last = s.Time
	if err := o.log.Write(s.LogLine()); err != nil {
		o.env.Logger().Warn("a line of the flood log was lost", "error", err)
	}
}

func (o *floodOutput) result(r flood.Result, targets result.Outcomes, interrupted bool) error {
	if o.json {
		return o.line("result", struct {
			flood.Result
			Interrupted bool            `json:"interrupted"`
			Targets     result.Outcomes `json:"targets"`
			ClockError  *result.Figure  `json:"clock_error_ms,omitempty"`
		}{r, interrupted, targets, o.clocks})
	}
	w := o.env.Stdout
	if r.Established() == 0 {
		_, err := fmt.Fprintf(w, "connected 0 of %d; %d failed\n", r.Asked, r.Failed)
		return err
	}
	fmt.Fprintf(w, "connected %d of %d in %.2f s (%.0f/s); %d closed since, %d failed\n",
		r.Established(), r.Asked, r.ConnectSeconds, perSecond(r.Established(), r.ConnectSeconds), r.Closed, r.Failed)
	printQuantiles(w, "first byte", r.FirstByte)
	fmt.Fprintf(w, "chunks %d", r.Chunks)
	if r.Stamped > 0 {
		fmt.Fprintf(w, "; of %d stamped messages %d distinct, %d duplicated, %d reordered, %d numbers not seen", r.Stamped, r.Delivered, r.Duplicated, r.Reordered, r.Missing)
	}
	_, err := fmt.Fprintln(w)
	printQuantiles(w, "due to received", r.Latency)
	if o.clocks != nil && r.Latency != nil {
		fmt.Fprintf(w, "clocks of the agents: known to %s\n", o.clocks.Text(result.UnitMillis))
	}
	printFanOut(w, r.FanOut)
	if r.Completed > 0 {
		fmt.Fprintf(w, "completed %d streams with %d messages\n", r.Completed, r.CompletedMessages)
		printQuantiles(w, "first message", r.FirstMessage)
		printQuantiles(w, "whole stream", r.Stream)
	}
	if c := r.Reconnect; c.Attempts > 0 {
		fmt.Fprintf(w, "reconnects: %d lost, %d left; %d attempts, %d of them failed; %d came back, and missed %d messages\n",
			c.Lost, c.Left, c.Attempts, c.Failed, c.Back, c.MissedOffline)
		printQuantiles(w, "offline", r.Offline)
	}
	if r.Explanation != "" && !o.failed(r) { // else it is the error
		printError(o.env.Stderr, errors.New(r.Explanation))
	}
	if r.Bottleneck != "" {
		fmt.Fprintf(o.env.Stderr, "comet: limited by %s\n", r.Bottleneck)
	}
	if len(targets) > 0 {
		fmt.Fprintln(w, targets)
	}
	return err
}

// judgeClocks takes out of r what the clocks of agents make unknown, and says so.
func (o *floodOutput) judgeClocks(r *flood.Result) {
	if o.away == nil {
		return
	}
	off := new(result.Seconds(o.away.ClockError).Times(1000))
	why := ""
	switch ms, _ := off.Value(); {
	case o.away.ClockTrouble != nil:
		*off, why = result.Figure{}, o.away.ClockTrouble.Error()
	case r.Latency != nil && r.Latency.P50 < ms:
		why = fmt.Sprintf("the clocks of the agents are known to %s, which is more than half of the messages took", off.Text(result.UnitMillis))
	}
	if why != "" && r.Stamped > 0 {
		fmt.Fprintf(o.env.Stderr, "comet: the latency is not known: %s\n", why)
		r.Latency, r.FanOut = nil, nil
	}
	o.clocks = off
}

func perSecond(n int, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}

func printQuantiles(w io.Writer, name string, q *flood.Quantiles) {
	if q != nil {
		fmt.Fprintf(w, "%s: p50 %s, p90 %s, p99 %s, max %s\n", name, millis(q.P50), millis(q.P90), millis(q.P99), millis(q.Max))
	}
}

func printFanOut(w io.Writer, f *flood.FanOut) {
	if f == nil {
		return
	}
	of := "all"
	if f.Share < 1 {
		of = "a sample of"
	}
	fmt.Fprintf(w, "fan-out, medians over %s %d messages: first recipient %s, p50 %s, p99 %s, last %s\n",
		of, f.Messages, millis(f.First), millis(f.P50), millis(f.P99), millis(f.Last))
}

// millis writes milliseconds as the reports do.
func millis(ms float64) string {
	number, unit := result.Of(ms).Format(result.UnitMillis)
	return number + " " + unit
}
