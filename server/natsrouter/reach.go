package natsrouter

// Reach is whom one message reached.
type Reach struct {
	// Known reports whether Connections means something: a node answered, or
	// nobody subscribes to the id. If not, the message went to subscribers that are
	// no nodes or answered too late, or Unready says more.
	Known bool
	// Connections is how many it was queued to.
	Connections uint64
	// Unready names the nodes whose subscriptions are not all in force, such as one
	// that the router refuses. Nobody subscribes to the id, but a connection of
	// theirs may be logged in as it.
	Unready string
}
