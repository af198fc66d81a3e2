package cli

import (
	"fmt"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
)

// title returns what is measured.
func (o *benchOptions) title() string {
	cfg := &o.Config
	title := "comet bench: " + count(cfg.Connections) + " connections"
	if n := len(cfg.Steps); n > 0 {
		title += " and more, in " + count(n) + " steps"
	}
	switch {
	case cfg.Rate.Unpaced():
		title += ", as many messages as possible"
	case cfg.Rate > 0:
		title += ", " + result.Of(float64(cfg.Rate)).Text(result.UnitCount) + " messages per second"
	}
	if t := cfg.Target; t != nil && t.URL != "" {
		title += ", " + serverOf(t.URL)
	}
	return title
}

// benchVerdict returns what came of an experiment, in a sentence or two.
func benchVerdict(o *bench.Outcome, err error) string {
	verdict := ""
	switch {
	case o.Scale != nil:
		verdict = fmt.Sprintf("%s steps are done.", count(len(o.Scale.Steps)))
	case o.Result != nil:
		verdict = o.Result.Verdict
	}
	return withReason(verdict, err)
}
