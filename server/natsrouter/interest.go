package natsrouter

import (
	"cmp"
	"fmt"
)

// Interest is how a node asks NATS for the messages to its ids. It implements
// encoding.TextMarshaler and encoding.TextUnmarshaler, for flags and files.
type Interest string

// The ways to ask. A node gets each message once in all of them.
const (
	// Exact is a subscription for each id: a node gets its own messages only.
	Exact Interest = "exact"
	// Block is a subscription for each block of ids of which the node has one:
	// right where ids are pinned to nodes, and some 20 times less memory.
	Block Interest = "block"
	// All is one subscription: every node gets every message.
	All Interest = "all"
)

// MarshalText returns the word for i; that of the zero value is Exact's.
func (i Interest) MarshalText() ([]byte, error) {
	return []byte(cmp.Or(i, Exact)), nil
}

// UnmarshalText takes exact, block or all.
func (i *Interest) UnmarshalText(text []byte) error {
	switch word := Interest(text); word {
	case Exact, Block, All:
		*i = word
		return nil
	}
	return fmt.Errorf("natsrouter: unknown interest %q: use exact, block or all", text)
}
