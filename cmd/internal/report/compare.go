package report

import (
	"fmt"
	"io"
	"slices"

	"example.org/comet/cmd/internal/result"
)

var (
	compareTemplate       = parsed("compare.html.tmpl")
	compareSeriesTemplate = parsed("compare_series.html.tmpl", "compare.html.tmpl")
)

// WriteComparison writes c as one page that needs no script and no network.
func WriteComparison(w io.Writer, c *result.Comparison) error {
	if err := compareTemplate.Execute(w, c); err != nil {
		return fmt.Errorf("report: cannot write the comparison: %w", err)
	}
	return nil
}

// WriteSeriesComparison writes c as such a page.
func WriteSeriesComparison(w io.Writer, c *result.SeriesComparison) error {
	if err := compareSeriesTemplate.Execute(w, c); err != nil {
		return fmt.Errorf("report: cannot write the comparison: %w", err)
	}
	return nil
}

// bar is the median of a side from zero, and the line from the least to the most
// of its repeats, in percent of the most on either side.
type bar struct {
	Side               string // a or b
	Y                  int
	Length, From, Span float64
}

// barsOf draws a change: nothing where a value is below zero, or none is above.
func barsOf(f *result.Change) []bar {
	all := slices.Concat(f.A.Runs, f.B.Runs)
	if len(f.A.Runs) == 0 || len(f.B.Runs) == 0 || slices.Min(all) < 0 || slices.Max(all) == 0 {
		return nil
	}
	percent := func(x result.Figure) float64 {
		share, _ := x.Per(result.Of(slices.Max(all))).Value()
		return 100 * share
	}
	of := func(side string, y int, s result.Sample) bar {
		return bar{side, y, percent(s.Median), percent(s.Least), percent(s.Most.Minus(s.Least))}
	}
	return []bar{of("a", 2, f.A), of("b", 11, f.B)}
}
