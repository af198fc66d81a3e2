package router

import "errors"

// ErrAway is what a sender of messages wraps when the other side is unreachable
// or has gone: messages are refused until the sender is opened again. Any other
// error of a sender is final.
var ErrAway = errors.New("the server is away")

// Receipt counts the messages that a sender was asked to send by what became of
// them. Each is in exactly one of Sent, Refused, Unknown and Unanswered.
type Receipt struct {
	// Sent were accepted by the server.
	Sent uint64 `json:"sent"`
	// Reached is how many connections the sent ones were queued to.
	Reached uint64 `json:"reached"`
	// Unaddressed are those of Sent whose id nobody was logged in as.
	Unaddressed uint64 `json:"unaddressed"`
	// Refused were read by the server and not accepted, or never sent to it; a
	// generator adds those that were due while the server was unreachable.
	Refused uint64 `json:"refused"`
	// Unknown were sent to a server that went before it answered: each may or may
	// not have been delivered.
	Unknown uint64 `json:"unknown"`
	// Unanswered are on their way.
	Unanswered uint64 `json:"unanswered"`
	// ReachUnknown: the server does not report whom it reached, so that Reached and
	// Unaddressed mean nothing.
	ReachUnknown bool `json:"reach_unknown,omitempty"`
}
