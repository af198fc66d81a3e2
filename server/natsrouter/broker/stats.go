//go:build !nonats

package broker

import (
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"example.org/comet/server/natsrouter"
)

// Stats is a router's state and its counters since it started: the body of
// /stats.
type Stats struct {
	Name          string  `json:"name"`
	URL           string  `json:"url"`
	Version       string  `json:"nats_version"`
	PID           int     `json:"pid"`
	UptimeSeconds float64 `json:"uptime_seconds"`
	Draining      bool    `json:"draining"`
	RSSBytes      int64   `json:"rss_bytes"` // of this process; on macOS its highest

	// What the nodes of the whole cluster reported. Those that are away do not
	// count.
	NodesConnected int   `json:"nodes_connected"`
	NodesReady     int   `json:"nodes_ready"`
	NodesAway      int   `json:"nodes_away"`
	Connections    int64 `json:"connections"`
	Logins         int64 `json:"logins"` // pairs of connection and id

	Clients       int      `json:"clients"` // connected to this router: nodes and publishers
	Routers       []string `json:"routers"` // the others of the cluster that are up, by name
	Subscriptions int      `json:"subscriptions"`

	// Messages and their bytes from and to clients and other routers, including the
	// nodes' reports.
	MessagesIn  int64 `json:"messages_in"`
	MessagesOut int64 `json:"messages_out"`
	BytesIn     int64 `json:"bytes_in"`
	BytesOut    int64 `json:"bytes_out"`

	SlowConsumers     int64  `json:"slow_consumers"`     // times a client was cut off, or a route stood still
	StalledPublishers int64  `json:"stalled_publishers"` // times one had to wait for a slow reader
	CollectionsForced uint64 `json:"collections_forced"` // by POST /gc, finished

	Nodes []NodeRow `json:"nodes"`
}

// NodeRow is a node as it last reported, on comet.node.<name>.
type NodeRow struct {
	Name          string  `json:"name"`
	Address       string  `json:"address,omitempty"` // of its connection to this router; empty for one at another
	PID           int     `json:"pid"`
	Connections   int64   `json:"connections"`
	Logins        int64   `json:"logins"` // pairs of connection and id
	Interest      string  `json:"interest"`
	Prefix        string  `json:"prefix"` // of the subjects of messages
	Subscriptions int64   `json:"subscriptions"`
	Ready         bool    `json:"ready"`
	Routed        uint64  `json:"routed"`      // messages queued to connections
	Unaddressed   uint64  `json:"unaddressed"` // messages to ids that nobody was logged in as
	Dropped       uint64  `json:"dropped"`     // messages discarded, whatever the reason
	AgeSeconds    float64 `json:"age_seconds"` // of the report
	Away          bool    `json:"away"`        // it has missed three reports
}

// Stats returns the state and the counters. It asks the system for the memory,
// but is cheap otherwise.
func (b *Broker) Stats() Stats {
	now := time.Now()
	s := Stats{
		Name:          b.nats.Name(),
		URL:           b.url,
		Version:       server.VERSION,
		PID:           os.Getpid(),
		UptimeSeconds: now.Sub(b.started).Seconds(),
		Draining:      b.draining.Load(),
		Routers:       b.peers(false),
		Nodes:         b.nodes.rows(now),

		CollectionsForced: b.forced.Load(),
	}
	b.addTraffic(&s)
	at := b.addresses()
	for i := range s.Nodes {
		node := &s.Nodes[i]
		node.Address = at[natsrouter.ClientName(node.Name)]
		if node.Away {
			s.NodesAway++
			continue
		}
		s.NodesConnected++
		if node.Ready {
			s.NodesReady++
		}
		s.Connections += node.Connections
		s.Logins += node.Logins
	}
	return s
}

// addTraffic adds what the NATS server counts, without this process's own
// connection to it.
func (b *Broker) addTraffic(s *Stats) {
	own := b.own.Stats()
	v := b.varz()
	s.RSSBytes = v.Mem
	s.MessagesIn, s.BytesIn = v.InMsgs, v.InBytes
	s.MessagesOut, s.BytesOut = v.OutMsgs-int64(own.InMsgs), v.OutBytes-int64(own.InBytes)
	s.SlowConsumers, s.StalledPublishers = v.SlowConsumers, v.StalledClients
	s.Clients, s.Subscriptions = v.Connections, b.nats.GlobalAccount().TotalSubs()
	if b.own.IsConnected() {
		s.Clients = max(s.Clients-1, 0)
		s.Subscriptions = max(s.Subscriptions-1, 0)
	}
}

// varz returns the NATS server's figures. Varz never fails without options.
func (b *Broker) varz() *server.Varz {
	v, err := b.nats.Varz(nil)
	if err != nil {
		return &server.Varz{}
	}
	return v
}

// residentBytes returns this process's memory, as NATS reads it on each system.
func (b *Broker) residentBytes() int64 { return b.varz().Mem }

// addresses returns those of this router's clients, by natsrouter.ClientName.
func (b *Broker) addresses() map[string]string {
	clients, err := b.nats.Connz(&server.ConnzOptions{Limit: maxNodes})
	if err != nil {
		return nil // only unknown options fail
	}
	at := make(map[string]string, len(clients.Conns))
	for _, c := range clients.Conns {
		at[c.Name] = joinAddress(c.IP, c.Port)
	}
	return at
}

// peers returns the names of the other routers to which there is a route; with
// asked, only of those among Routes. NATS lists a route before the other router
// has looked at its credentials. One that let this router in has sent its
// subscriptions, or has answered a ping if it has none.
func (b *Broker) peers(asked bool) []string {
	names := []string{}
	routes, err := b.nats.Routez(nil)
	if err != nil {
		return names // it never fails without options
	}
	for _, route := range routes.Routes {
		letIn := route.NumSubs > 0 || route.RTT != time.Duration(0).String()
		if letIn && (!asked || route.IsConfigured) {
			names = append(names, route.RemoteName)
		}
	}
	// Routers hold several connections with each other.
	slices.Sort(names)
	return slices.Compact(names)
}
