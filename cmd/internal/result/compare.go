package result

import (
	"fmt"
	"math"
	"reflect"
	"slices"
)

// Runs are the repeats of one experiment, which may be one.
type Runs struct {
	// Name is what the user calls it: a folder or a file.
	Name    string
	Results []*Result
}

// CompareConfig says what counts as worse.
type CompareConfig struct {
	// Limit is the share by which a judged figure may get worse. If it is not
	// measured, nothing fails.
	Limit Figure
	// Metrics are judged besides those that always are.
	Metrics []Metric
	// Force compares what was measured with other settings, or was interrupted.
	Force bool
	// Defaults are the settings of an experiment that was given none: a result lacks
	// those that were not given, and those that were not there yet.
	Defaults map[string]any
}

// Comparison is what changed from A to B.
type Comparison struct {
	Schema int `json:"schema"`
	// Verdict says it in a sentence.
	Verdict string `json:"verdict"`
	// Worse says that a judged figure is worse by more than Limit and Spread.
	Worse bool   `json:"worse"`
	Limit Figure `json:"limit"`
	A     Side   `json:"a"`
	B     Side   `json:"b"`
	// Notes say in a sentence each how far the comparison can be trusted.
	Notes []string `json:"notes"`
	// Figures has every figure that was measured on either side.
	Figures []Change `json:"figures"`
	// Differences are in settings and machines.
	Differences []Difference `json:"differences"`

	named []string // the keys of CompareConfig.Metrics
}

// Side is one of the two.
type Side struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Runs  int    `json:"runs"`
	// Time is when the first run started.
	Time string `json:"time"`
}

// Status is what became of a figure.
type Status string

// What may become of a figure. One without a direction is neither better nor worse.
const (
	Same     Status = "same"
	Changed  Status = "changed"
	Improved Status = "better"
	Worsened Status = "worse"
	// Appeared and Gone were measured on one side only.
	Appeared Status = "new"
	Gone     Status = "gone"
	// Unknown was asked for and measured on neither side.
	Unknown Status = "unknown"
)

// Change is a figure of both sides.
type Change struct {
	Key    string `json:"key"`
	Judged bool   `json:"judged"`
	A      Sample `json:"a"`
	B      Sample `json:"b"`
	// Change is the share of A by which the median grew: null where A is not above 0.
	Change Figure `json:"change"`
	// Spread is how far the two may be apart by chance, in the figure's unit: null
	// without repeats.
	Spread Figure `json:"spread"`
	Status Status `json:"status"`
	// Fails says that it is judged, and worse beyond limit and spread.
	Fails bool `json:"fails"`

	metric Metric
}

// Sample has the values of one figure in the repeats of one side.
type Sample struct {
	Median Figure    `json:"median"`
	Least  Figure    `json:"least"`
	Most   Figure    `json:"most"`
	Runs   []float64 `json:"runs"`
}

// alwaysJudged are the figures in which a change hurts users or the bill. Where
// nothing was due (--rate max), the service time stands for the latency.
var alwaysJudged = []string{
	"latency_ms.p50", "latency_ms.p99", "service_ms.p50", "service_ms.p99",
	"memory.bytes_per_connection", "messages.delivered_per_second", "messages.missing", "cpu_us_per_message.server",
}

const (
	// enoughRuns are needed for a spread that means something.
	enoughRuns = 3
	// slight is the share below which a difference that is no chance is not worth a
	// line, and guessed the one at which a difference of two single runs is.
	slight  = 0.01
	guessed = 0.10
)

// Compare finds what changed from a to b. The error says why the two cannot be
// compared.
func Compare(a, b Runs, cfg CompareConfig) (*Comparison, error) { return compare(a, b, cfg, 1) }

// compare finds it for one of so many comparisons that are made together.
func compare(a, b Runs, cfg CompareConfig, comparisons int) (*Comparison, error) {
	c := &Comparison{Schema: Schema, Limit: cfg.Limit, A: sideOf(a), B: sideOf(b), Notes: []string{}, Figures: []Change{}}
	for _, m := range cfg.Metrics {
		if m.Better == "" {
			return nil, fmt.Errorf("result: %s cannot be judged: neither more of it nor less is better", m.Key)
		}
		c.named = append(c.named, m.Key)
	}
	c.Differences = differences(a, b, cfg.Defaults)
	if err := c.refuse(a, b, cfg.Force); err != nil {
		return nil, err
	}
	c.doubt(a, b)
	for _, m := range catalogue {
		if change := c.changeOf(m, a, b); len(change.A.Runs)+len(change.B.Runs) > 0 || slices.Contains(c.named, m.Key) {
			c.Figures = append(c.Figures, change)
		}
	}
	c.judge(comparisons)
	c.Notes = append(append(c.Notes, c.blurred()...), c.blind()...)
	c.Verdict = c.verdict()
	return c, nil
}

func sideOf(runs Runs) Side {
	side := Side{Name: runs.Name, Runs: len(runs.Results)}
	if side.Runs > 0 {
		first := runs.Results[0]
		side.Title = first.Title()
		if first.Environment != nil {
			side.Time = first.Environment.Time
		}
	}
	return side
}

// refuse returns an error if a and b do not compare. What force allows is noted.
func (c *Comparison) refuse(a, b Runs, force bool) error {
	for _, side := range []Runs{a, b} {
		if len(side.Results) == 0 {
			return fmt.Errorf("result: there is no result in %s", side.Name)
		}
		m := Median(side.Results...)
		switch {
		case !m.Interrupted:
		case !force:
			return fmt.Errorf("result: %s stopped early%s: its figures are of a part of a run: run it again, or compare with --force", side.Name, m.reason())
		default:
			c.Notes = append(c.Notes, oneLine(side.Name)+" stopped early"+m.reason()+": its figures are of a part of a run.")
		}
	}
	var load []Difference
	for _, d := range c.Differences {
		if d.Load {
			load = append(load, d)
		}
	}
	switch {
	case len(load) == 0:
	case !force:
		return &LoadError{A: a.Name, B: b.Name, Differences: load}
	default:
		c.Notes = append(c.Notes, "The load or the engine was not the same: "+listed(load)+".")
	}
	return nil
}

// doubt adds notes about what takes from the trust in the comparison.
func (c *Comparison) doubt(a, b Runs) {
	if c.A.Runs < enoughRuns || c.B.Runs < enoughRuns {
		c.Notes = append(c.Notes, fmt.Sprintf("A has %s and B %s: fewer than %d cannot tell a change from chance. Measure each with comet bench --repeat %d or more.",
			count(float64(c.A.Runs), "run"), count(float64(c.B.Runs), "run"), enoughRuns, enoughRuns))
	}
	if reflect.DeepEqual(a.Results, b.Results) {
		c.Notes = append(c.Notes, "A and B are the same result: nothing can differ.")
	}
	for i, side := range []Runs{a, b} {
		for _, sentence := range Median(side.Results...).caveats() {
			c.Notes = append(c.Notes, "AB"[i:i+1]+": "+sentence)
		}
	}
}

// blind returns a note about memory per connection if the server's memory was measured
// and what a connection costs is known of neither side.
func (c *Comparison) blind() []string {
	has := func(key string) bool {
		return slices.ContainsFunc(c.Figures, func(f Change) bool { return f.Key == key })
	}
	if has("memory.bytes_per_connection") || !has("memory.rss_peak_bytes") {
		return nil
	}
	return []string{"Memory per connection was measured on neither side, and is not compared: start the server anew for each run."}
}

// blurred returns a note about the figures that may be worse by more than the limit
// unseen.
func (c *Comparison) blurred() []string {
	limit, limited := c.Limit.Value()
	wide := c.those(func(f Change) bool {
		share, ok := f.Spread.Per(f.A.Median).Value()
		return f.Judged && f.Status == Same && ok && share > limit
	})
	if !limited || len(wide) == 0 {
		return nil
	}
	return []string{"A change of " + percentage(limit) + " is within the spread of " + names(wide) + ": it takes more repeats, longer ones or a quieter machine to see it."}
}

// changeOf reads a figure of both sides.
func (c *Comparison) changeOf(m Metric, a, b Runs) Change {
	change := Change{Key: m.Key, A: sampleOf(m, a), B: sampleOf(m, b), Status: Same, metric: m}
	change.Judged = slices.Contains(alwaysJudged, m.Key) || slices.Contains(c.named, m.Key)
	if before, ok := change.A.Median.Value(); ok && before > 0 {
		change.Change = change.B.Median.Minus(change.A.Median).Per(change.A.Median)
	}
	return change
}

func sampleOf(m Metric, side Runs) Sample {
	s := Sample{Runs: []float64{}}
	for _, r := range side.Results {
		if x, ok := m.Of(r).Value(); ok {
			s.Runs = append(s.Runs, x)
		}
	}
	if len(s.Runs) > 0 {
		s.Median = medianOf(slices.Clone(s.Runs))
		s.Least, s.Most = Of(slices.Min(s.Runs)), Of(slices.Max(s.Runs))
	}
	return s
}

// judge sets what became of each figure. Those that are judged are one group, the
// others another, together with those of the other comparisons.
func (c *Comparison) judge(comparisons int) {
	group := map[bool]int{}
	for _, f := range c.Figures {
		if len(f.A.Runs) > 0 && len(f.B.Runs) > 0 {
			group[f.Judged]++
		}
	}
	for i := range c.Figures {
		c.Figures[i].judge(c.Limit, comparisons*group[c.Figures[i].Judged])
		c.Worse = c.Worse || c.Figures[i].Fails
	}
	if _, limited := c.Limit.Value(); limited && group[true] == 0 {
		c.Worse = true // as a target is not met by what was not measured
	}
}

// judge sets what became of f, one of so many figures of a group.
func (f *Change) judge(limit Figure, figures int) {
	most, limited := limit.Value()
	a, before := f.A.Median.Value()
	b, after := f.B.Median.Value()
	switch {
	case !before && !after:
		f.Status, f.Fails = Unknown, limited
		return
	case !after: // whoever cannot measure it any more cannot say that it is no worse
		f.Status, f.Fails = Gone, limited && f.Judged
		return
	case !before:
		f.Status = Appeared
		return
	}
	half, repeated := spread(f.A.Runs, f.B.Runs, figures)
	if repeated {
		f.Spread = Of(half)
	}
	chanceless := apart(f.A.Runs, f.B.Runs, half)
	beyond := func(share float64) bool { return chanceless && math.Abs(b-a) > share*math.Abs(a)*(1+1e-9) } // 1e-9: 0.33 is not over 0.3 by more than 10 %
	least := guessed
	if repeated {
		least = slight
	}
	if limited && (most < least || !repeated) {
		least = most
	}
	if !beyond(least) {
		return
	}
	f.Status = f.direction(b - a)
	f.Fails = limited && f.Judged && f.Status == Worsened && beyond(most)
}

// direction returns what a change by so much means.
func (f *Change) direction(by float64) Status {
	switch {
	case f.metric.Better == "":
		return Changed
	case (by > 0) == (f.metric.Better == Higher):
		return Improved
	}
	return Worsened
}
