package server

import (
	"example.org/comet/server/adminhttp"
	"example.org/comet/server/replica"
	"example.org/comet/server/router"
)

// metrics lists the figures of Stats under the names that Prometheus users
// expect: base units, counters in _total.
func (s *Stats) metrics() []adminhttp.Metric {
	list := []adminhttp.Metric{
		adminhttp.Gauge("comet_connections", "Open streams.", "", float64(s.Connections)),
		adminhttp.Gauge("comet_connections_max", "The most streams that may be open.", "", float64(s.MaxConnections)),
		adminhttp.Gauge("comet_logins", "Pairs of connection and id.", "", float64(s.Logins)),
		adminhttp.Gauge("comet_backlog_bytes", "Bytes that wait for full sockets.", "", float64(s.BacklogBytes)),
		adminhttp.Counter("comet_accepted_total", "Connections accepted from the kernel.", "", float64(s.Accepted)),
		adminhttp.Counter("comet_streams_total", "Connections that became streams.", "", float64(s.Streams)),
		adminhttp.Counter("comet_refused_total", "Connections answered without a stream.", `{reason="full"}`, float64(s.RefusedFull)),
		adminhttp.Counter("comet_refused_total", "", `{reason="address"}`, float64(s.RefusedAddress)),
		adminhttp.Counter("comet_refused_total", "", `{reason="away"}`, float64(s.RefusedAway)),
		adminhttp.Counter("comet_refused_total", "", `{reason="memory"}`, float64(s.RefusedMemory)),
		adminhttp.Counter("comet_refused_total", "", `{reason="leaving"}`, float64(s.RefusedLeaving)),
		adminhttp.Counter("comet_refused_total", "", `{reason="unauthorized"}`, float64(s.RefusedUnauthorized)),
		adminhttp.Counter("comet_refused_total", "", `{reason="forbidden"}`, float64(s.RefusedForbidden)),
		adminhttp.Counter("comet_refused_total", "", `{reason="other"}`, float64(s.RefusedOther)),
		adminhttp.Counter("comet_expired_total", "Streams that ended with their token.", "", float64(s.Expired)),
		adminhttp.Counter("comet_tls_handshakes_total", "TLS handshakes.", `{result="done"}`, float64(s.TLSHandshakes)),
		adminhttp.Counter("comet_tls_handshakes_total", "", `{result="failed"}`, float64(s.TLSHandshakesFailed)),
		adminhttp.Counter("comet_accept_pauses_total", "Times that accepting paused because there were no files.", "", float64(s.AcceptPauses)),
		adminhttp.Counter("comet_disconnected_slow_total", "Connections closed because their client did not read.", "", float64(s.Disconnected)),
		adminhttp.Counter("comet_messages_sent_total", "Messages accepted.", "", float64(s.Sent)),
		adminhttp.Counter("comet_events_sent_total", "Messages accepted that were events, to the followers of a publisher.", "", float64(s.Events)),
		adminhttp.Counter("comet_messages_routed_total", "Messages queued, once per connection.", "", float64(s.Routed)),
		adminhttp.Counter("comet_messages_unaddressed_total", "Messages to ids, or to followers, that nobody was logged in as.", "", float64(s.Unaddressed)),
		adminhttp.Counter("comet_messages_written_total", "Messages handed to the kernel whole.", "", float64(s.Written)),
	}
	for reason := range router.DropReasons {
		help := ""
		if reason == 0 {
			help = "Messages discarded."
		}
		list = append(list, adminhttp.Counter("comet_messages_dropped_total", help, adminhttp.Labels("reason", reason.String()), float64(*s.By(reason))))
	}
	list = append(list, []adminhttp.Metric{
		adminhttp.Counter("comet_written_bytes_total", "Bytes written to streams.", "", float64(s.BytesWritten)),
		adminhttp.Counter("comet_heartbeats_total", "Comments and pings sent to silent streams.", "", float64(s.Heartbeats)),
		adminhttp.Counter("comet_access_log_dropped_total", "Lines that the access log lost.", "", float64(s.AccessLogDropped)),
	}...)
	if s.Waiting != nil {
		list = append(list, adminhttp.Gauge("comet_accept_queue", "Connections that the kernel has made and the server has not accepted.", "", float64(*s.Waiting)),
			adminhttp.Gauge("comet_accept_queue_max", "How many of them there may be, before the kernel ignores more.", "", float64(*s.Most)))
	}
	list = append(list, exchangeMetrics(s.Router)...)
	return append(list, sharingMetrics(s.Subscriptions)...)
}

// sharingMetrics lists the figures of a server whose file of subscriptions is one of
// several.
func sharingMetrics(s *replica.Stats) []adminhttp.Metric {
	if s == nil {
		return nil
	}
	return []adminhttp.Metric{
		adminhttp.Gauge("comet_subscriptions_nodes", "Servers with subscriptions that are known, this one included.", "", float64(s.Nodes)),
		adminhttp.Gauge("comet_subscriptions_changes_pending", "Changes made here that not all of them have confirmed.", "", float64(s.Pending)),
		adminhttp.Gauge("comet_subscriptions_changes_behind", "Changes of other servers that this one lacks.", "", float64(s.Behind)),
		adminhttp.Counter("comet_subscriptions_changes_sent_total", "Changes made here, sent to the other servers.", "", float64(s.Sent)),
		adminhttp.Counter("comet_subscriptions_changes_applied_total", "Changes of other servers, applied here.", "", float64(s.Applied)),
		adminhttp.Counter("comet_subscriptions_asked_total", "Times that another server was asked for missing changes.", "", float64(s.Asked)),
		adminhttp.Counter("comet_subscriptions_rubbish_total", "Messages about subscriptions that could not be read.", "", float64(s.Rubbish)),
	}
}

// exchangeMetrics lists the figures of a server that is not alone.
func exchangeMetrics(x *router.ExchangeStats) []adminhttp.Metric {
	if x == nil {
		return nil
	}
	return []adminhttp.Metric{
		adminhttp.Gauge("comet_router_connected", "Whether the router is reached.", "", adminhttp.Bool(x.Connected)),
		adminhttp.Gauge("comet_router_ready", "Whether all interest is in force at the router.", "", adminhttp.Bool(x.Ready)),
		adminhttp.Gauge("comet_router_state_seconds", "How long the router has been connected, or disconnected.", "", x.SinceSeconds),
		adminhttp.Counter("comet_router_reconnects_total", "Times that the connection to the router came back.", "", float64(x.Reconnects)),
		adminhttp.Gauge("comet_router_subscriptions", "Subscriptions requested.", "", float64(x.Subscriptions)),
		adminhttp.Gauge("comet_router_subscriptions_pending", "Subscriptions not acknowledged yet.", "", float64(x.Pending)),
		adminhttp.Counter("comet_router_subscriptions_refused_total", "Subscriptions that the router did not allow.", "", float64(x.Refused)),
		adminhttp.Counter("comet_router_received_total", "Messages from the router.", "", float64(x.Received)),
		adminhttp.Counter("comet_router_routed_total", "Of them, queued, once per connection.", "", float64(x.Routed)),
		adminhttp.Counter("comet_router_unaddressed_total", "Of them, to ids that nobody is logged in as here.", "", float64(x.Unaddressed)),
		adminhttp.Counter("comet_router_published_total", "Messages to the router.", "", float64(x.Published)),
		adminhttp.Counter("comet_router_dropped_total", "Messages from the router that were lost before they were routed.", `{reason="slow_consumer"}`, float64(x.DroppedSlowConsumer)),
		adminhttp.Counter("comet_router_answers_dropped_total", "Answers to senders that could not be sent.", "", float64(x.AnswersDropped)),
	}
}
