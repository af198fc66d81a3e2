// Package natsrouter is the router on NATS: it joins many comet servers to one,
// through the embedded server of `comet router` or any NATS cluster.
//
// A message to a user is published on the subject
//
//	<prefix>.<block>.<id>    block = id / 1024
//
// such as comet.msg.0.123. A server, called a node here, subscribes to what its
// own connections are logged in as; NATS takes a message to every node that has
// a use for it, and each node looks up its own connections.
//
//	routers := natsrouter.Servers{URLs: []string{"nats://127.0.0.1:4222"}}
//	node, err := natsrouter.NewNode(ctx, natsrouter.NodeConfig{Servers: routers})
//	if err != nil { … }
//	s, err := server.New(server.Config{Exchange: node})
package natsrouter
