package natsrouter

import (
	"bytes"
	"net/http"
	"runtime"
	"strconv"
	"strings"
)

// routerMetric is one line of /metrics with what stands above it.
type routerMetric struct {
	name, kind, help string
	labels           string
	value            float64
}

// metrics lists the figures under the names that Prometheus users expect: base
// units, counters in _total. All routers of a cluster give the same figures of
// the nodes: take the highest by node, not the sum.
func (s *RouterStats) metrics() []routerMetric {
	list := []routerMetric{
		{"comet_router_nodes", "gauge", "Nodes of the cluster, by state.", `{state="ready"}`, float64(s.NodesReady)},
		{"comet_router_nodes", "gauge", "", `{state="unready"}`, float64(s.NodesConnected - s.NodesReady)},
		{"comet_router_nodes", "gauge", "", `{state="away"}`, float64(s.NodesAway)},
		{"comet_router_clients", "gauge", "Connections of nodes and publishers to this router.", "", float64(s.Clients)},
		{"comet_router_peers", "gauge", "Other routers of the cluster that are up.", "", float64(len(s.Routers))},
		{"comet_router_subscriptions", "gauge", "Subscriptions in this router.", "", float64(s.Subscriptions)},
		{"comet_router_messages_in_total", "counter", "Messages from clients and other routers.", "", float64(s.MessagesIn)},
		{"comet_router_messages_out_total", "counter", "Messages to clients and other routers.", "", float64(s.MessagesOut)},
		{"comet_router_in_bytes_total", "counter", "Bytes of the messages in.", "", float64(s.BytesIn)},
		{"comet_router_out_bytes_total", "counter", "Bytes of the messages out.", "", float64(s.BytesOut)},
		{"comet_router_slow_consumers_total", "counter", "Times that a client was cut off, or a route stood still, for not reading fast enough.", "", float64(s.SlowConsumers)},
		{"comet_router_stalled_publishers_total", "counter", "Times that a publisher had to wait for a slow reader.", "", float64(s.StalledPublishers)},
		{"go_goroutines", "gauge", "Goroutines.", "", float64(runtime.NumGoroutine())},
		{"process_resident_memory_bytes", "gauge", "Resident memory.", "", float64(s.RSSBytes)},
	}
	// The lines of a name stand together: the format wants it.
	for _, m := range []struct {
		name, help string
		value      func(NodeRow) float64
	}{
		{"comet_node_connections", "Streams that a node holds, as it reports.", func(n NodeRow) float64 { return float64(n.Connections) }},
		{"comet_node_logins", "Pairs of connection and id at a node, as it reports.", func(n NodeRow) float64 { return float64(n.Logins) }},
		{"comet_node_up", "Whether a node reports.", func(n NodeRow) float64 { return oneIf(!n.Away) }},
		{"comet_node_ready", "Whether a node reports that it is ready.", func(n NodeRow) float64 { return oneIf(!n.Away && n.Ready) }},
	} {
		for i, node := range s.Nodes {
			line := routerMetric{m.name, "gauge", "", `{node="` + labelValue.Replace(node.Name) + `"}`, m.value(node)}
			if i == 0 {
				line.help = m.help
			}
			list = append(list, line)
		}
	}
	return list
}

// labelValue escapes what a label value may not have.
var labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// metrics answers in the Prometheus text format, version 0.0.4. By hand: the
// client library costs 2.6 MB.
func (a *routerAdmin) metrics(w http.ResponseWriter, _ *http.Request) {
	stats := a.router.Stats()
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
