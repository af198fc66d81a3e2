package capacity

import (
	"strings"

	"example.org/comet/cmd/internal/result"
)

// targets returns what a step must meet: what is stated, or that nothing fails and, with
// messages, that none is lost.
func (c Config) targets() result.Targets {
	if len(c.Bench.Targets) > 0 {
		return c.Bench.Targets
	}
	texts := []string{"errors=0"}
	if c.Bench.Rate != 0 {
		texts = append(texts, "loss=0")
	}
	targets := make(result.Targets, len(texts))
	for i, text := range texts {
		if err := targets[i].UnmarshalText([]byte(text)); err != nil {
			panic(err) // a figure that the catalogue lost: every test fails
		}
	}
	return targets
}

// missed returns which targets a result does not meet, a clause each: errors 469; p99
// 81.0 ms, not p99<50ms. A figure that was not measured meets none.
func missed(targets result.Targets, r *result.Result) (clauses []string) {
	for _, o := range result.Check(targets, r).Missed() {
		name, m := o.Expr[:strings.IndexAny(o.Expr, "<>=!")], metric(o.Key)
		switch _, known := o.Figure.Value(); {
		case !known:
			clauses = append(clauses, name+" was not measured")
		case strings.HasSuffix(o.Expr, "=0") && !strings.ContainsAny(o.Expr, "<>!"):
			clauses = append(clauses, name+" "+o.Figure.Text(m.Unit))
		default:
			clauses = append(clauses, name+" "+o.Figure.Text(m.Unit)+", not "+o.Expr)
		}
	}
	return clauses
}

func metric(key string) result.Metric {
	m, _ := result.Lookup(key)
	return m
}
