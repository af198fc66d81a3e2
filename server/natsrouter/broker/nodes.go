//go:build !nonats

package broker

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"example.org/comet/server/natsrouter"
	"example.org/comet/server/router"
)

const (
	// awayAfter is the silence after which a node counts as away: three missed
	// reports, and half an interval for the way.
	awayAfter = 3*natsrouter.ReportInterval + natsrouter.ReportInterval/2
	// forgetAfter is how long a node that is away stays listed.
	forgetAfter = 10 * time.Minute
	// maxNodes is how many are listed: anybody who is let in may report anything.
	maxNodes = 10_000
	// maxReport is the longest report that is read, in bytes.
	maxReport = 4 << 10
)

// nodeTable is what the nodes reported. Its zero value is ready.
type nodeTable struct {
	mu    sync.Mutex
	nodes map[string]nodeState
}

type nodeState struct {
	row NodeRow
	at  time.Time
}

// heardReport is what is read of a node's report. That of another version may
// have more or less.
type heardReport struct {
	NodeRow
	router.Drops
	DroppedSlowConsumer uint64 `json:"dropped_slow_consumer"`
	Gone                bool   `json:"gone"` // it is the last one
}

// take reads a report, and ignores what is not one.
func (t *nodeTable) take(text []byte, now time.Time) {
	var report heardReport
	if len(text) > maxReport || json.Unmarshal(text, &report) != nil || report.Name == "" {
		return
	}
	report.NodeRow.Dropped += report.Drops.Dropped() + report.DroppedSlowConsumer
	t.mu.Lock()
	defer t.mu.Unlock()
	if report.Gone {
		delete(t.nodes, report.Name)
		return
	}
	if t.nodes == nil {
		t.nodes = make(map[string]nodeState)
	}
	if _, known := t.nodes[report.Name]; known || len(t.nodes) < maxNodes {
		t.nodes[report.Name] = nodeState{row: report.NodeRow, at: now}
	}
}

// rows returns the nodes by name, and forgets those that have been away for long.
func (t *nodeTable) rows(now time.Time) []NodeRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := make([]NodeRow, 0, len(t.nodes))
	for name, node := range t.nodes {
		age := now.Sub(node.at)
		if age > forgetAfter {
			delete(t.nodes, name)
			continue
		}
		row := node.row
		row.Address, row.AgeSeconds, row.Away = "", age.Seconds(), age > awayAfter
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b NodeRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}
