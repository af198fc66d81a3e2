//go:build !nonats

package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/natsrouter"
)

func TestNodeTable(t *testing.T) {
	var table nodeTable
	start := time.Unix(1_225_297_800, 0)
	table.take([]byte(`{"name":"b","connections":2,"ready":true}`), start)
	table.take([]byte(`{"name":"a","connections":1}`), start)
	for _, none := range []string{"", "{}", "[]", `{"name":""}`, `{"name":5}`, `{"name":"long","interest":"` + strings.Repeat("x", maxReport) + `"}`} {
		table.take([]byte(none), start)
	}
	for _, c := range []struct {
		after  time.Duration
		report string
		want   string
	}{
		{0, "", "a:1 b:2"},
		{3 * natsrouter.ReportInterval, "", "a:1 b:2"}, // the third may be on its way
		{4 * natsrouter.ReportInterval, `{"name":"a","connections":3}`, "a:3 b:2 away"},
		{5 * natsrouter.ReportInterval, `{"name":"b","connections":4}`, "a:3 b:4"},
		{6 * natsrouter.ReportInterval, `{"name":"a","gone":true}`, "b:4"},
		{6 * natsrouter.ReportInterval, `{"name":"nobody","gone":true}`, "b:4"},
		{4*natsrouter.ReportInterval + forgetAfter, "", "b:4 away"},
		{6*natsrouter.ReportInterval + forgetAfter, "", ""},
	} {
		now := start.Add(c.after)
		table.take([]byte(c.report), now)
		var got []string
		for _, row := range table.rows(now) {
			text := fmt.Sprintf("%s:%d", row.Name, row.Connections)
			if row.Away {
				text += " away"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("after %v: %q, want %q", c.after, text, c.want)
		}
	}
}

// TestNodeRow: what is dropped is told in parts, and what a node cannot know of
// itself is not taken from it.
func TestNodeRow(t *testing.T) {
	var table nodeTable
	now := time.Now()
	table.take([]byte(`{"name":"n","pid":7,"interest":"exact","prefix":"comet.msg","subscriptions":3,"ready":true,
		"connections":4,"logins":5,"routed":6,"dropped_closed":1,"dropped_slow":2,"dropped_overrun":4,"dropped_slow_consumer":8,
		"unaddressed":9,"received":10,"address":"203.0.113.1:1","away":true,"age_seconds":99}`), now)
	want := NodeRow{
		Name: "n", PID: 7, Connections: 4, Logins: 5, Interest: "exact", Prefix: "comet.msg", Subscriptions: 3,
		Ready: true, Routed: 6, Unaddressed: 9, Dropped: 15, AgeSeconds: 1,
	}
	if rows := table.rows(now.Add(time.Second)); len(rows) != 1 || rows[0] != want {
		t.Errorf("%+v, want %+v", rows, want)
	}
}

// TestNodeTableFull: whoever is let in and reports under ever new names does
// not fill the memory, and the nodes that are known stay.
func TestNodeTableFull(t *testing.T) {
	var table nodeTable
	now := time.Now()
	for i := range maxNodes + 10 {
		table.take(fmt.Appendf(nil, `{"name":"n%d"}`, i), now)
	}
	table.take([]byte(`{"name":"n0","connections":1}`), now)
	rows := table.rows(now)
	if len(rows) != maxNodes || rows[0].Name != "n0" || rows[0].Connections != 1 {
		t.Errorf("%d rows, the first %+v", len(rows), rows[0])
	}
}

// FuzzNodeReport: anybody who is let in may report anything.
func FuzzNodeReport(f *testing.F) {
	f.Add([]byte(`{"name":"a","connections":1,"ready":true,"gone":false}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var table nodeTable
		now := time.Now()
		table.take(text, now)
		if rows := table.rows(now); len(rows) > 1 || len(rows) == 1 && (rows[0].Name == "" || rows[0].Away) {
			t.Errorf("%q makes %+v", text, rows)
		}
	})
}
