package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"example.org/comet/sysctl"
)

// table prints what was written, then a line for each limit, with two more
// under those that are short, and what was not judged.
func (r *sysctlReport) table(w io.Writer) error {
	var b strings.Builder
	r.changed(&b)
	fmt.Fprintf(&b, "%s\n\n", r.situation())
	rows := [][]string{{"", "setting", "now", "needed", "why"}}
	for _, l := range r.limits {
		state := "ok"
		if l.Short {
			state = "SHORT"
		}
		rows = append(rows, []string{state, l.Setting, l.Now, l.Needed, l.What})
	}
	for i, line := range columns(rows, 2, 3) {
		fmt.Fprintln(&b, line)
		if i == 0 || !r.limits[i-1].Short {
			continue
		}
		fmt.Fprintf(&b, "       why:  %s\n       fix:  %s\n", r.limits[i-1].Why, r.limits[i-1].Mend)
	}
	if len(r.remarks) > 0 {
		b.WriteString("\nNot judged:\n")
		for _, remark := range r.remarks {
			fmt.Fprintf(&b, "  %s\n", remark)
		}
	}
	if most, by := r.fits(); most >= 0 {
		fmt.Fprintf(&b, "\nAs it is, %s connections fit; what stops the next one: %s.\n", sysctl.Value(most), by)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// situation returns what was asked, defaults included.
func (r *sysctlReport) situation() string {
	n := r.need
	ends := map[sysctl.Role]string{
		sysctl.Server: "the server's end", sysctl.Client: "the clients' end", sysctl.Both: "both ends",
	}[n.Role]
	out := fmt.Sprintf("%s with %s on this machine, %s each", many(n.Connections, "connection", "connections"), ends,
		many(n.Processes, "process", "processes"))
	if n.Role != sysctl.Server {
		out += fmt.Sprintf(", from %s to %s", many(n.SourceAddresses, "source address", "source addresses"),
			many(n.Destinations, "destination", "destinations"))
	}
	if n.Role != sysctl.Both {
		out = strings.Replace(out, " each", "", 1)
	}
	return out
}

func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return sysctl.Value(n).String() + " " + more
}

// changed prints what --apply did.
func (r *sysctlReport) changed(w io.Writer) {
	switch {
	case !r.applied:
		return
	case len(r.changes) == 0 && len(r.short()) == 0:
		fmt.Fprint(w, "Nothing is short, so nothing was written.\n\n")
		return
	case len(r.changes) == 0:
		fmt.Fprint(w, "Nothing of what is short can be written at run time, so nothing was written.\n\n")
		return
	}
	rows := [][]string{{"", "setting", "before", "after"}}
	for _, c := range r.changes {
		state := "wrote"
		switch {
		case c.Err != nil:
			state = "REFUSED"
		case c.Before == c.After:
			state = "kept"
		}
		rows = append(rows, []string{state, c.Setting, cmp.Or(c.Before, "-"), cmp.Or(c.After, "-")})
	}
	for _, line := range columns(rows, -1, -1) {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)
}

// columns lines rows up, those from first to last on the right.
func columns(rows [][]string, first, last int) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i >= first && i <= last {
				cell = pad + cell
			} else {
				cell += pad
			}
			b.WriteString(cell + "  ")
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// fits returns how many connections the hard limits allow together, and the
// tightest of them; -1 where none bounds them.
func (r *sysctlReport) fits() (most int, by string) {
	most = math.MaxInt
	for _, l := range r.limits {
		if l.Hard && l.MaxConnections < most {
			most, by = l.MaxConnections, l.Setting
		}
	}
	if by == "" {
		return -1, ""
	}
	return most, by
}

// The JSON line of sysctl. Numbers that are unknown or no bound are null; an
// unlimited one is 2^63-1.
type (
	sysctlLimitJSON struct {
		Setting        string              `json:"setting"`
		Now            sysctl.Value        `json:"now"`
		Needed         sysctl.Value        `json:"needed"`
		Short          bool                `json:"short"`
		Hard           bool                `json:"hard"`
		MaxConnections *int                `json:"max_connections"`
		What           string              `json:"what"`
		Why            string              `json:"why"`
		Mend           string              `json:"mend"`
		Set            []sysctl.Assignment `json:"set"`
	}
	sysctlChangeJSON struct {
		Setting string `json:"setting"`
		Before  string `json:"before"`
		After   string `json:"after"`
		Error   string `json:"error,omitempty"`
	}
	sysctlJSON struct {
		Connections    int                `json:"connections"`
		Role           string             `json:"role"`
		Processes      int                `json:"processes"`
		Sources        int                `json:"sources"`
		Destinations   int                `json:"destinations"`
		Short          int                `json:"short"`
		MaxConnections *int               `json:"max_connections"`
		Limits         []sysctlLimitJSON  `json:"limits"`
		NotJudged      []string           `json:"not_judged"`
		Changes        []sysctlChangeJSON `json:"changes,omitempty"`
	}
)

func (r *sysctlReport) json(w io.Writer) error {
	out := sysctlJSON{
		Connections: r.need.Connections, Role: r.need.Role.String(), Processes: r.need.Processes,
		Sources: r.need.SourceAddresses, Destinations: r.need.Destinations,
		Short: len(r.short()), Limits: []sysctlLimitJSON{}, NotJudged: append([]string{}, r.remarks...),
	}
	if most, _ := r.fits(); most >= 0 {
		out.MaxConnections = &most
	}
	for _, l := range r.limits {
		limit := sysctlLimitJSON{
			Setting: l.Setting, Now: l.NowValue, Needed: l.NeededValue, Short: l.Short, Hard: l.Hard,
			What: l.What, Why: l.Why, Mend: l.Mend, Set: append([]sysctl.Assignment{}, l.Set...),
		}
		if l.MaxConnections < math.MaxInt {
			limit.MaxConnections = &l.MaxConnections
		}
		out.Limits = append(out.Limits, limit)
	}
	for _, c := range r.changes {
		change := sysctlChangeJSON{Setting: c.Setting, Before: c.Before, After: c.After}
		if c.Err != nil {
			change.Error = c.Err.Error()
		}
		out.Changes = append(out.Changes, change)
	}
	return jsonLine(w, "result", out)
}
