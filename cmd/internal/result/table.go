package result

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table writes r for a terminal: what was measured, the verdict in a sentence,
// what limits the figures, then a figure a line, aligned, with its unit, and a
// dash for what was not measured. Of a run in which nothing was measured it
// writes the reason alone.
func (r *Result) Table(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.Title() + "\n\n" + r.verdict() + "\n")
	for _, sentence := range r.Doubts() {
		b.WriteString(sentence + "\n")
	}
	sections := r.Sections()
	labels, numbers := 0, 0
	for _, section := range sections {
		for _, row := range section.Rows {
			labels = max(labels, utf8.RuneCountInString(row.Label))
			numbers = max(numbers, utf8.RuneCountInString(row.Number))
		}
	}
	for _, section := range sections {
		fmt.Fprintf(&b, "\n%s\n", section.Title)
		for _, row := range section.Rows {
			line := fmt.Sprintf("  %-*s  %*s %s", labels, row.Label, numbers, row.Number, row.Unit)
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	b.WriteString(r.processTable())
	_, err := io.WriteString(w, b.String())
	return err
}
