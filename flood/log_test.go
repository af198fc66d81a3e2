package flood

import (
	"strings"
	"testing"
	"time"
)

// quick is a reconnect that does not keep a test waiting.
var quick = Reconnect{Min: time.Millisecond, Max: 5 * time.Millisecond, Jitter: FullJitter}

// TestLogLineOfReturns: attempts= is there from the first line on where connections come back.
func TestLogLineOfReturns(t *testing.T) {
	for _, c := range []struct {
		behavior Behavior
		want     string
	}{
		{Behavior{}, "connected=1 closed=2 chunks=3 p50_ms=- p99_ms=-"},
		{Behavior{HalfOpen: 1}, "connected=1 closed=2 chunks=3 p50_ms=- p99_ms=-"},
		{Behavior{Churn: 1}, "connected=1 closed=2 chunks=3 p50_ms=- p99_ms=- attempts=4"},
		{Behavior{Reconnect: quick}, "connected=1 closed=2 chunks=3 p50_ms=- p99_ms=- attempts=4"},
	} {
		o := &observer{config: &Config{Behavior: c.behavior}, counts: Counts{Connected: 1, Closed: 2, Chunks: 3, Reconnect: Reconnects{Attempts: 4}}}
		var words []string
		for _, f := range o.sample(time.Now(), false).LogLine().Fields {
			words = append(words, f.Key+"="+f.Value)
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
