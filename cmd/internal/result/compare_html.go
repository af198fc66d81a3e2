package result

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
)

//go:embed compare.html.tmpl
var compareTemplateText string

var compareTemplate = template.Must(template.New("compare").Funcs(template.FuncMap{"given": given}).Parse(compareTemplateText))

// WriteHTML writes c as one page that needs no script and no network.
func (c *Comparison) WriteHTML(w io.Writer) error {
	page := struct {
		*Comparison
		Shown, Quiet []compareRow
	}{c, c.shown(), rowsOf(c.those(func(f Change) bool { return !f.Judged && f.Status == Same }))}
	if err := compareTemplate.Execute(w, page); err != nil {
		return fmt.Errorf("result: cannot write the comparison: %w", err)
	}
	return nil
}

// compareBar is the median of a side from zero, and the line from the least to the most
// of its repeats, in percent of the most on either side.
type compareBar struct {
	Side               string // a or b
	Y                  int
	Length, From, Span float64
}

// barsOf draws a figure: nothing where a value is below zero, or none is above.
func barsOf(f *Change) []compareBar {
	all := slices.Concat(f.A.Runs, f.B.Runs)
	if len(f.A.Runs) == 0 || len(f.B.Runs) == 0 || slices.Min(all) < 0 || slices.Max(all) == 0 {
		return nil
	}
	percent := func(x Figure) float64 { share, _ := x.Per(Of(slices.Max(all))).Value(); return 100 * share }
	bar := func(side string, y int, s Sample) compareBar {
		return compareBar{side, y, percent(s.Median), percent(s.Least), percent(s.Most.Minus(s.Least))}
	}
	return []compareBar{bar("a", 2, f.A), bar("b", 11, f.B)}
}
