// Package router knows who is logged in as what. It is the article's router:
// login, logout and send, with several ids per connection and several
// connections per id.
//
// A [Member] is the owner of connections, such as an event loop: it logs its
// own connections in and out and has an [Inbox] where their messages arrive.
//
//	r := new(router.Local)
//	m := r.Join(inbox)
//	m.Login(router.Conn{Slot: 1}, 123)
//	r.Send(123, []byte("Hello World")) // inbox.Deliver(router.Conn{Slot: 1}, …)
//	m.Logout(1, nil)
package router

import "context"

// Conn names one connection of a member. Slot is small and dense, and used
// again after the connection is gone; Gen then differs, which keeps a message
// that was under way to the old connection from reaching the new one.
type Conn struct{ Slot, Gen uint32 }

// Inbox takes the messages of one member's connections. Its methods are called
// by many goroutines at once.
type Inbox interface {
	// Deliver queues message for c and reports whether it did: an inbox may be too
	// full. It must not block, call the router, or keep message. It is called in
	// the order in which Send was.
	Deliver(c Conn, message []byte) bool
	// Wake tells the owner that the publisher has no more for now.
	Wake()
	// Wait waits while the inbox holds more than it should. It returns an error
	// only when ctx ends first.
	Wait(ctx context.Context) error
}
