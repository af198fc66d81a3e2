//go:build !nonats

package broker_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter/broker"
)

// A router on a free port: any NATS client is one of its clients.
func ExampleBroker() {
	r, err := broker.New(broker.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()

	conn, err := nats.Connect(r.URL())
	if err != nil {
		log.Fatal(err)
	}
	messages, err := conn.SubscribeSync("comet.msg.0.123")
	if err != nil {
		log.Fatal(err)
	}
	if err := conn.Publish("comet.msg.0.123", []byte("Hello World")); err != nil {
		log.Fatal(err)
	}
	m, err := messages.NextMsgWithContext(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, through %d subscription\n", m.Data, r.Stats().Subscriptions)

	conn.Close()
	cancel()
	fmt.Println(<-done)
	// Output:
	// Hello World, through 1 subscription
	// <nil>
}
