package result

import (
	"fmt"
	"io"
	"strings"
)

// Table writes c for a terminal: the verdict, each step with the figures that are judged
// and those that changed, what else differs, and the notes.
func (c *SeriesComparison) Table(w io.Writer) error {
	var b strings.Builder
	b.WriteString(filled(c.Verdict, "", "") + "\n")
	b.WriteString(filled(oneLine(c.A), "A  ", "   ") + filled(oneLine(c.B), "B  ", "   "))
	for _, s := range c.Steps {
		b.WriteString("\n" + filled(s.Title()+": "+s.A.runs()+" and "+s.B.runs()+". "+s.Verdict, "", ""))
		writeRows(&b, s.Shown())
	}
	writeDifferences(&b, c.Differences())
	writeNotes(&b, c.Notes())
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes c for a comment on a change.
func (c *SeriesComparison) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n- A: %s\n- B: %s\n", inMarkdown(c.Verdict), inMarkdown(c.A), inMarkdown(c.B))
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "\n**%s**: %s\n", inMarkdown(s.Title()), inMarkdown(s.Verdict))
		markdownRows(&b, s.Shown())
	}
	markdownDifferences(&b, c.Differences())
	markdownNotes(&b, c.Notes())
	_, err := io.WriteString(w, b.String())
	return err
}
