package msggen

import (
	"context"
	"errors"
)

// ErrAway is what a [Sender] wraps when the other side cannot be reached or
// has gone: messages are refused until Open succeeds again. Any other error of
// a Sender is final.
var ErrAway = errors.New("the server is away")

// Sender takes messages to whatever delivers them, in order. One goroutine at a
// time uses it. After an error from Send, Flush or Settle only Open, Receipt
// and Close may follow.
type Sender interface {
	// Open reaches the other side and returns nil once messages can be sent. It
	// is called before the first Send, and again after an ErrAway.
	Open(ctx context.Context) error
	// Send buffers one message for id. It keeps nothing of message.
	Send(id int64, message []byte) error
	// Flush returns when everything buffered is on its way. If ctx ends first,
	// only Close may follow.
	Flush(ctx context.Context) error
	// Settle flushes, and returns when the receipt covers everything sent.
	Settle(ctx context.Context) error
	// Receipt is what is known so far of what was sent.
	Receipt() Receipt
	// Close settles what it can until ctx ends, and frees what Open took.
	Close(ctx context.Context) error
}

// Receipt counts messages by what became of them. Each that was given to Send
// is in exactly one of Sent, Refused, Unknown and Unanswered.
type Receipt struct {
	// Sent were accepted by the server.
	Sent uint64 `json:"sent"`
	// Reached is to how many connections the sent ones were queued.
	Reached uint64 `json:"reached"`
	// Unaddressed are those of Sent whose id nobody was connected as.
	Unaddressed uint64 `json:"unaddressed"`
	// Refused were read by the server and not accepted; a generator adds those
	// that were due while the server was away.
	Refused uint64 `json:"refused"`
	// Unknown were given to a server that went before it said what became of
	// them: each may or may not have been delivered.
	Unknown uint64 `json:"unknown"`
	// Unanswered are on their way.
	Unanswered uint64 `json:"unanswered"`
}
