// Package natsrouter joins many comet servers to one, through `comet router`
// (package broker) or any NATS cluster.
//
// A message to a user is published on the subject
//
//	<prefix>.<block>.<id>    block = id / 1024
//
// such as comet.msg.0.123. A server, called a node here, subscribes for the ids
// that its own connections are logged in as; NATS takes a message to every node
// that subscribes to it, and the node looks up its connections. What comes on any
// other subject is not a message, whatever a wildcard of the node matches.
//
// An event, which goes to all followers of a publisher, is published once, on
//
//	<prefix>.event.follow.<publisher>
//
// where no interest in ids matches. Nodes that know who follows whom subscribe to
// all events, and each looks up the followers that are logged in on it.
//
// Such nodes tell each other of changes of who follows whom on
//
//	<prefix>.event.change.all
//	<prefix>.event.change.<node>
//
// where <node> is a word that each node draws when it starts.
// Load hosts (package agent of cmd) speak on <prefix>.agent.<verb>.<whom>, which no
// node subscribes to.
//
// Each message that a node receives counts once in Received. Then it is either in
// Unaddressed, because nobody is logged in as its id here, or as a follower, or it is counted once
// for each connection that is: as routed, or as dropped because the connection's
// owner is too far behind (dropped_overrun). What nats.go drops before that is in
// DroppedSlowConsumer, and not in Received.
//
//	routers := natsrouter.Servers{URLs: []string{"nats://127.0.0.1:4222"}}
//	node, err := natsrouter.NewNode(ctx, natsrouter.NodeConfig{Servers: routers})
//	if err != nil { … }
//	s, err := server.New(server.Config{Exchange: node})
package natsrouter
