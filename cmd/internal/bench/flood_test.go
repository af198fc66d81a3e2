package bench

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/server/wire"
)

// known returns the keys of the figures that r has.
func known(r *result.Result) (keys []string) {
	for _, m := range result.Catalogue() {
		if _, ok := m.Of(r).Value(); ok {
			keys = append(keys, m.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

func sorted(words string) []string { return slices.Sorted(strings.FieldsSeq(words)) }

// TestFloodResult: a flood by itself knows of its connections and of what came, and
// nothing of what was sent or of the server.
func TestFloodResult(t *testing.T) {
	held := flood.Result{Counts: flood.Counts{Asked: 10, Connected: 7, Closed: 2, Failed: 1}, ConnectSeconds: 0.5, FirstByte: latencies(1)}
	held.Reconnect.Lost = 2
	const connecting = `connections.asked connections.established connections.failed connections.closed errors streams.completed streams.ended_early
		connect.seconds connect.per_second connect.latency_ms.p50 connect.latency_ms.p90 connect.latency_ms.p99 connect.latency_ms.max processes.floods`
	got := FloodResult(new(flood.Config), held)
	if keys := known(got); !slices.Equal(keys, sorted(connecting)) {
		t.Errorf("without messages it knows %q", keys)
	}
	for key, want := range map[string]float64{"errors": 3, "connections.established": 9, "connections.closed": 2, "connect.per_second": 18, "connect.latency_ms.p99": 3} {
		m, _ := result.Lookup(key)
		if value, _ := m.Of(got).Value(); value != want {
			t.Errorf("%s is %v, want %v", key, value, want)
		}
	}

	told := held
	told.Stamped, told.Delivered, told.Duplicated, told.Reordered, told.Replayed, told.Missing = 103, 100, 3, 2, 5, 7
	told.MessageSeconds, told.Latency, told.FirstMessage, told.Gap, told.Stream, told.Offline = 20, latencies(1.5), latencies(1), latencies(1), latencies(1), latencies(1000)
	told.Reconnect.Left, told.Reconnect.Back, told.Reconnect.Attempts, told.Reconnect.MissedOffline = 1, 3, 4, 6
	const messages = ` messages.delivered messages.delivered_per_second messages.duplicated messages.reordered
		latency_ms.p50 latency_ms.p90 latency_ms.p99 latency_ms.p999 latency_ms.max latency_ms.clock_error_ms latency_ms.before_due
		stream_ms.first_message.p50 stream_ms.first_message.p90 stream_ms.first_message.p99 stream_ms.first_message.max
		stream_ms.gap.p50 stream_ms.gap.p90 stream_ms.gap.p99 stream_ms.gap.max
		stream_ms.duration.p50 stream_ms.duration.p90 stream_ms.duration.p99 stream_ms.duration.max`
	if keys := known(FloodResult(new(flood.Config), told)); !slices.Equal(keys, sorted(connecting+messages)) {
		t.Errorf("with messages it knows %q", keys)
	}
	cfg := &flood.Config{Run: []wire.Run{1}, Subscribers: 2}
	cfg.Reconnect = flood.Reconnect{Min: time.Second, Max: time.Second}
	const returning = ` messages.replayed messages.missed_offline reconnect.dropped reconnect.left reconnect.attempts
		reconnect.peak_per_second reconnect.failed reconnect.returned reconnect.seconds_to_p50 reconnect.seconds_to_p99`
	back := FloodResult(cfg, told)
	if keys := known(back); !slices.Equal(keys, sorted(connecting+messages+returning)) {
		t.Errorf("with what came back it knows %q", keys)
	}
	if value, _ := back.Reconnect.SecondsToP99.Value(); value != 0.003 {
		t.Errorf("back after %v s", value)
	}
	if value, _ := back.Messages.DeliveredPerSecond.Value(); value != 5 {
		t.Errorf("%v messages per second", value)
	}

	if keys := known(FloodResult(new(flood.Config), flood.Result{Counts: flood.Counts{Asked: 10, Failed: 10}})); slices.Contains(keys, "connect.seconds") || slices.Contains(keys, "connect.per_second") {
		t.Errorf("nothing was connected, and it knows %q", keys)
	}
}
