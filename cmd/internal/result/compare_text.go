package result

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ChangeRow is a change, ready to be read.
type ChangeRow struct {
	Section, Label             string
	A, B, Change, Spread, Mark string
	// SpanA and SpanB are from the least to the most of several repeats.
	SpanA, SpanB string
	Fails        bool
	// Of is what was written.
	Of *Change
}

// Shown returns the figures that are judged, and those that changed.
func (c *Comparison) Shown() []ChangeRow {
	return rowsOf(c.those(func(f Change) bool { return f.Judged || f.Status != Same }))
}

// Quiet returns the figures that are not judged, and did not change.
func (c *Comparison) Quiet() []ChangeRow {
	return rowsOf(c.those(func(f Change) bool { return !f.Judged && f.Status == Same }))
}

func rowsOf(figures []Change) []ChangeRow {
	rows := make([]ChangeRow, 0, len(figures))
	for _, title := range sectionTitles {
		for _, f := range figures {
			if f.metric.Section == title {
				rows = append(rows, f.row())
			}
		}
	}
	return rows
}

// row writes a figure.
func (f *Change) row() ChangeRow {
	unit := f.metric.Unit
	r := ChangeRow{
		Section: f.metric.Section, Label: f.metric.Label, Fails: f.Fails, Change: f.by(), Of: f,
		A: f.A.Median.Text(unit), B: f.B.Median.Text(unit), SpanA: f.A.span(unit), SpanB: f.B.span(unit),
	}
	switch f.Status {
	case Appeared, Gone, Unknown:
		r.Change, r.Spread, r.Mark = NotMeasured, NotMeasured, string(f.Status)
		return r
	case Same:
	default:
		r.Mark = string(f.Status)
	}
	r.Spread = f.spread()
	return r
}

// spread writes the spread as a share of A, where there is one.
func (f *Change) spread() string {
	half, ok := f.Spread.Value()
	a, _ := f.A.Median.Value()
	const most = 9.99 // beyond that the digits say nothing
	switch {
	case !ok:
		return NotMeasured
	case a <= 0:
		return "±" + f.Spread.Text(f.metric.Unit)
	case half/a > most:
		return "over ±" + percentage(most)
	}
	return "±" + percentage(half/a)
}

// span writes the least and the most of several repeats, if they differ.
func (s *Sample) span(unit Unit) string {
	least, most := s.Least.Text(unit), s.Most.Text(unit)
	if least == most {
		return ""
	}
	return least + " to " + most
}

// String returns what a side is, in a line.
func (s Side) String() string {
	text := oneLine(s.Name) + ": " + oneLine(s.Title) + "; " + s.runs()
	if s.Time != "" {
		text += ", " + oneLine(s.Time)
	}
	return text
}

func (s Side) runs() string { return count(float64(s.Runs), "run") }

// Table writes c for a terminal: the verdict, what was compared, the figures that are
// judged and those that changed, what else differs, and the notes.
func (c *Comparison) Table(w io.Writer) error {
	var b strings.Builder
	b.WriteString(filled(c.Verdict, "", "") + "\n")
	b.WriteString(filled(c.A.String(), "A  ", "   ") + filled(c.B.String(), "B  ", "   "))
	writeRows(&b, c.Shown())
	writeDifferences(&b, c.Differences)
	writeNotes(&b, c.Notes)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeDifferences(b *strings.Builder, all []Difference) {
	if len(all) > 0 {
		b.WriteString("\nWhat else differs\n")
	}
	for _, d := range all {
		fmt.Fprintf(b, "  %s\n    A  %s\n    B  %s\n", oneLine(d.Name), Setting(d.A), Setting(d.B))
	}
}

func writeNotes(b *strings.Builder, all []string) {
	if len(all) > 0 {
		b.WriteString("\n")
	}
	for _, note := range all {
		b.WriteString(filled(note, "", ""))
	}
}

// Setting writes a setting, or that there is none.
func Setting(text string) string { return cmp.Or(oneLine(text), "not given") }

// writeRows writes the figures in columns, under the titles of their sections. A label
// that is too long has a line of its own.
func writeRows(b *strings.Builder, rows []ChangeRow) {
	if len(rows) == 0 {
		return
	}
	cells := func(r ChangeRow) []string { return []string{r.A, r.B, r.Change, r.Spread} }
	head := ChangeRow{A: "A", B: "B", Change: "change", Spread: "spread"}
	widths, labels := make([]int, len(cells(head))), 0
	for _, r := range append(rows, head) {
		labels = max(labels, min(utf8.RuneCountInString(r.Label), longestLabel))
		for i, cell := range cells(r) {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(r ChangeRow) {
		if utf8.RuneCountInString(r.Label) > labels {
			b.WriteString("  " + r.Label + "\n")
			r.Label = ""
		}
		text := []string{"  " + fmt.Sprintf("%-*s", labels, r.Label)}
		for i, cell := range cells(r) {
			text = append(text, fmt.Sprintf("%*s", widths[i], cell))
		}
		b.WriteString(strings.TrimRight(strings.Join(append(text, r.Mark), "  "), " ") + "\n")
	}
	b.WriteString("\n")
	line(head)
	section := ""
	for _, r := range rows {
		if r.Section != section {
			section = r.Section
			b.WriteString(section + "\n")
		}
		line(r)
	}
}

// compareWidth is how many columns a comparison takes; longestLabel leaves enough of
// them to the figures.
const (
	compareWidth = 80
	longestLabel = 24
)

// filled breaks a text between words, so that no line is too long unless a single word
// is. The first line begins with first, the others with rest.
func filled(text, first, rest string) string {
	var b strings.Builder
	line := first
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > compareWidth {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	return b.String() + line + "\n"
}

// Markdown writes c for a comment on a change.
func (c *Comparison) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n- A: %s\n- B: %s\n", inMarkdown(c.Verdict), inMarkdown(c.A.String()), inMarkdown(c.B.String()))
	markdownRows(&b, c.Shown())
	markdownDifferences(&b, c.Differences)
	markdownNotes(&b, c.Notes)
	_, err := io.WriteString(w, b.String())
	return err
}

func markdownRows(b *strings.Builder, rows []ChangeRow) {
	if len(rows) > 0 {
		b.WriteString("\n| | A | B | change | spread | |\n|---|--:|--:|--:|--:|---|\n")
	}
	for _, r := range rows {
		fmt.Fprintf(b, "| %s: %s | %s | %s | %s | %s | %s |\n", r.Section, r.Label, r.A, r.B, r.Change, r.Spread, r.Mark)
	}
}

func markdownDifferences(b *strings.Builder, all []Difference) {
	if len(all) > 0 {
		b.WriteString("\n| what else differs | A | B |\n|---|---|---|\n")
	}
	for _, d := range all {
		fmt.Fprintf(b, "| %s | %s | %s |\n", inMarkdown(d.Name), inMarkdown(Setting(d.A)), inMarkdown(Setting(d.B)))
	}
}

func markdownNotes(b *strings.Builder, all []string) {
	if len(all) > 0 {
		b.WriteString("\n")
	}
	for _, note := range all {
		b.WriteString("- " + inMarkdown(note) + "\n")
	}
}

// inMarkdown writes a text so that nothing in it is taken for markup or for the end of
// a cell.
func inMarkdown(text string) string {
	var b strings.Builder
	for _, c := range oneLine(text) {
		if strings.ContainsRune("\\`*_[]<>#|~", c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
