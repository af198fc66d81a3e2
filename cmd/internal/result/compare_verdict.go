package result

import (
	"fmt"
	"slices"
	"strings"
)

// verdict returns the sentence that a person would say of the comparison.
func (c *Comparison) verdict() string {
	limit, limited := c.Limit.Value()
	if limited && c.Worse && len(c.failing(Worsened, Gone, Unknown)) == 0 {
		return "Nothing that is judged was measured in both, so that nobody can say that B is not worse."
	}
	judged := func(status ...Status) []Change {
		return c.those(func(f Change) bool { return f.Judged && slices.Contains(status, f.Status) })
	}
	others := c.those(func(f Change) bool { return !f.Judged && f.Status != Same })
	worse, better, unknown := judged(Worsened, Gone), judged(Improved), judged(Unknown)
	var clauses []string
	switch failing := c.failing(Worsened, Gone); {
	case len(failing) > 0:
		clauses = append(clauses, "B is worse by more than "+percentage(limit)+": "+inWords(failing))
	case len(worse) > 0 && limited:
		clauses = append(clauses, "B is worse, within the limit of "+percentage(limit)+": "+inWords(worse))
	case len(worse) > 0:
		clauses = append(clauses, "B is worse: "+inWords(worse))
	}
	switch {
	case len(better) > 0 && len(clauses) > 0:
		clauses = append(clauses, "better: "+inWords(better))
	case len(better) > 0:
		clauses = append(clauses, "B is better: "+inWords(better))
	}
	if len(unknown) > 0 {
		clauses = append(clauses, "Measured on neither side: "+names(unknown))
	}
	switch {
	case len(clauses) == 0 && len(others) == 0:
		return "No change" + c.within() + "."
	case len(clauses) == 0:
		clauses = append(clauses, "No change in the figures that are judged")
	}
	if len(others) > 0 {
		clauses = append(clauses, changedToo(len(others)))
	}
	return strings.Join(clauses, "; ") + "."
}

// within returns what "no change" means.
func (c *Comparison) within() string {
	if repeated := c.those(func(f Change) bool { _, ok := f.Spread.Value(); return ok }); len(repeated) > 0 {
		return ": no figure differs by more than its spread"
	}
	least := guessed
	if limit, ok := c.Limit.Value(); ok {
		least = limit
	}
	return ": no figure differs by more than " + percentage(least)
}

func changedToo(n int) string {
	if n == 1 {
		return "1 other figure changed"
	}
	return fmt.Sprintf("%d other figures changed", n)
}

// those returns the figures of a kind.
func (c *Comparison) those(are func(Change) bool) (list []Change) {
	for _, f := range c.Figures {
		if are(f) {
			list = append(list, f)
		}
	}
	return list
}

// failing returns those that fail, and of which that became.
func (c *Comparison) failing(status ...Status) []Change {
	return c.those(func(f Change) bool { return f.Fails && slices.Contains(status, f.Status) })
}

// Failure names the figures that are worse beyond limit and spread, and how they were, and
// which nobody knows; "" if there are none.
func (c *Comparison) Failure() string {
	if !c.Worse {
		return ""
	}
	var worse, all []string
	for _, f := range c.failing(Worsened, Gone) {
		unit := f.metric.Unit
		worse = append(worse, fmt.Sprintf("%s %s, was %s (%s)", f.Key, f.B.Median.Text(unit), f.A.Median.Text(unit), f.by()))
	}
	if len(worse) > 0 {
		limit, _ := c.Limit.Value()
		all = append(all, "worse by more than "+percentage(limit)+": "+strings.Join(worse, "; "))
	}
	for _, f := range c.failing(Unknown) {
		all = append(all, f.Key+" was measured on neither side")
	}
	if len(all) == 0 {
		return c.Verdict
	}
	return strings.Join(all, "; ")
}

// names enumerates figures.
func names(figures []Change) string {
	texts := make([]string, len(figures))
	for i, f := range figures {
		texts[i] = f.name()
	}
	return enumerated(texts)
}

// inWords writes latency p50 +10.1 % and latency p99 +9.8 %.
func inWords(figures []Change) string {
	texts := make([]string, len(figures))
	for i, f := range figures {
		texts[i] = f.name() + " " + f.by()
	}
	return enumerated(texts)
}

// enumerated writes a, b and c.
func enumerated(texts []string) string {
	if last := len(texts) - 1; last > 0 {
		return strings.Join(texts[:last], ", ") + " and " + texts[last]
	}
	return strings.Join(texts, "")
}

// name returns the label of a figure where no section stands above it.
func (f *Change) name() string {
	prefix := map[string]string{
		sectionMemory: "memory ", sectionLatency: "latency ", sectionService: "service time ", sectionFanOut: "fan-out ",
		sectionCPU: "CPU of the ", sectionStreams: "streams, ", sectionReconnect: "reconnects, ", sectionMessages: "messages ",
	}[f.metric.Section]
	return prefix + f.metric.Label
}

// by writes how much a figure changed: +10.1 %, or +5 where there is no share.
func (f *Change) by() string {
	switch f.Status {
	case Appeared:
		return "not measured before"
	case Gone:
		return "no longer measured"
	case Unknown:
		return "not measured"
	}
	const most = 100 // times; beyond that a percentage is hard to read
	if share, ok := f.Change.Value(); ok && share >= most {
		return "×" + group(share+1)
	} else if ok {
		return signed(share, percentage(share))
	}
	by := f.B.Median.Minus(f.A.Median)
	x, _ := by.Value()
	return signed(x, by.Text(f.metric.Unit))
}

// signed puts a plus before what grew.
func signed(x float64, text string) string {
	if x > 0 && strings.ContainsAny(text, "123456789") {
		return "+" + text
	}
	return text
}

// percentage writes a share with one decimal where there are no more than two digits
// before it.
func percentage(share float64) string {
	if percent := share * 100; percent > -99.95 && percent < 99.95 {
		text := strings.TrimSuffix(decimal(percent, 1), ".0")
		if text == "-0" {
			text = "0"
		}
		return text + " %"
	}
	return group(share*100) + " %"
}
