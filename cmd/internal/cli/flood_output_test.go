package cli

import (
	"bytes"
	"strings"
	"testing"

	"example.org/comet/flood"
)

// TestFloodSaysWhatBecameOfStreams, where there is something to say.
func TestFloodSaysWhatBecameOfStreams(t *testing.T) {
	q := &flood.Quantiles{Count: 2, P50: 1, P90: 2, P99: 3, Max: 4}
	for _, c := range []struct {
		name string
		r    flood.Result
		want []string
	}{
		{"held", flood.Result{Counts: flood.Counts{Asked: 2, Connected: 2}, FirstMessage: q}, nil},
		{"completed", flood.Result{Counts: flood.Counts{Asked: 2, Closed: 2, Completed: 2, CompletedMessages: 7}, FirstMessage: q, Stream: q}, []string{
			"completed 2 streams with 7 messages", "first message: p50 1", "whole stream: p50 1",
		}},
		{"came back", flood.Result{Counts: flood.Counts{Asked: 2, Connected: 2, Reconnect: flood.Reconnects{Lost: 3, Left: 4, Attempts: 9, Failed: 2, Back: 7, MissedOffline: 5}}, Offline: q}, []string{
			"reconnects: 3 lost, 4 left; 9 attempts, 2 of them failed; 7 came back, and missed 5 messages", "offline: p50 1",
		}},
	} {
		var out bytes.Buffer
		o := &floodOutput{env: &Env{Stdout: &out}}
		if err := o.result(c.r, nil, false); err != nil {
			t.Fatal(err)
		}
		all := []string{"completed", "first message", "whole stream", "reconnects", "offline"}
		for _, line := range c.want {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s: %q is not in\n%s", c.name, line, out.String())
			}
		}
		said := 0
		for _, word := range all {
			said += strings.Count(out.String(), "\n"+word)
		}
		if said != len(c.want) {
			t.Errorf("%s: want %d lines of streams in\n%s", c.name, len(c.want), out.String())
		}
	}
}
