package result

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Outcome is what became of a target.
type Outcome struct {
	// Expr is what had to hold, Key the key of its figure.
	Expr   string `json:"expr"`
	Key    string `json:"key"`
	Figure Figure `json:"figure"`
	// Held reports whether the target was met: never by a figure that was not
	// measured.
	Held bool `json:"held"`
	// By is how far the figure is from the target's value, in the figure's unit; null
	// if the target was met, or nothing was measured.
	By Figure `json:"by"`
}

// Outcomes are those of all targets: a list that is never null.
type Outcomes []Outcome

// MarshalJSON writes an empty list as such.
func (o Outcomes) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("[]"), nil
	}
	return Marshal([]Outcome(o), "")
}

// Check holds r against targets. A figure that was not measured meets none.
func Check(targets Targets, r *Result) Outcomes {
	var all Outcomes
	for _, t := range targets {
		m := t.metric()
		o := Outcome{Expr: t.String(), Key: m.Key, Figure: m.Of(r)}
		if figure, known := o.Figure.Value(); known {
			if o.Held = operators[t.op].meets(figure, t.value); !o.Held {
				o.By = Of(math.Abs(figure - t.value))
			}
		}
		all = append(all, o)
	}
	return all
}

// Missed returns those of targets that were not met.
func (o Outcomes) Missed() Outcomes {
	var missed Outcomes
	for _, one := range o {
		if !one.Held {
			missed = append(missed, one)
		}
	}
	return missed
}

// String returns how many targets were met, and which were not and by how much; "" if
// there were none.
func (o Outcomes) String() string {
	if len(o) == 0 {
		return ""
	}
	var missed []string
	for _, one := range o.Missed() {
		missed = append(missed, one.String())
	}
	text := fmt.Sprintf("%d of %s met", len(o)-len(missed), count(float64(len(o)), "target"))
	if len(missed) == 0 {
		return text
	}
	return text + ": " + strings.Join(missed, ", and ")
}

// String returns a clause: p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms.
func (o Outcome) String() string {
	t, err := o.target()
	if err != nil { // of a newer version
		return "the target " + oneLine(o.Expr) + map[bool]string{true: " was met", false: " was not met"}[o.Held]
	}
	figure, known := o.Figure.Value()
	was := t.name + " was " + t.text(o.Figure)
	by, _ := o.By.Value()
	against := operators[t.op].against
	switch {
	case !known:
		return t.name + " was not measured, which the target " + o.Expr + " needs"
	case o.Held:
		return was + ", as the target " + o.Expr + " asks"
	case t.op == "!=":
		return was + ", which the target " + o.Expr + " excludes"
	case by == 0:
		return was + ", not " + against + " the target " + o.Expr
	case figure > t.value:
		return was + ", " + o.distance(t) + " over the target " + o.Expr
	}
	return was + ", " + o.distance(t) + " under the target " + o.Expr
}

func (o Outcome) target() (t Target, err error) {
	err = t.UnmarshalText([]byte(o.Expr))
	return t, err
}

// distance returns by how much the target was missed: 31.0 ms (62 %).
func (o Outcome) distance(t Target) string {
	text := t.text(o.By)
	share, ok := o.By.Per(Of(t.value)).Value()
	switch {
	case !ok:
		return text
	case share < 0.01:
		return text + " (under 1 %)"
	}
	return text + " (" + group(math.Round(100*share)) + " %)"
}

// text writes a figure for a sentence about t.
func (t Target) text(f Figure) string { return joined(t.format(f)) }

// format writes a figure of t: bytes in thousands where t is written so, that the two
// compare.
func (t Target) format(f Figure) (number, in string) {
	unit := t.metric().Unit
	decimals := []string{"TB", "GB", "MB", "KB"}
	if _, word, _ := cutQuantity(t.asked); unit == UnitBytes && slices.Contains(decimals, word) {
		for _, word := range decimals {
			if n := f.value / float64(sizes[word]); math.Abs(n) >= 1 {
				return significant(n), word
			}
		}
	}
	return f.Format(unit)
}

// targetRows returns a row for each target: its figure, and how far off it is.
func (r *Result) targetRows() []Row {
	var rows []Row
	for _, o := range r.Targets {
		t, err := o.target()
		if err != nil { // of a newer version
			rows = append(rows, Row{Label: o.String()})
			continue
		}
		number, in := t.format(o.Figure)
		rows = append(rows, Row{o.Expr + ": " + o.state(t), number, in})
	}
	return rows
}

// state returns met, not met, or by how much a target was missed.
func (o Outcome) state(t Target) string {
	switch by, known := o.By.Value(); {
	case o.Held:
		return "met"
	case !known, by == 0, t.op == "!=":
		return "not met"
	}
	return "missed by " + o.distance(t)
}
