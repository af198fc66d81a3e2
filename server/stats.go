package server

import (
	"sync/atomic"

	"example.org/comet/server/replica"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// Stats is a server's state and its counters since it started: the body of
// /stats, and what to decode it into.
type Stats struct {
	Engine         Engine  `json:"engine"`
	Loops          int     `json:"loops,omitempty"`
	PID            int     `json:"pid"`
	UptimeSeconds  float64 `json:"uptime_seconds"`
	Draining       bool    `json:"draining"`
	Connections    int64   `json:"connections"` // open streams
	MaxConnections int64   `json:"max_connections"`
	Logins         int     `json:"logins"` // pairs of connection and id

	Accepted       uint64 `json:"accepted"`        // connections taken from the kernel
	Streams        uint64 `json:"streams"`         // of them, those that became streams
	RefusedFull    uint64 `json:"refused_full"`    // answered 503 over the limit
	RefusedAddress uint64 `json:"refused_address"` // answered 503 over the limit of one address
	RefusedAway    uint64 `json:"refused_away"`    // answered 503 while the router was unreachable
	RefusedLeaving uint64 `json:"refused_leaving"` // answered 503 while the server drained
	RefusedMemory  uint64 `json:"refused_memory"`  // answered 503 over the limit of memory
	RefusedOther   uint64 `json:"refused_other"`   // answered without a stream for any other reason
	// RefusedUnauthorized were answered 401, or 400 for two tokens, and
	// RefusedForbidden 403: their token does not allow their ids.
	RefusedUnauthorized uint64 `json:"refused_unauthorized"`
	RefusedForbidden    uint64 `json:"refused_forbidden"`

	Expired      uint64 `json:"expired"`       // streams that ended with their token
	AcceptPauses uint64 `json:"accept_pauses"` // times that accepting paused, out of files
	BytesWritten uint64 `json:"bytes_written"` // to streams
	BacklogBytes int64  `json:"backlog_bytes"` // waiting for full sockets now
	AcceptQueue

	router.Drops // messages discarded, by reason

	Disconnected        uint64 `json:"disconnected"`          // connections closed for being slow
	TLSHandshakes       uint64 `json:"tls_handshakes"`        // that succeeded
	TLSHandshakesFailed uint64 `json:"tls_handshakes_failed"` // that failed, or that the client or the time ended first

	Heartbeats       uint64 `json:"heartbeats"`         // sent to silent streams
	AccessLogDropped uint64 `json:"access_log_dropped"` // lines that there was no room for, or that could not be written

	Sent        uint64 `json:"sent"`        // messages accepted
	Events      uint64 `json:"events"`      // of them, those to the followers of a publisher
	Routed      uint64 `json:"routed"`      // messages queued, once per connection
	Unaddressed uint64 `json:"unaddressed"` // messages to ids, or to followers, that nobody was logged in as
	Written     uint64 `json:"written"`     // messages handed to the kernel whole

	CollectionsForced uint64 `json:"collections_forced"` // by POST /gc, finished

	Router *router.ExchangeStats `json:"router,omitempty"` // nil for a server that is alone

	Subscriptions *replica.Stats `json:"subscriptions,omitempty"` // nil for a server that is alone, or without such a file

	RSSBytes   *int64   `json:"rss_bytes"`   // resident memory, nil where the system does not give it
	CPUSeconds *float64 `json:"cpu_seconds"` // user and system time so far, nil where the system does not give it
}

// AcceptQueue is what the listening sockets hold. It is nil where the system does not
// give it, and once they are closed.
type AcceptQueue struct {
	Waiting *int64 `json:"accept_queue"`     // connections that the kernel has made and nobody has accepted
	Most    *int64 `json:"accept_queue_max"` // how many may wait, before the kernel ignores more
}

// add adds that of another socket.
func (q *AcceptQueue) add(waiting, most int64) {
	if q.Waiting == nil {
		q.Waiting, q.Most = new(int64), new(int64)
	}
	*q.Waiting += waiting
	*q.Most += most
}

// counters are what one event loop, or the goroutine engine, counts. The pad
// keeps two loops' counters off one cache line.
type counters struct {
	accepted, streams, refusedFull, refusedAddress, refusedOther, acceptPauses atomic.Uint64
	refusedAway, refusedLeaving, refusedUnauthorized, refusedForbidden         atomic.Uint64
	refusedMemory, expired                                                     atomic.Uint64
	tlsHandshakes, tlsFailed                                                   atomic.Uint64
	written, bytesWritten                                                      atomic.Uint64
	droppedClosed, droppedSlow, disconnected, heartbeats                       atomic.Uint64
	backlogBytes                                                               atomic.Int64
	_                                                                          [64]byte
}

func (c *counters) addTo(s *Stats) {
	s.Accepted += c.accepted.Load()
	s.Streams += c.streams.Load()
	s.RefusedFull += c.refusedFull.Load()
	s.RefusedAddress += c.refusedAddress.Load()
	s.RefusedAway += c.refusedAway.Load()
	s.RefusedLeaving += c.refusedLeaving.Load()
	s.RefusedMemory += c.refusedMemory.Load()
	s.RefusedOther += c.refusedOther.Load()
	s.RefusedUnauthorized += c.refusedUnauthorized.Load()
	s.RefusedForbidden += c.refusedForbidden.Load()
	s.Expired += c.expired.Load()
	s.TLSHandshakes += c.tlsHandshakes.Load()
	s.TLSHandshakesFailed += c.tlsFailed.Load()
	s.AcceptPauses += c.acceptPauses.Load()
	s.Written += c.written.Load()
	s.BytesWritten += c.bytesWritten.Load()
	s.Add(router.Drops{DroppedClosed: c.droppedClosed.Load(), DroppedSlow: c.droppedSlow.Load()})
	s.Disconnected += c.disconnected.Load()
	s.Heartbeats += c.heartbeats.Load()
	s.BacklogBytes += c.backlogBytes.Load()
}

// refusals returns the counter of requests that are refused: with denied, for their
// token.
func (c *counters) refusals(denied *wire.Answer) *atomic.Uint64 {
	switch denied {
	case nil:
		return &c.refusedOther
	case wire.TokenForbids:
		return &c.refusedForbidden
	}
	return &c.refusedUnauthorized
}

// published counts the messages to the admin listener.
type published struct{ sent, events, routed, unaddressed atomic.Uint64 }
