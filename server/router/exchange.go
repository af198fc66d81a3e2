package router

import (
	"context"
	"encoding/json"
)

// Exchange joins the Local of this process to those of other processes. It brings
// in the messages for ids that are logged in here, and takes out those that are
// published here. Its methods are safe for concurrent use. Those that an event
// loop calls (Want, Drop, Settled, Up) never wait for the network.
type Exchange interface {
	// Start is called once, before anything else but Stats and Ready.
	Start(Home)

	// Want asks for the messages to ids, once for each connection that is logged
	// in as them. They come as soon as Settled has reached ticket.
	Want(ids []int64) (ticket uint64)
	// Drop undoes one Want.
	Drop(ids []int64)
	// Settled returns up to which ticket messages come in.
	Settled() (ticket uint64)
	// Up reports whether the exchange is reached and all that was ever settled
	// is in force. While it is not, Settled does not advance.
	Up() bool

	// Publisher begins a series of messages to the other processes.
	Publisher() Publisher

	// Post sends a message to the Home.Mail of all other processes, or of the one that
	// a message came from. An error means that they do not get it.
	Post(to string, message []byte) error

	// Ready returns why messages do not flow both ways, nil if they do.
	Ready() error
	// Stats returns the figures so far. It is cheap.
	Stats() ExchangeStats

	// Reports asks all processes for their reports, this one included, and returns those
	// that came soon, each as a JSON object with the fields of Counts and a name.
	Reports(ctx context.Context) ([]json.RawMessage, error)

	// Leave undoes every Want, and returns when what was under way has been sent to
	// Local, or ctx has ended. Every ticket counts as settled then.
	Leave(ctx context.Context)
	// Close ends the exchange. It may be called without Start, and twice.
	Close()
}

// Publisher publishes messages to the other processes, never to this one. It is
// for one goroutine.
type Publisher interface {
	// Publish hands a message over, or returns why it cannot. A message is on its
	// way for certain only after Confirm.
	Publish(id int64, message []byte) error
	// PublishEvent does the same with an event: every process looks up those of the
	// publisher's followers that it holds.
	PublishEvent(publisher int64, message []byte) error
	// Confirm waits until every message since the last Confirm is acknowledged.
	// After an error each of them may or may not have arrived.
	Confirm(ctx context.Context) error
}

// Home is the process that an Exchange works for.
type Home struct {
	// Local takes the messages that come in. The exchange waits for no member: what
	// an inbox cannot take, it drops and counts.
	Local *Local
	// Event takes the events that come in, and returns how many connections one was
	// queued to, and how many inboxes were too full. It waits for no member. It is
	// nil for a process that does not know who follows whom.
	Event func(publisher int64, message []byte) (reached, overrun int)
	// Mail takes what another process has posted, and from where. Messages of one
	// process come in the order they were posted in, as long as the exchange is
	// reached; those that come too fast are lost. It may block. It is nil for a
	// process that has no use for it.
	Mail func(from string, message []byte)
	// Linked is called with true when Mail comes in, and posts go out, from now on,
	// and with false when they do not any more. It must not block or call the
	// exchange. It may be nil.
	Linked func(up bool)
	// Settled is called when Settled has advanced or Up has changed. It must not
	// block or call the exchange.
	Settled func()
	// Counts returns the figures of this process, for the others to see.
	Counts func() Counts
}

// Counts are the figures of one process.
type Counts struct {
	Connections int64  `json:"connections"` // open streams
	Logins      int    `json:"logins"`      // pairs of connection and id
	Routed      uint64 `json:"routed"`      // messages queued, once per connection
	Drops
}

// ExchangeStats is the state of an exchange and its counters since it started.
type ExchangeStats struct {
	Name                string  `json:"name"`                  // of this process
	Connected           bool    `json:"connected"`             // to the URL below
	URL                 string  `json:"url"`                   // of the other side, or the last one; empty before the first
	SinceSeconds        float64 `json:"since_seconds"`         // since connected last changed
	Ready               bool    `json:"ready"`                 // connected, and every settled Want is in force
	Reconnects          uint64  `json:"reconnects"`            // times that the connection came back
	Interest            string  `json:"interest"`              // how ids are asked for: exact, block or all
	Subscriptions       int     `json:"subscriptions"`         // requests for ids that are wanted
	Pending             int     `json:"pending"`               // of them, not in force yet
	Received            uint64  `json:"received"`              // messages that came in, each once
	Routed              uint64  `json:"routed"`                // of them, queued, once per connection
	Unaddressed         uint64  `json:"unaddressed"`           // of them, to ids that nobody is logged in as here
	Published           uint64  `json:"published"`             // messages that went out
	DroppedSlowConsumer uint64  `json:"dropped_slow_consumer"` // messages lost before they could be received; not in received
	AnswersDropped      uint64  `json:"answers_dropped"`       // answers to senders that could not be sent
	Refused             uint64  `json:"refused"`               // requests that the other side did not allow
	LastError           string  `json:"last_error,omitempty"`  // what went wrong last
}
