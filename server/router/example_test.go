package router_test

import (
	"context"
	"fmt"

	"example.org/comet/server/router"
)

// printer is an owner of connections that prints what they get.
type printer struct{}

func (printer) Deliver(c router.Conn, message []byte) bool {
	fmt.Printf("connection %d: %s\n", c.Slot, message)
	return true
}

func (printer) Wake() {}

func (printer) Wait(context.Context) error { return nil }

// The three calls of the article's router.
func Example() {
	r := new(router.Local)
	m := r.Join(printer{})
	m.Login(router.Conn{Slot: 1}, 123)
	m.Login(router.Conn{Slot: 1}, 124)              // one connection, several ids
	fmt.Println(r.Send(123, []byte("Hello World"))) // to one connection, and no inbox was full
	m.Logout(1, nil)
	fmt.Println(r.Send(123, []byte("Anybody?")))
	// Output:
	// connection 1: Hello World
	// 1 0
	// 0 0
}
