package result

import (
	"fmt"
	"slices"
	"strings"
)

// SeriesComparison is what changed from one series to another, step by step.
type SeriesComparison struct {
	Schema int `json:"schema"`
	// Verdict says it in a sentence.
	Verdict string `json:"verdict"`
	// Worse says that one of the steps is, or that B did not come to one.
	Worse bool   `json:"worse"`
	Limit Figure `json:"limit"`
	A     string `json:"a"`
	B     string `json:"b"`
	// Steps are those that both have. OnlyA and OnlyB are the numbers of connections of
	// the others.
	Steps []StepComparison `json:"steps"`
	OnlyA []int            `json:"only_a"`
	OnlyB []int            `json:"only_b"`
	// Missed are those of OnlyA that B was to try as well, and did not come to.
	Missed []int `json:"missed"`
}

// StepComparison is what changed at one number of connections.
type StepComparison struct {
	Connections int `json:"connections"`
	*Comparison
}

// Title names the step.
func (s StepComparison) Title() string { return connections(float64(s.Connections)) }

// CompareSeries finds what changed from a to b, at each number of connections that both
// have. The level of the spread is that of all steps together: of many steps some would
// differ by chance. The error says why the two cannot be compared.
func CompareSeries(a, b Series, cfg CompareConfig) (*SeriesComparison, error) {
	c := &SeriesComparison{Schema: Schema, Limit: cfg.Limit, A: a.Name, B: b.Name, Steps: []StepComparison{}, OnlyA: []int{}, OnlyB: []int{}, Missed: []int{}}
	_, limited := cfg.Limit.Value()
	type pair struct {
		connections int
		a, b        Runs
	}
	var both []pair
	for _, step := range a.Steps {
		switch there, found := b.at(step.Connections); {
		case found:
			both = append(both, pair{step.Connections, step.Runs, there})
		default:
			c.OnlyA = append(c.OnlyA, step.Connections)
			if slices.Contains(b.Asked, step.Connections) {
				c.Missed, c.Worse = append(c.Missed, step.Connections), limited
			}
		}
	}
	for _, step := range b.Steps {
		if _, found := a.at(step.Connections); !found {
			c.OnlyB = append(c.OnlyB, step.Connections)
		}
	}
	for i, side := range []Series{a, b} {
		if len(side.Steps) == 0 {
			return nil, fmt.Errorf("result: %s has no step: %s was not measured with any number of connections", "AB"[i:i+1], side.Name)
		}
	}
	if len(both) == 0 {
		return nil, fmt.Errorf("result: %s and %s have no step in common: %s", a.Name, b.Name, strings.Join(c.apart(), "; "))
	}
	for _, p := range both {
		step, err := compare(p.a, p.b, cfg, len(both))
		if err != nil {
			return nil, fmt.Errorf("at %s: %w", connections(float64(p.connections)), err)
		}
		c.Steps, c.Worse = append(c.Steps, StepComparison{p.connections, step}), c.Worse || step.Worse
	}
	c.Verdict = c.verdict()
	return c, nil
}

// apart names the steps that only one side has.
func (c *SeriesComparison) apart() (sentences []string) {
	for _, side := range []struct {
		name  string
		steps []int
	}{{"A", c.OnlyA}, {"B", c.OnlyB}} {
		if len(side.steps) > 0 {
			sentences = append(sentences, "only "+side.name+" has "+atSteps(side.steps))
		}
	}
	return sentences
}

// atSteps writes 1,000 and 2,000 connections.
func atSteps(steps []int) string {
	texts := make([]string, len(steps))
	for i, n := range steps {
		texts[i] = group(float64(n))
	}
	if len(steps) == 1 {
		return connections(float64(steps[0]))
	}
	return enumerated(texts) + " connections"
}

// those returns the steps in which a figure that is judged became one of these.
func (c *SeriesComparison) those(status ...Status) (steps []int) {
	for _, s := range c.Steps {
		if len(s.those(func(f Change) bool { return f.Judged && slices.Contains(status, f.Status) })) > 0 {
			steps = append(steps, s.Connections)
		}
	}
	return steps
}

// verdict returns the sentence that a person would say of the comparison.
func (c *SeriesComparison) verdict() string {
	limit, limited := c.Limit.Value()
	var failing []int
	for _, s := range c.Steps {
		if s.Worse {
			failing = append(failing, s.Connections)
		}
	}
	worse, better := c.those(Worsened, Gone), c.those(Improved)
	var clauses []string
	switch {
	case len(failing) > 0:
		clauses = append(clauses, "B is worse by more than "+percentage(limit)+" at "+atSteps(failing))
	case len(worse) > 0 && limited:
		clauses = append(clauses, "B is worse, within the limit of "+percentage(limit)+", at "+atSteps(worse))
	case len(worse) > 0:
		clauses = append(clauses, "B is worse at "+atSteps(worse))
	}
	switch {
	case len(better) > 0 && len(clauses) > 0:
		clauses = append(clauses, "better at "+atSteps(better))
	case len(better) > 0:
		clauses = append(clauses, "B is better at "+atSteps(better))
	}
	if len(clauses) == 0 {
		clauses = append(clauses, "No change in the figures that are judged, at any of "+count(float64(len(c.Steps)), "step"))
	}
	if len(c.Missed) > 0 {
		clauses = append(clauses, "B did not come to "+atSteps(c.Missed))
	}
	return strings.Join(clauses, "; ") + "."
}

// Failure names the steps that are worse and why; "" if there are none.
func (c *SeriesComparison) Failure() string {
	if !c.Worse {
		return ""
	}
	var all []string
	for _, s := range c.Steps {
		if why := s.Failure(); why != "" {
			all = append(all, s.Title()+": "+why)
		}
	}
	if len(c.Missed) > 0 {
		all = append(all, "B did not come to "+atSteps(c.Missed))
	}
	return strings.Join(all, "; ")
}

// Notes say in a sentence each how far the comparison can be trusted, and which steps
// only one side has. What is true of all steps is said once.
func (c *SeriesComparison) Notes() (list []string) {
	for _, sentence := range c.apart() {
		list = append(list, "O"+strings.TrimPrefix(sentence, "o")+".")
	}
	said := make(map[string]bool)
	for _, s := range c.Steps {
		for _, note := range s.Notes {
			everywhere := !slices.ContainsFunc(c.Steps, func(other StepComparison) bool { return !slices.Contains(other.Notes, note) })
			switch {
			case !everywhere:
				list = append(list, s.Title()+": "+note)
			case !said[note]:
				list = append(list, note)
			}
			said[note] = true
		}
	}
	return list
}

// Differences returns those of all steps, each once.
func (c *SeriesComparison) Differences() (list []Difference) {
	for _, s := range c.Steps {
		for _, d := range s.Differences {
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	return list
}
