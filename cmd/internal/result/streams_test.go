package result_test

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// TestErrors: a stream that completed is no error, nor is a connection that left on
// purpose; one that was lost is, even if it came back.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*result.Result)
		want   string // as JSON has it
	}{
		{"nothing is known", func(r *result.Result) { *r = result.Result{} }, "null"},
		{"all is well", func(*result.Result) {}, "0"},
		{"failed", func(r *result.Result) { r.Connections.Failed = result.Of(3) }, "3"},
		{"closed", func(r *result.Result) { r.Connections.Closed, r.Streams.EndedEarly = result.Of(3), result.Of(3) }, "3"},
		{"closed, of a version without streams", func(r *result.Result) { r.Connections.Closed, r.Streams = result.Of(3), result.Streams{} }, "3"},
		{"completed", func(r *result.Result) { r.Connections.Closed, r.Streams.Completed = result.Of(3), result.Of(3) }, "0"},
		{"completed, and some came back", func(r *result.Result) { r.Connections.Closed, r.Streams.Completed = result.Of(1), result.Of(3) }, "0"},
		{"lost and came back", func(r *result.Result) { r.Streams.EndedEarly = result.Of(5) }, "5"},
		{"left on purpose, and away at the end", func(r *result.Result) { r.Connections.Closed, r.Reconnect.Left = result.Of(4), result.Of(9) }, "0"},
		{"refused messages", func(r *result.Result) { r.Messages.Sent, r.Messages.Refused = result.Of(9), result.Of(2) }, "2"},
		{"refused is unknown", func(r *result.Result) { r.Messages.Sent = result.Of(9) }, "null"},
	} {
		r := &result.Result{}
		r.Connections.Failed, r.Connections.Closed = result.Of(0), result.Of(0)
		r.Streams = result.Streams{Completed: result.Of(0), EndedEarly: result.Of(0)}
		c.change(r)
		if got, err := r.Errors().MarshalJSON(); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// TestRowsOfStreams: their times have rows where streams ended by themselves, and
// what came back where anything was to.
func TestRowsOfStreams(t *testing.T) {
	table := func(change func(*result.Result)) string {
		r := &result.Result{}
		r.Connections.Established = result.Of(10)
		r.Streams = result.Streams{Completed: result.Of(0), EndedEarly: result.Of(0)}
		r.StreamTimes.FirstMessage.P50 = result.Of(12.5)
		change(r)
		var b strings.Builder
		if err := r.Table(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := table(func(*result.Result) {}); strings.Contains(got, "Streams that ended") || strings.Contains(got, "came back") {
		t.Errorf("nothing ended, and it says\n%s", got)
	}
	got := table(func(r *result.Result) { r.Streams.Completed = result.Of(7) })
	for _, want := range []string{"Streams that ended", "completed", "to the first message, p50", "12.5 ms"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	got = table(func(r *result.Result) {
		r.Reconnect.Dropped, r.Reconnect.Returned, r.Reconnect.SecondsToP99 = result.Of(5), result.Of(4), result.Of(3)
		r.Messages.MissedOffline = result.Of(2)
		r.Messages.Sent = result.Of(9)
	})
	for _, want := range []string{"Connections that came back", "returned", "time to return p99", "3.00 s", "missed while away"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
