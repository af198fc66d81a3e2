package server

import (
	"bytes"
	"net/http"
	"runtime"
	"strconv"

	"example.org/comet/server/router"
)

// metric is one line of /metrics with what stands above it.
type metric struct {
	name, kind, help string
	labels           string
	value            float64
}

// metrics lists the figures of Stats under the names that Prometheus users
// expect: base units, counters in _total.
func (s *Stats) metrics() []metric {
	list := []metric{
		{"comet_connections", "gauge", "Open streams.", "", float64(s.Connections)},
		{"comet_connections_max", "gauge", "The most streams that may be open.", "", float64(s.MaxConnections)},
		{"comet_logins", "gauge", "Pairs of connection and id.", "", float64(s.Logins)},
		{"comet_backlog_bytes", "gauge", "Bytes that wait for full sockets.", "", float64(s.BacklogBytes)},
		{"comet_accepted_total", "counter", "Connections taken from the kernel.", "", float64(s.Accepted)},
		{"comet_streams_total", "counter", "Connections that became streams.", "", float64(s.Streams)},
		{"comet_refused_total", "counter", "Connections answered without a stream.", `{reason="full"}`, float64(s.RefusedFull)},
		{"comet_refused_total", "counter", "", `{reason="address"}`, float64(s.RefusedAddress)},
		{"comet_refused_total", "counter", "", `{reason="away"}`, float64(s.RefusedAway)},
		{"comet_refused_total", "counter", "", `{reason="other"}`, float64(s.RefusedOther)},
		{"comet_accept_pauses_total", "counter", "Times that accepting rested for want of files.", "", float64(s.AcceptPauses)},
		{"comet_disconnected_slow_total", "counter", "Connections closed because their client did not read.", "", float64(s.Disconnected)},
		{"comet_messages_sent_total", "counter", "Messages accepted.", "", float64(s.Sent)},
		{"comet_messages_routed_total", "counter", "Messages queued, once for each connection.", "", float64(s.Routed)},
		{"comet_messages_unaddressed_total", "counter", "Messages to ids with nobody there.", "", float64(s.Unaddressed)},
		{"comet_messages_written_total", "counter", "Messages handed to the kernel whole.", "", float64(s.Written)},
		{"comet_messages_dropped_total", "counter", "Messages discarded.", `{reason="closed"}`, float64(s.DroppedClosed)},
		{"comet_messages_dropped_total", "counter", "", `{reason="slow"}`, float64(s.DroppedSlow)},
		{"comet_messages_dropped_total", "counter", "", `{reason="overrun"}`, float64(s.DroppedOverrun)},
		{"comet_written_bytes_total", "counter", "Bytes written to streams.", "", float64(s.BytesWritten)},
		{"comet_heartbeats_total", "counter", "Comments and pings sent to silent streams.", "", float64(s.Heartbeats)},
		{"comet_access_log_dropped_total", "counter", "Lines that the access log lost.", "", float64(s.AccessLogDropped)},
		{"go_goroutines", "gauge", "Goroutines.", "", float64(runtime.NumGoroutine())},
	}
	list = append(list, exchangeMetrics(s.Router)...)
	if rss := residentBytes(); rss != nil {
		list = append(list, metric{"process_resident_memory_bytes", "gauge", "Resident memory.", "", float64(*rss)})
	}
	return list
}

// exchangeMetrics lists the figures of a server that is not alone.
func exchangeMetrics(x *router.ExchangeStats) []metric {
	if x == nil {
		return nil
	}
	yes := map[bool]float64{true: 1}
	return []metric{
		{"comet_router_connected", "gauge", "Whether the router is reached.", "", yes[x.Connected]},
		{"comet_router_ready", "gauge", "Whether all interest is in force at the router.", "", yes[x.Ready]},
		{"comet_router_state_seconds", "gauge", "How long the router has been there, or away.", "", x.SinceSeconds},
		{"comet_router_reconnects_total", "counter", "Times that the router came back.", "", float64(x.Reconnects)},
		{"comet_router_subscriptions", "gauge", "Subscriptions asked for.", "", float64(x.Subscriptions)},
		{"comet_router_subscriptions_pending", "gauge", "Subscriptions not acknowledged yet.", "", float64(x.Pending)},
		{"comet_router_subscriptions_refused_total", "counter", "Subscriptions that the router did not allow.", "", float64(x.Refused)},
		{"comet_router_received_total", "counter", "Messages from the router.", "", float64(x.Received)},
		{"comet_router_routed_total", "counter", "Of them, queued, once for each connection.", "", float64(x.Routed)},
		{"comet_router_unaddressed_total", "counter", "Of them, to ids with nobody here.", "", float64(x.Unaddressed)},
		{"comet_router_published_total", "counter", "Messages to the router.", "", float64(x.Published)},
		{"comet_router_dropped_total", "counter", "What came from the router and was lost.", `{reason="slow_consumer"}`, float64(x.DroppedSlowConsumer)},
		{"comet_router_answers_dropped_total", "counter", "Answers to senders that could not be sent.", "", float64(x.AnswersDropped)},
	}
}

// metrics answers in the Prometheus text format, version 0.0.4. By hand: the
// client library costs the server 2.6 MB from the first scrape on.
func (a *admin) metrics(w http.ResponseWriter, _ *http.Request) {
	stats := a.server.Stats()
	var b bytes.Buffer
	for _, m := range stats.metrics() {
		if m.help != "" {
			b.WriteString("# HELP " + m.name + " " + m.help + "\n# TYPE " + m.name + " " + m.kind + "\n")
		}
		b.WriteString(m.name + m.labels + " " + strconv.FormatFloat(m.value, 'f', -1, 64) + "\n")
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // an error is a client that is gone
}
