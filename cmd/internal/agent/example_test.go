package agent_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/natsrouter/broker"
)

// A router, one host that waits for work there, and another that calls for it.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := broker.New(broker.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	routed, worked := make(chan error), make(chan error)
	go func() { routed <- r.Run(ctx) }()

	servers := natsrouter.Servers{URLs: []string{r.URL()}}
	a, err := agent.New(agent.Config{Executable: os.Args[0], Servers: servers, Name: "web2"})
	if err != nil {
		log.Fatal(err)
	}
	waiting, leave := context.WithCancel(ctx)
	go func() { worked <- a.Run(waiting) }()

	crew, err := agent.Muster(ctx, agent.Call{Servers: servers, Agents: flags.Agents{Count: 1}})
	if err != nil {
		log.Fatal(err)
	}
	shares, err := agent.Divide(agent.Load{Connections: 1000}, crew.Hosts())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s opens %d connections\n", crew.Hosts()[0].Name, shares[0].Connections)
	crew.Close()

	leave()
	fmt.Println(<-worked)
	cancel()
	fmt.Println(<-routed)
	// Output:
	// web2 opens 1000 connections
	// <nil>
	// <nil>
}
