package result

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ProcessRows returns the parts one by one, below what heads the columns, if there are
// several servers, or agents.
func (r *Result) ProcessRows() (head []string, rows [][]string) {
	servers, _ := r.Processes.Servers.Value()
	onAgents := slices.ContainsFunc(r.Processes.List, func(p Process) bool { return p.Agent != "" })
	if servers < 2 && !onAgents {
		return nil, nil
	}
	head = []string{"process", "pid", "connections", "RSS idle", "PSS idle", "RSS end", "CPU connecting", "CPU messages"}
	for _, p := range r.Processes.List {
		name := fmt.Sprintf("%s %d", p.Role, p.Number)
		if p.Agent != "" {
			name += " on " + p.Agent
		}
		if p.Lost {
			name += " (lost)"
		}
		pid := NotMeasured
		if n, ok := p.PID.Value(); ok {
			pid = fmt.Sprintf("%.0f", n)
		}
		row := []string{name, pid}
		for _, c := range []struct {
			figure Figure
			unit   Unit
		}{
			{p.Connections, UnitCount},
			{p.RSSIdle, UnitBytes},
			{p.PSSIdle, UnitBytes},
			{p.RSSEnd, UnitBytes},
			{p.ConnectCPU, UnitSeconds},
			{p.MessagesCPU, UnitSeconds},
		} {
			row = append(row, c.figure.Text(c.unit))
		}
		rows = append(rows, row)
	}
	return head, rows
}

// processTable writes ProcessRows for a terminal.
func (r *Result) processTable() string {
	head, rows := r.ProcessRows()
	return inColumns(head, rows, "processes")
}

// mostRows is the longest list that a terminal gets; the report has all.
const mostRows = 12

// inColumns writes rows and their head in columns for a terminal, "" for none. What says
// what they are.
func inColumns(head []string, rows [][]string, what string) string {
	if len(rows) == 0 {
		return ""
	}
	if len(rows) > mostRows {
		return fmt.Sprintf("\n%d %s one by one: see the report.\n", len(rows), what)
	}
	widths := make([]int, len(head))
	rows = append([][]string{head}, rows...)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	b.WriteByte('\n')
	for _, row := range rows {
		fmt.Fprintf(&b, "%-*s", widths[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(&b, "  %*s", widths[i+1], cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
