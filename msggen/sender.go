package msggen

import (
	"context"
	"time"

	"example.org/comet/server/router"
)

// ErrAway is what a [Sender] wraps when the other side cannot be reached or
// has gone: messages are refused until Open succeeds again. Any other error of
// a Sender is final.
var ErrAway = router.ErrAway

// Receipt counts messages by what became of them.
type Receipt = router.Receipt

// Sender takes messages to whatever delivers them, in order. One goroutine at a
// time uses it. After an error from Send, Flush or Settle only Open, Receipt
// and Close may follow.
type Sender interface {
	// Open reaches the other side and returns nil once messages can be sent. It
	// is called before the first Send, and again after an ErrAway.
	Open(ctx context.Context) error
	// Send buffers one message for id. It keeps nothing of message. A message that
	// it fails for is refused in the receipt.
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

// timed is a Sender that knows when it hands a message to its socket. Without a
// pace, that moment stands in the stamp.
type timed interface {
	Sender
	// sendNow is Send of a generated message whose stamp gets the moment at which
	// its bytes are handed to the socket.
	sendNow(id int64, message []byte) error
}

// answering is a Sender that learns of each message what became of it, and has
// messages wait for their turn after a Flush: so it alone knows how late each
// was, and its receipt needs no settling. Its Receipt is safe at any time.
type answering interface {
	timed
	// sendDue is Send of a message that was due at a moment.
	sendDue(id int64, message []byte, due time.Time) error
	// onLate sets who is told, once for each message of sendDue, how late it was
	// when it was written, or when it was given up unwritten. It is called before
	// Open, and what it sets from many goroutines.
	onLate(record func(late time.Duration))
	// answers returns what the other side answered so far.
	answers() Answers
}

// Answers are what the other side of a sender answered that asks for each
// message.
type Answers struct {
	// Statuses counts the answers by HTTP status.
	Statuses map[int]uint64 `json:"statuses,omitempty"`
	// Refusal explains why most of the refused messages were refused, with the
	// beginning of the answer and what to do.
	Refusal string `json:"refusal,omitempty"`

	// commonest is how many Refusal explains.
	commonest uint64
}
