package result

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Title returns a line about what was measured.
func (r *Result) Title() string {
	title := "Connections"
	if n, ok := r.Connections.Asked.Value(); ok {
		title = connections(n)
	}
	if _, ok := r.Messages.AskedPerSecond.Value(); ok {
		title += ", " + askedRate(r.Messages, r.Settings)
	} else if r.Service != nil {
		title += ", as many messages as possible"
	}
	switch {
	case r.Processes.Engine != "":
		title += ", " + r.Processes.Engine + " engine"
	case r.Processes.Target != "":
		title += ", " + oneLine(r.Processes.Target)
	}
	return title
}

// verdict returns the sentence that a person would say of the run, and of its
// targets.
func (r *Result) verdict() string {
	if targets := r.Targets.String(); targets != "" {
		return strings.TrimSuffix(r.Course(), ".") + "; " + targets + "."
	}
	return r.Course()
}

// Course returns what came of the run in a sentence.
func (r *Result) Course() string {
	clauses := []string{r.held()}
	if clauses[0] == "" {
		if r.Interrupted {
			return "Nothing was measured" + r.reason() + "."
		}
		return "Nothing was measured."
	}
	if messages := r.flow(); messages != "" {
		clauses = append(clauses, messages)
	}
	sentence := strings.Join(clauses, ", ")
	established, _ := r.Connections.Established.Value()
	var parts []string
	for _, limit := range r.LimitedBy {
		if part := oneLine(limit.Part); !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	switch {
	case r.Interrupted && established == 0:
		return sentence + r.reason() + "."
	case r.Interrupted:
		return "Stopped early" + r.reason() + "; until then it h" + sentence[1:] + "."
	case len(r.Suspended) > 0:
		return sentence + "; it was suspended meanwhile."
	case len(parts) > 0:
		return sentence + "; limited by " + strings.Join(parts, " and by ") + "."
	case established == 0:
		return sentence + "."
	}
	return sentence + "; nothing limited it."
}

// reason returns what ended the run early, behind a colon and without a full stop;
// "" if that was told.
func (r *Result) reason() string {
	if r.told {
		return ""
	}
	return ": " + strings.TrimRight(oneLine(cmp.Or(r.InterruptedBy, "it was interrupted")), ". ")
}

// Without returns r for who was told why already: without what that says again.
func (r *Result) Without(why string) *Result {
	c, why := *r, oneLine(why)
	said := func(text string) bool { return strings.Contains(why, oneLine(text)) }
	c.told = said(r.InterruptedBy)
	c.Processes.Lost = slices.DeleteFunc(slices.Clone(r.Processes.Lost), said)
	c.LimitedBy = slices.DeleteFunc(slices.Clone(r.LimitedBy), func(l Limit) bool { return said(l.Evidence) })
	return &c
}

// Nothing reports whether nothing was measured.
func (r *Result) Nothing() bool { return r.held() == "" }

// held returns the clause about connections; "" if none was opened.
func (r *Result) held() string {
	established, ok := r.Connections.Established.Value()
	if !ok {
		return ""
	}
	asked, ok := r.Connections.Asked.Value()
	if established == 0 && asked > 0 {
		return "Held none of " + connections(asked)
	}
	clause := "Held " + connections(established)
	if ok && asked > established {
		clause = "Held " + group(established) + " of " + connections(asked)
	}
	if each, ok := r.Memory.BytesPerConnection.Value(); ok && r.ResolvesMemory() {
		clause += " at " + size(each)
		if established != 1 {
			clause += " each"
		}
		if kernel, ok := r.Memory.KernelBytesPerConnection.Value(); ok && r.ResolvesKernel() {
			clause += " (and " + size(kernel) + " in the kernel)"
		}
	}
	if closed, _ := r.Connections.Closed.Value(); closed > 0 {
		clause += ", " + group(closed) + " of them closed early"
	}
	return clause
}

// Deliveries returns how many connections a message is for, which is less than 1 where
// few of the followers of a publisher are connected; 1 where each id has one connection.
func (r *Result) Deliveries() float64 {
	each, ok := r.Messages.Expected.Per(r.Messages.Sent).Value()
	if _, fans := r.FanOut.First.Value(); ok && (fans || each > 1) {
		return each
	}
	return 1
}

// flow returns the clause about messages; "" if there were none.
func (r *Result) flow() string {
	m := r.Messages
	delivered, ok := m.Delivered.Value()
	if !ok {
		return ""
	}
	sent, known := m.Sent.Value()
	if delivered == 0 && known {
		return fmt.Sprintf("delivered none of %s messages", group(sent))
	}
	clause := "delivered " + count(delivered, "message")
	if _, ok := m.DeliveredPerSecond.Value(); ok {
		clause = "delivered " + rate(m.DeliveredPerSecond)
		// A run's first and last second are not whole ones: 3 % less is normal.
		asked := m.AskedPerSecond.Times(r.Deliveries())
		if share, ok := m.DeliveredPerSecond.Per(asked).Value(); ok && share < 0.97 {
			number, _ := m.DeliveredPerSecond.Format(UnitPerSecond)
			clause = "delivered " + number + " of " + rate(asked)
		}
	}
	p99, kind := r.Latency.P99, "p99"
	if r.Service != nil {
		p99, kind = r.Service.P99, "service time p99"
	}
	if _, ok := p99.Value(); ok {
		clause += " with " + kind + " " + p99.Text(UnitMillis)
	}
	if missing, _ := m.Missing.Value(); missing > 0 {
		if expected, ok := m.Expected.Value(); ok {
			sent = expected
		}
		clause += fmt.Sprintf(", %s of %s missing", group(missing), group(sent))
	}
	return clause
}

// caveats say in sentences how far the figures can be trusted.
func (r *Result) caveats() []string {
	var sentences []string
	for _, s := range r.Suspended {
		sentences = append(sentences, s.String())
	}
	for _, lost := range r.Processes.Lost {
		sentences = append(sentences, "Lost on the way: "+oneLine(lost))
	}
	for _, fault := range r.Messages.Faults {
		sentences = append(sentences, "The account of messages does not add up: "+oneLine(fault))
	}
	for _, note := range r.Notes {
		sentences = append(sentences, oneLine(note))
	}
	for _, limit := range r.LimitedBy {
		sentences = append(sentences, oneLine(limit.String()))
	}
	return sentences
}

// size writes what a connection costs for a sentence: 67 bytes, 24.4 KiB.
func size(bytes float64) string {
	number, in := Of(bytes).Format(UnitBytes)
	if in == "B" {
		in = "bytes"
	}
	return number + " " + in
}

// askedRate writes what was asked for: 1,000 messages/s, or events where subscriptions say
// whom they are for.
func askedRate(m Messages, settings map[string]any) string {
	if settings["subscriptions"] == nil {
		return rate(m.AskedPerSecond)
	}
	number, _ := m.AskedPerSecond.Format(UnitPerSecond)
	return number + " events/s"
}

// rate writes 1,000 messages/s.
func rate(f Figure) string {
	number, _ := f.Format(UnitPerSecond)
	return number + " messages/s"
}

func connections(n float64) string { return count(n, "connection") }

// count writes a number of things: 1 message, 15,000 messages.
func count(n float64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return group(n) + " " + thing
}

// oneLine joins the lines of a text, such as that of several errors, and blanks
// what a terminal would obey: a part may quote what a peer said.
func oneLine(text string) string {
	lines := strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(c rune) bool { return c == '\n' || c == '\r' })
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return ' '
		}
		return c
	}, strings.Join(lines, "; "))
}
