//go:build !nonats

package broker

import "example.org/comet/server/adminhttp"

// metrics lists the figures under the names that Prometheus users expect: base
// units, counters in _total. All routers of a cluster give the same figures of
// the nodes: take the highest by node, not the sum.
func (s *Stats) metrics() []adminhttp.Metric {
	list := []adminhttp.Metric{
		adminhttp.Gauge("comet_router_nodes", "Nodes of the cluster, by state.", `{state="ready"}`, float64(s.NodesReady)),
		adminhttp.Gauge("comet_router_nodes", "", `{state="unready"}`, float64(s.NodesConnected-s.NodesReady)),
		adminhttp.Gauge("comet_router_nodes", "", `{state="away"}`, float64(s.NodesAway)),
		adminhttp.Gauge("comet_router_clients", "Connections of nodes and publishers to this router.", "", float64(s.Clients)),
		adminhttp.Gauge("comet_router_peers", "Other routers of the cluster that are up.", "", float64(len(s.Routers))),
		adminhttp.Gauge("comet_router_subscriptions", "Subscriptions in this router.", "", float64(s.Subscriptions)),
		adminhttp.Counter("comet_router_messages_in_total", "Messages from clients and other routers.", "", float64(s.MessagesIn)),
		adminhttp.Counter("comet_router_messages_out_total", "Messages to clients and other routers.", "", float64(s.MessagesOut)),
		adminhttp.Counter("comet_router_in_bytes_total", "Bytes of the messages in.", "", float64(s.BytesIn)),
		adminhttp.Counter("comet_router_out_bytes_total", "Bytes of the messages out.", "", float64(s.BytesOut)),
		adminhttp.Counter("comet_router_slow_consumers_total", "Times that a client was cut off, or a route stalled, for not reading fast enough.", "", float64(s.SlowConsumers)),
		adminhttp.Counter("comet_router_stalled_publishers_total", "Times that a publisher had to wait for a slow reader.", "", float64(s.StalledPublishers)),
	}
	// The lines of a name stand together: the format wants it.
	for _, m := range []struct {
		name, help string
		value      func(NodeRow) float64
	}{
		{"comet_node_connections", "Streams that a node holds, as it reports.", func(n NodeRow) float64 { return float64(n.Connections) }},
		{"comet_node_logins", "Pairs of connection and id at a node, as it reports.", func(n NodeRow) float64 { return float64(n.Logins) }},
		{"comet_node_up", "Whether a node reports.", func(n NodeRow) float64 { return adminhttp.Bool(!n.Away) }},
		{"comet_node_ready", "Whether a node reports that it is ready.", func(n NodeRow) float64 { return adminhttp.Bool(!n.Away && n.Ready) }},
	} {
		for i, node := range s.Nodes {
			help := ""
			if i == 0 {
				help = m.help
			}
			list = append(list, adminhttp.Gauge(m.name, help, adminhttp.Labels("node", node.Name), m.value(node)))
		}
	}
	return list
}
